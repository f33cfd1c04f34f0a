"""Downloads the files of a model that loading needs, and none that could run code."""

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
    """Download a model's files at the revision of its card, unless they are in the cache; return their folder.

    Args:
        card: the model.
        settings: where the Hub and the cache are.
        progress: draw progress bars instead of reporting to `hugginggpt.progress`.

    Raises:
        ModelLoadError: it does not exist, is gated, has no safetensors, needs its own code to run, or is larger than
            the disk; or it is not in the cache and HF_HUB_OFFLINE is set.
        ModelDiskFullError: the disk has too little space now.
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
            # False: without a token in the settings, no other token on this machine is sent.
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
    """A progress bar class that draws nothing and reports how many bytes have arrived."""
    from tqdm.std import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # otherwise each class starts a monitor thread that never ends

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "mininterval": 0.5})

        def display(self, *args: Any, **kwargs: Any) -> None:
            # The client has another bar for files, and one for bytes that arrive another way.
            if self.unit == "B" and self.n:
                told(Progress(min(int(self.n), total), total, downloaded=True))

    return Bar


def _forget(folder: Path, settings: Settings) -> None:
    """Delete the description files of a revision that was refused before its weights were downloaded."""
    from huggingface_hub import scan_cache_dir

    if not settings.hf_hub_offline:
        scan_cache_dir(settings.models_cache_dir).delete_revisions(folder.name).execute()


def _files(card: ModelCard, folder: Path, settings: Settings) -> dict[str, int]:
    """The files of the repository and their sizes, from the cached listing, else from the folder."""
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
        raise ModelLoadError(f"The model {card.id} no longer has the file {' and '.join(card.sha256)}: choose another.")
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
                f"The file {name} of {card.id} does not have the hash that the catalog expects "
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

    # Models that transformers supports by now may still name their old code, which is not used.
    if config.get("model_type") not in CONFIG_MAPPING:
        raise remote_code_refused(card)


def remote_code_refused(card: ModelCard) -> ModelLoadError:
    """The error for a model that cannot be loaded without running code from its repository."""
    return ModelLoadError(
        f"The model {card.id} needs code from its own repository, which is never run here: choose another model."
    )


def _refuse_if_disk_is_full(card: ModelCard, settings: Settings, wanted: int) -> None:
    disk = shutil.disk_usage(settings.models_cache_dir)
    if wanted > disk.free:
        detail = f"it needs {wanted / 2**20:,.0f} MiB, and {disk.free / 2**20:,.0f} MiB are free"
        raise _no_space(card, settings, detail, for_now=wanted <= disk.total)


def _no_space(card: ModelCard, settings: Settings, detail: str, *, for_now: bool = True) -> ModelLoadError:
    return (ModelDiskFullError if for_now else ModelLoadError)(
        f"There is no space for the model {card.id} in {settings.models_cache_dir} ({detail}): "
        "free some space, or set HUGGINGGPT_MODELS_CACHE to a folder on another disk."
    )


@contextmanager
def _explained(card: ModelCard, settings: Settings) -> Iterator[None]:
    """Turn exceptions of the Hub's client into errors for users."""
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
            "give one that exists, or none for the latest."
        ) from None
    except hub.HFValidationError:
        raise ModelLoadError(f"'{model}' is not the name of a model: names look like 'organisation/model'.") from None
    except hub.RepositoryNotFoundError:
        raise ModelLoadError(
            f"There is no model {model} at {where}, or it is private: check its name, or set HF_TOKEN."
        ) from None
    except hub.LocalEntryNotFoundError as error:
        if settings.hf_hub_offline or isinstance(error.__cause__, hub.OfflineModeIsEnabled):
            raise ModelLoadError(
                f"The model {model} is not fully downloaded, and HF_HUB_OFFLINE forbids downloading it: "
                "unset HF_HUB_OFFLINE, or choose an installed model."
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
        return ModelLoadError(
            f"The Hub at {where} refused HF_TOKEN for {model}: set another token, or choose another model."
        )
    return ModelLoadError(f"The Hub at {where} refused to serve {model} (HTTP {status}): choose another model.")
