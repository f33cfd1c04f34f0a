"""The files of a model, from the cache or the Hub: what loading needs, and nothing that could run code."""

import io
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from hashlib import file_digest
from pathlib import Path
from typing import Any

from hugginggpt.errors import NO_SPACE, ExpertUnavailableError, ModelDiskFullError, ModelLoadError
from hugginggpt.models.card import ModelCard
from hugginggpt.models.files import CONFIG, DESCRIPTION, needed_files
from hugginggpt.progress import Listener, Progress, current_listener
from hugginggpt.redaction import said
from hugginggpt.settings import Settings

_IN_FOLDERS = "*/*"


def fetch_model(card: ModelCard, settings: Settings, *, progress: bool = False) -> Path:
    """The folder with a model's files at its card's revision, downloaded as far as they are not in the cache.

    Args:
        card: the model.
        settings: where the Hub and the cache are.
        progress: draw progress bars, instead of telling who listens to `hugginggpt.progress`.

    Raises:
        ModelLoadError: it does not exist, is gated, has no safetensors, wants its own code run, or is larger than
            the disk; or it is not in the cache and the Hub may not be asked.
        ModelDiskFullError: there is no room for it on the disk now.
        ExpertUnavailableError: the Hub is busy or out of reach.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    disable_progress_bars()

    def snapshot(names: Iterable[str], ignored: str | None = None, tqdm_class: Any = None) -> Path:
        folder = snapshot_download(
            card.id,
            revision=card.revision,
            cache_dir=settings.models_cache_dir,
            endpoint=settings.hf_endpoint,
            # False: without a token in the settings, none that lies around on this machine is sent.
            token=settings.hf_token.get_secret_value() if settings.hf_token else False,
            local_files_only=settings.hf_hub_offline,
            allow_patterns=list(names),
            ignore_patterns=ignored,
            tqdm_class=tqdm_class,
        )
        return Path(folder)

    with _explained(card, settings):
        folder = snapshot(DESCRIPTION, _IN_FOLDERS)
        try:
            _refuse_remote_code(card, folder)
            sizes = _files(card, folder, settings)
            needed = _needed(card, folder, sizes)
        except ModelLoadError:
            _forget(folder, settings)
            raise
        missing = sum(sizes[name] for name in needed if not (folder / name).exists())
        _refuse_if_disk_is_full(card, settings, missing)
        if progress:
            enable_progress_bars()
        told = current_listener()
        snapshot(map(escape, needed), tqdm_class=_bar_that_tells(told, missing) if told is not None else None)
        _verify(card, folder)
    return folder


def _bar_that_tells(told: Listener, total: int) -> type:
    """The class of a progress bar that draws nothing and tells how many of all bytes are here."""
    from tqdm.std import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # else each class of bars has a thread of its own, for ever

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "mininterval": 0.5})

        def display(self, *args: Any, **kwargs: Any) -> None:
            # The client has one more bar for the files, and one for bytes that come by another way.
            if self.unit == "B" and self.n:
                told(Progress(min(int(self.n), total), total, downloaded=True))

    return Bar


def _forget(folder: Path, settings: Settings) -> None:
    """Delete the descriptions of a revision that is refused, and so has no more than them."""
    from huggingface_hub import scan_cache_dir

    if not settings.hf_hub_offline:
        scan_cache_dir(settings.models_cache_dir).delete_revisions(folder.name).execute()


def _files(card: ModelCard, folder: Path, settings: Settings) -> dict[str, int]:
    """The repo's files and their sizes: from the listing kept with the download, else what is there."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        listed = get_cached_repo_tree(card.id, revision=folder.name, cache_dir=settings.models_cache_dir)
    except CachedRepoTreeNotFoundError:
        return {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    return {file.path: file.size for file in listed}


def _needed(card: ModelCard, folder: Path, sizes: Mapping[str, int]) -> list[str]:
    try:
        needed = needed_files(folder, sizes.keys(), tuple(card.sha256))
    except ValueError as error:
        raise ModelLoadError(f"The description of the model {card.id} is damaged: {said(error)}.") from error
    if needed is None and card.sha256:
        raise ModelLoadError(f"The model {card.id} has no file {' and '.join(card.sha256)} any more: choose another.")
    if needed is None:
        raise ModelLoadError(
            f"The model {card.id} has no weights in the safetensors format with their config.json, and weights in "
            "other formats are refused because they can run code when they are loaded: choose another model."
        )
    return needed


def _verify(card: ModelCard, folder: Path) -> None:
    """Check the hashes of the files that the card names."""
    for name, wanted in card.sha256.items():
        with (folder / name).open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
        if found != wanted:
            raise ModelLoadError(
                f"The file {name} of {card.id} is not the one that the catalog expects "
                f"(SHA-256 {found[:12]}… instead of {wanted[:12]}…): choose another model."
            )


def _refuse_remote_code(card: ModelCard, folder: Path) -> None:
    path = folder / CONFIG
    if not path.exists():
        return
    config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or "auto_map" not in config:
        return
    from transformers import CONFIG_MAPPING

    # Models that transformers has come to know may still name their old code, which is then not used.
    if config.get("model_type") not in CONFIG_MAPPING:
        raise remote_code_refused(card)


def remote_code_refused(card: ModelCard) -> ModelLoadError:
    """What is said of a model that cannot be loaded without running code of its repo."""
    return ModelLoadError(
        f"The model {card.id} wants code from its own repo to be run, which is never done: choose another model."
    )


def _refuse_if_disk_is_full(card: ModelCard, settings: Settings, wanted: int) -> None:
    disk = shutil.disk_usage(settings.models_cache_dir)
    if wanted > disk.free:
        detail = f"{wanted / 2**20:,.0f} MiB are needed and {disk.free / 2**20:,.0f} MiB free"
        raise _no_space(card, settings, detail, for_now=wanted <= disk.total)


def _no_space(card: ModelCard, settings: Settings, detail: str, *, for_now: bool = True) -> ModelLoadError:
    return (ModelDiskFullError if for_now else ModelLoadError)(
        f"There is no space for the model {card.id} in {settings.models_cache_dir} ({detail}): "
        "make room or set HUGGINGGPT_MODELS_CACHE to another disk."
    )


@contextmanager
def _explained(card: ModelCard, settings: Settings) -> Iterator[None]:
    """Turn what the Hub's client raises into sentences."""
    import httpx2
    from huggingface_hub import errors as hub

    where, model = settings.hf_endpoint, card.id
    try:
        yield
    except hub.GatedRepoError:
        raise ModelLoadError(
            f"The model {model} is gated: accept its terms at {where}/{model}, and set HF_TOKEN to a token "
            "of that account."
        ) from None
    except hub.RevisionNotFoundError:
        raise ModelLoadError(
            f"The model {model} has no revision {card.revision} at {where}: "
            "name one that it has, or none to take its latest."
        ) from None
    except hub.HFValidationError:
        raise ModelLoadError(f"'{model}' is no name of a model: names look like 'organisation/model'.") from None
    except hub.RepositoryNotFoundError:
        raise ModelLoadError(
            f"There is no model {model} at {where}, or it is private: check its name, or set HF_TOKEN."
        ) from None
    except hub.LocalEntryNotFoundError as error:
        if settings.hf_hub_offline or isinstance(error.__cause__, hub.OfflineModeIsEnabled):
            raise ModelLoadError(
                f"The model {model} is not in the cache in full and HF_HUB_OFFLINE forbids to download it: "
                "go online once, or choose an installed model."
            ) from error
        if isinstance(error.__cause__, hub.HfHubHTTPError):
            raise _for_status(error.__cause__.response.status_code, where, model) from error
        raise _out_of_reach(where, model) from error
    except hub.HfHubHTTPError as error:
        raise _for_status(error.response.status_code, where, model) from error
    except (httpx2.HTTPError, hub.OfflineModeIsEnabled) as error:
        raise _out_of_reach(where, model) from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise _no_space(card, settings, "the disk is full") from error
        raise ModelLoadError(
            f"The model {model} could not be stored in {settings.models_cache_dir}: {error.strerror or said(error)}"
        ) from error


def _out_of_reach(where: str, model: str) -> ExpertUnavailableError:
    return ExpertUnavailableError(f"The Hub at {where} cannot be reached to download {model}: try again later.")


def _for_status(status: int, where: str, model: str) -> Exception:
    if status == 429 or status >= 500:
        return ExpertUnavailableError(f"The Hub at {where} is busy (HTTP {status}): try again later.")
    if status in (401, 403):
        return ModelLoadError(f"The Hub at {where} does not let HF_TOKEN download {model}: use another token or model.")
    return ModelLoadError(f"The Hub at {where} refused to give out {model} (HTTP {status}): choose another model.")
