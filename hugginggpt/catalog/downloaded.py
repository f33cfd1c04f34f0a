"""The models that were downloaded: how big they are, when they were used, and which to let go."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hugginggpt.models.card import ModelCard


@dataclass(frozen=True)
class ModelUse:
    """How often a model was run, and when last."""

    runs: int
    last: datetime


@dataclass(frozen=True)
class DownloadedModel:
    """A model in the cache of weights, all its revisions together.

    Attributes:
        bytes: what it takes on the disk.
        downloaded: when the latest of its files was written.
        use: what the trace knows of its runs; None when it was never run.
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
    """The models in a cache of `huggingface_hub`, the one needed last first.

    Args:
        cache: the folder; one that does not exist is an empty one.
        uses: what is known of runs, by model id.
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
    """The uses, with those of the models that others work with: a vocoder is used whenever its voice is.

    Args:
        uses: what is known of runs, by model id.
        cards: the models that may have companions.
    """
    found = dict(uses)
    pairs = {(card.id, companion) for card in cards for companion in card.companions}
    for model, companion in sorted(pairs):
        if (use := uses.get(model)) is not None:
            known = found.get(companion, ModelUse(0, use.last))
            found[companion] = ModelUse(known.runs + use.runs, max(known.last, use.last))
    return found


def gigabytes(number: float) -> int:
    """So many gigabytes in bytes; no more than any disk has."""
    return int(min(number * 10**9, sys.maxsize))


def beyond(models: Sequence[DownloadedModel], keep: int) -> list[DownloadedModel]:
    """The models to let go so that the others take at most so many bytes: those needed longest ago.

    Args:
        models: the one needed last first.
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
    """Delete models from a cache, with all their revisions. One that is loaded stays loaded where it is."""
    from huggingface_hub import scan_cache_dir

    ids = {model.id for model in models}
    found = scan_cache_dir(cache)
    revisions = [r.commit_hash for repo in found.repos if repo.repo_id in ids for r in repo.revisions]
    found.delete_revisions(*revisions).execute()
