"""Deleting what nothing needs any more: traces, records of results, artifacts, weights.

1. What an unfinished request needs stays: its conversation, that conversation's artifacts, and its models.
2. Nothing goes that is younger than an hour, or younger than the earliest run that is working on a request now.
3. A conversation goes as a whole, `max_age_days` after its last request ended.
4. Artifacts stay as long as a trace refers to them; others go by age. If all artifacts together take more than
   `keep_artifacts_gb`, the oldest ones without a trace go first, then the oldest conversations with their artifacts.
5. A record goes by age, and before any artifact that it names.
6. An unfinished file, left by a write that was killed, goes once its last write is old enough by rule 2.
7. Weights go as with `hugginggpt models prune`: those unused for longest go, until the rest fits.
8. Everything is checked again right before it goes, so anything used in the meantime stays.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hugginggpt.artifacts import KEPT, Stored
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.disk import (
    DownloadedModel,
    bytes_of_gigabytes,
    downloaded_models,
    models_to_delete,
    remove_models,
    with_companions,
)
from hugginggpt.services import get_store, get_trace
from hugginggpt.settings import get_settings
from hugginggpt.trace.pruning import ConversationUse
from hugginggpt.upkeep.leftovers import Leftover, find_leftovers, remove_leftovers
from hugginggpt.upkeep.records import Record, read_records, remove_records

_AT_ONCE = 200
"""Artifacts that one query of the trace checks before they go."""

_OLDEST_DAYS = 365_000.0
"""Nothing is older; much earlier dates cannot be represented."""


class Sort(StrEnum):
    """What can be deleted, in the order of deletion."""

    REQUESTS = "requests"
    RECORDS = "records"
    ARTIFACTS = "artifacts"
    WEIGHTS = "weights"
    LEFTOVERS = "unfinished files"


@dataclass(frozen=True)
class Limits:
    """What may stay; None sets no limit.

    Attributes:
        max_age: of traces, records and artifacts.
        keep_weights: bytes of weights.
        keep_artifacts: bytes of artifacts.
    """

    max_age: timedelta | None = None
    keep_weights: int | None = None
    keep_artifacts: int | None = None

    @classmethod
    def of(cls, max_age_days: float | None, keep_weights_gb: float | None, keep_artifacts_gb: float | None) -> "Limits":
        """From days and gigabytes."""
        return cls(
            None if max_age_days is None else timedelta(days=min(max_age_days, _OLDEST_DAYS)),
            None if keep_weights_gb is None else bytes_of_gigabytes(keep_weights_gb),
            None if keep_artifacts_gb is None else bytes_of_gigabytes(keep_artifacts_gb),
        )


class Pruned(BaseModel):
    """How much of one sort went and how much stays; sizes are None for traces, whose size is unknown."""

    model_config = ConfigDict(frozen=True)

    sort: Sort
    gone: int
    gone_bytes: int | None
    stay: int
    stay_bytes: int | None


@dataclass(frozen=True)
class Prunable:
    """Everything that exists, and the old part of it that is to go."""

    conversations: Sequence[ConversationUse]
    records: Sequence[Record]
    artifacts: Sequence[Stored]
    models: Sequence[DownloadedModel]
    old_conversations: Sequence[ConversationUse]
    old_records: Sequence[Record]
    old_artifacts: Sequence[Stored]
    old_models: Sequence[DownloadedModel]
    leftovers: Sequence[Leftover]
    old_leftovers: Sequence[Leftover]

    def tally(self, sort: Sort) -> Pruned:
        """How much of a sort is to go."""
        match sort:
            case Sort.REQUESTS:
                gone = sum(one.requests for one in self.old_conversations)
                return _pruned(sort, gone, None, sum(one.requests for one in self.conversations), None)
            case Sort.RECORDS:
                return _counted(sort, self.old_records, self.records)
            case Sort.ARTIFACTS:
                return _counted(sort, self.old_artifacts, self.artifacts)
            case Sort.WEIGHTS:
                return _counted(sort, self.old_models, self.models)
            case Sort.LEFTOVERS:
                return _counted(sort, self.old_leftovers, self.leftovers)


def find_prunable(limits: Limits, results: Path) -> Prunable:
    """Find what may go; delete nothing.

    Args:
        limits: what may stay.
        results: the folder where Prefect keeps its records.

    Raises:
        DatabaseUnavailableError: the trace cannot be reached.
        StorageError: the artifact store cannot be read.
    """
    pruning, now = get_trace().pruning, datetime.now(UTC)
    young = min(now - KEPT, pruning.at_work_since() or now)
    cutoff = None if limits.max_age is None else min(now - limits.max_age, young)
    # The store first: an artifact that comes later is young, or the conversations that are read next refer to it.
    artifacts = list(get_store().stored())
    conversations = pruning.conversations()
    old_conversations, old_artifacts = choose(conversations, artifacts, limits.keep_artifacts, cutoff, young)
    records = list(read_records(results))
    going = {artifact.sha256 for artifact in old_artifacts}
    models = models_on_disk()
    leftovers = find_leftovers(get_settings(), get_store(), results)
    return Prunable(
        conversations,
        records,
        artifacts,
        models,
        old_conversations,
        [one for one in records if one.sha256s & going or (cutoff is not None and one.at < cutoff)],
        old_artifacts,
        _old_models(models, limits.keep_weights, young),
        leftovers,
        [one for one in leftovers if one.at < young],
    )


def choose(
    conversations: Sequence[ConversationUse],
    artifacts: Sequence[Stored],
    keep: int | None,
    cutoff: datetime | None,
    young: datetime,
) -> tuple[list[ConversationUse], list[Stored]]:
    """The conversations and the artifacts that are to go.

    Args:
        conversations: all of them, the latest to end first.
        artifacts: everything in the store.
        keep: bytes of artifacts that may stay.
        cutoff: anything older may go.
        young: anything younger always stays.
    """
    sizes: Counter[str] = Counter()
    for artifact in artifacts:
        sizes[artifact.sha256] += artifact.bytes
    needed = [one for one in conversations if one.goes_on or one.last >= young]
    held = {sha256 for one in needed for sha256 in one.sha256s} | {one.sha256 for one in artifacts if one.at >= young}
    room = _Room(sizes, held, keep)
    old = []
    for one in conversations:
        if not (one.goes_on or one.last >= young) and ((cutoff and one.last < cutoff) or not room.takes(one.sha256s)):
            old.append(one)
    loose = sorted((one for one in artifacts if one.sha256 not in held), key=lambda one: one.at, reverse=True)
    gone = [one for one in loose if (cutoff and one.at < cutoff) or not room.takes({one.sha256})]
    return old, gone


class _Room:
    """The room for the artifacts that stay. Once something does not fit, nothing older fits."""

    def __init__(self, sizes: Mapping[str, int], held: set[str], keep: int | None) -> None:
        self._sizes, self._held = sizes, held
        self._left = None if keep is None else keep - self._size(held)

    def takes(self, sha256s: frozenset[str] | set[str]) -> bool:
        size = self._size(sha256s - self._held)
        if self._left is not None and size:
            if size > self._left:
                self._left = 0
                return False
            self._left -= size
        self._held |= sha256s
        return True

    def _size(self, sha256s: frozenset[str] | set[str]) -> int:
        return sum(self._sizes.get(sha256, 0) for sha256 in sha256s)


def models_on_disk() -> list[DownloadedModel]:
    """The downloaded models, the most recently needed first."""
    cards = [card for cards in bundled_cards().values() for card in cards]
    uses = with_companions(get_trace().models.uses(), cards)
    return downloaded_models(get_settings().models_cache_dir, uses)


def _old_models(models: Sequence[DownloadedModel], keep: int | None, young: datetime) -> list[DownloadedModel]:
    if keep is None:
        return []
    at_work = _models_at_work()
    stays = {one.id for one in models if one.id in at_work or one.last_needed >= young}
    first = sorted(models, key=lambda one: one.id not in stays)  # the others keep their order
    return [one for one in models_to_delete(first, keep) if one.id not in stays]


def _models_at_work() -> set[str]:
    at_work = get_trace().pruning.models_at_work()
    cards = [card for cards in bundled_cards().values() for card in cards if card.id in at_work]
    return at_work | {companion for card in cards for companion in card.companions}


def _remove_models(models: Sequence[DownloadedModel]) -> list[DownloadedModel]:
    if not models:
        return []
    # In this order, the second query sees a run that ends between the two.
    at_work = _models_at_work()
    needed = {one.id: one.last_needed for one in models_on_disk()}
    gone = [one for one in models if one.id not in at_work and needed.get(one.id) == one.last_needed]
    remove_models(get_settings().models_cache_dir, gone)
    return gone


def prune(prunable: Prunable, sort: Sort) -> Pruned:
    """Delete what is to go of one sort. Call this for the sorts in their order.

    Raises:
        DatabaseUnavailableError: the trace cannot be written.
        StorageError: the artifact store cannot be written.
    """
    found = prunable.tally(sort)
    match sort:
        case Sort.REQUESTS:
            gone = get_trace().pruning.forget(prunable.old_conversations)
            get_trace().pruning.forget_artifacts()
            return _pruned(sort, gone, None, found.gone + found.stay, None)
        case Sort.RECORDS:
            return _counted(sort, remove_records(prunable.old_records), prunable.records)
        case Sort.ARTIFACTS:
            return _counted(sort, _remove_artifacts(prunable.old_artifacts), prunable.artifacts)
        case Sort.WEIGHTS:
            return _counted(sort, _remove_models(prunable.old_models), prunable.models)
        case Sort.LEFTOVERS:
            return _counted(sort, remove_leftovers(prunable.old_leftovers), prunable.leftovers)


def _remove_artifacts(artifacts: Sequence[Stored]) -> list[Stored]:
    store, pruning = get_store(), get_trace().pruning
    gone = []
    for start in range(0, len(artifacts), _AT_ONCE):
        batch = artifacts[start : start + _AT_ONCE]
        needed = pruning.referred_to([one.sha256 for one in batch])
        gone += [one for one in batch if one.sha256 not in needed and store.remove(one)]
    return gone


def _counted(
    sort: Sort,
    gone: Sequence[Record | Stored | DownloadedModel | Leftover],
    found: Sequence[Record | Stored | DownloadedModel | Leftover],
) -> Pruned:
    return _pruned(sort, len(gone), sum(one.bytes for one in gone), len(found), sum(one.bytes for one in found))


def _pruned(sort: Sort, gone: int, gone_bytes: int | None, found: int, found_bytes: int | None) -> Pruned:
    left = None if found_bytes is None or gone_bytes is None else found_bytes - gone_bytes
    return Pruned(sort=sort, gone=gone, gone_bytes=gone_bytes, stay=found - gone, stay_bytes=left)
