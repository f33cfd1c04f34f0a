"""The models on this machine: which are complete, which kinds they were fetched for, and when they were used."""

import logging
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.models.files import needed_files

logger = logging.getLogger(__name__)

_CARDS = "cards"
COMMIT = re.compile(r"[0-9a-f]{40}")


def installed_commit(model: str, cache: Path, revision: str | None = None, exactly: Collection[str] = ()) -> str | None:
    """The commit at which a model is installed: the preferred one, else that of `main`, else the latest.

    A model that cannot be read counts as not installed.

    Args:
        model: its id on the Hub.
        cache: the folder that `huggingface_hub` downloads to.
        revision: the preferred commit.
        exactly: the files of the weights, if the model's card names them.
    """
    folder = _folder(model, cache)
    wanted = (revision, _main(folder))
    snapshots = [folder / "snapshots" / w for w in wanted if w and COMMIT.fullmatch(w)]
    return next((s.name for s in (*snapshots, *_latest(folder / "snapshots")) if _is_complete(s, exactly)), None)


def _folder(model: str, cache: Path) -> Path:
    return cache / f"models--{model.replace('/', '--')}"


def _main(folder: Path) -> str | None:
    try:
        return (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None


def _latest(snapshots: Path) -> list[Path]:
    try:
        return sorted(snapshots.iterdir(), key=lambda s: (s.stat().st_mtime, s.name), reverse=True)
    except OSError:
        return []


def _is_complete(snapshot: Path, exactly: Collection[str]) -> bool:
    """Whether every file that the model is loaded from exists. A link to a missing blob is not a file."""
    try:
        names = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()}
        needed = needed_files(snapshot, names, exactly) if names else None
    except (OSError, ValueError, RecursionError):
        return False
    return needed is not None and all(name in names for name in needed)


def keep_card(card: ModelCard, cache: Path) -> None:
    """Record that a model in the cache of weights was fetched for the kind of its card, at any revision."""
    folder = _folder(card.id, cache) / _CARDS
    folder.mkdir(exist_ok=True)
    kept = card.model_copy(update={"revision": None, "runs_on": (Endpoint.LOCAL,)})
    (folder / f"{card.kind}.json").write_text(kept.model_dump_json(), encoding="utf-8")


def fetched_cards(kind: str, cache: Path) -> list[ModelCard]:
    """The cards recorded for a kind, by id, without those that cannot be read."""
    cards = []
    for path in sorted(cache.glob(f"models--*/{_CARDS}/{kind}.json")):
        try:
            cards.append(ModelCard.model_validate_json(path.read_bytes()))
        except (OSError, ValueError) as error:
            logger.warning("The card %s cannot be read: %s", path, type(error).__name__)
    return cards


@dataclass(frozen=True)
class ModelUse:
    """How often a model was run, and when it last ran."""

    runs: int
    last: datetime


@dataclass(frozen=True)
class DownloadedModel:
    """A model in the cache of weights, with all its revisions.

    Attributes:
        bytes: its size on the disk.
        downloaded: when the latest of its files was written.
        use: its runs according to the trace; None if it never ran.
    """

    id: str
    bytes: int
    downloaded: datetime
    use: ModelUse | None

    @property
    def last_needed(self) -> datetime:
        """When it was last run or downloaded."""
        return max(self.downloaded, self.use.last) if self.use else self.downloaded


def downloaded_models(cache: Path, uses: Mapping[str, ModelUse]) -> list[DownloadedModel]:
    """The models in a cache of `huggingface_hub`, the most recently needed first.

    Args:
        cache: the folder; it may not exist yet.
        uses: the known runs, by model id.
    """
    from huggingface_hub import scan_cache_dir

    if not cache.is_dir():
        return []
    models = [
        DownloadedModel(
            id=repo.repo_id,
            bytes=repo.size_on_disk,
            downloaded=datetime.fromtimestamp(repo.last_modified, UTC),
            use=uses.get(repo.repo_id),
        )
        for repo in scan_cache_dir(cache).repos
        if repo.repo_type == "model"
    ]
    return sorted(models, key=lambda model: (model.last_needed, model.id), reverse=True)


def with_companions(uses: Mapping[str, ModelUse], cards: Iterable[ModelCard]) -> dict[str, ModelUse]:
    """The uses, including those of companions: a vocoder is used whenever its voice is.

    Args:
        uses: the known runs, by model id.
        cards: the models that may have companions.
    """
    found = dict(uses)
    pairs = {(card.id, companion) for card in cards for companion in card.companions}
    for model, companion in sorted(pairs):
        if (use := uses.get(model)) is not None:
            known = found.get(companion, ModelUse(0, use.last))
            found[companion] = ModelUse(known.runs + use.runs, max(known.last, use.last))
    return found


def bytes_of_gigabytes(number: float) -> int:
    """Gigabytes in bytes, capped at what any disk may have."""
    return int(min(number * 10**9, sys.maxsize))


def models_to_delete(models: Sequence[DownloadedModel], keep: int) -> list[DownloadedModel]:
    """The models to delete, least recently needed first, so that the others fit into this many bytes.

    Args:
        models: the most recently needed first.
        keep: bytes that may stay.
    """
    kept = 0
    gone: list[DownloadedModel] = []
    for model in models:
        if kept + model.bytes <= keep and not gone:
            kept += model.bytes
        else:
            gone.append(model)
    return gone


def remove_models(cache: Path, models: Sequence[DownloadedModel]) -> None:
    """Delete models from a cache, with all their revisions. A model that is loaded stays loaded."""
    from huggingface_hub import scan_cache_dir

    ids = {model.id for model in models}
    found = scan_cache_dir(cache)
    revisions = [r.commit_hash for repo in found.repos if repo.repo_id in ids for r in repo.revisions]
    found.delete_revisions(*revisions).execute()
