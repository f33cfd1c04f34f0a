"""What can be deleted from the trace.

A conversation is deleted as a whole, with all its requests, because a later turn knows the earlier ones. It stays as
long as one of its requests has not ended, whether or not a process works on it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select
from sqlalchemy.orm import aliased

from hugginggpt.models.card import Endpoint
from hugginggpt.results import RequestStatus
from hugginggpt.trace.database import Database
from hugginggpt.trace.tables import (
    ArtifactRow,
    ConversationRow,
    FlowRunRow,
    ModelSelectionRow,
    RequestResourceRow,
    RequestRow,
    TaskOutputRow,
)

_FINISHED = (RequestStatus.COMPLETED, RequestStatus.PARTIAL, RequestStatus.FAILED, RequestStatus.CANCELLED)
"""The statuses of a request that has ended. With any other status, a process works on it or may still do so."""

_BATCH = 500
"""Most ids in one query: SQLite accepts no more than a few thousand values."""

T = TypeVar("T")


@dataclass(frozen=True)
class ConversationUse:
    """A conversation and its artifacts.

    Attributes:
        last: when its last request ended, or when it began if it has no requests.
        goes_on: one of its requests has not ended.
        sha256s: the artifacts that its requests refer to.
    """

    id: str
    requests: int
    last: datetime
    goes_on: bool
    sha256s: frozenset[str]


class Pruning:
    """Deletes parts of the trace. Raises the errors of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def at_work_since(self) -> datetime | None:
        """When the earliest process that works on a request now began to; None if there is none."""
        at_work = (
            select(func.min(FlowRunRow.started_at))
            .join(RequestRow, RequestRow.id == FlowRunRow.request_id)
            .where(FlowRunRow.ended_at.is_(None), RequestRow.status.not_in(_FINISHED))
        )
        with self._database.reading() as session:
            return session.scalar(at_work.where(RequestRow.lease_until > self._database.now(session)))

    def conversations(self) -> list[ConversationUse]:
        """Every conversation, the latest to end first."""
        refers: dict[str, set[str]] = {}
        with self._database.reading() as session:
            rows = session.execute(_endings()).all()
            for table in (RequestResourceRow, TaskOutputRow):
                pairs = session.execute(
                    select(RequestRow.conversation_id, ArtifactRow.sha256)
                    .join(table, table.request_id == RequestRow.id)
                    .join(ArtifactRow, ArtifactRow.id == table.artifact_id)
                    .distinct()
                )
                for conversation_id, sha256 in pairs:
                    refers.setdefault(conversation_id, set()).add(sha256)
        return [
            ConversationUse(id_, requests, last, bool(goes_on), frozenset(refers.get(id_, ())))
            for id_, requests, last, goes_on in rows
        ]

    def referred_to(self, sha256s: Collection[str]) -> set[str]:
        """The artifacts, of those given, that a request refers to."""
        referred_to = select(ArtifactRow.sha256).where(_is_referred_to())
        with self._database.reading() as session:
            return {
                sha256
                for batch in _batches(sha256s)
                for sha256 in session.scalars(referred_to.where(ArtifactRow.sha256.in_(batch)))
            }

    def models_at_work(self) -> set[str]:
        """The ids of the local models that unfinished requests have chosen, fallbacks included."""
        chosen = select(ModelSelectionRow.ranked).join(RequestRow, RequestRow.id == ModelSelectionRow.request_id)
        with self._database.reading() as session:
            return {
                candidate["card"]["id"]
                for ranked in session.scalars(chosen.where(RequestRow.status.not_in(_FINISHED)))
                for candidate in ranked
                if candidate["endpoint"] == Endpoint.LOCAL
            }

    def forget(self, conversations: Sequence[ConversationUse]) -> int:
        """Delete conversations with everything that belongs to them; return how many requests that were.

        A conversation that has an unfinished request stays, and so does one that has changed since it was read.
        """
        gone: set[str] = set()
        for batch in _batches(conversations):
            read = {conversation.id: conversation.last for conversation in batch}
            with self._database.writing() as session:
                # No request can be added to a locked one; the next statement sees those that were added before.
                held = session.scalars(
                    select(ConversationRow.id).where(ConversationRow.id.in_(read)).with_for_update(skip_locked=True)
                ).all()
                endings = session.execute(_endings().where(ConversationRow.id.in_(held)))
                over = {id_ for id_, _, last, goes_on in endings if not goes_on and last == read[id_]}
                session.execute(delete(ConversationRow).where(ConversationRow.id.in_(over)))
            gone |= over
        return sum(one.requests for one in conversations if one.id in gone)

    def forget_artifacts(self) -> int:
        """Delete the rows of artifacts that no request refers to; return how many."""
        unused = select(ArtifactRow.id).where(~_is_referred_to()).with_for_update(skip_locked=True)
        still_unused = delete(ArtifactRow).where(~_is_referred_to()).returning(ArtifactRow.id)
        with self._database.writing() as session:
            return sum(
                len(session.scalars(still_unused.where(ArtifactRow.id.in_(batch))).all())
                for batch in _batches(session.scalars(unused).all())
            )


def _endings() -> Select[tuple[str, int, datetime, bool]]:
    """For each conversation: its id, how many requests it has, when the last one ended, and whether one has not."""
    ended = func.coalesce(
        func.max(func.coalesce(RequestRow.finished_at, RequestRow.created_at)), ConversationRow.created_at
    )
    unfinished = aliased(RequestRow)
    goes_on = exists().where(unfinished.conversation_id == ConversationRow.id, unfinished.status.not_in(_FINISHED))
    return (
        select(ConversationRow.id, func.count(RequestRow.id), ended, goes_on)
        .outerjoin(RequestRow, RequestRow.conversation_id == ConversationRow.id)
        .group_by(ConversationRow.id, ConversationRow.created_at)
        .order_by(ended.desc(), ConversationRow.id)
    )


def _is_referred_to() -> ColumnElement[bool]:
    return or_(
        exists().where(RequestResourceRow.artifact_id == ArtifactRow.id),
        exists().where(TaskOutputRow.artifact_id == ArtifactRow.id),
    )


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    left = iter(values)
    while batch := list(islice(left, _BATCH)):
        yield batch
