"""What the trace can let go, and what it needs. Functions on an open session; `Pruning` gives them one.

A conversation goes as a whole, with all its requests: a later turn knows the earlier ones. It stays
while one of its requests is not finished, whoever works on it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from hugginggpt.models.card import Endpoint
from hugginggpt.trace.database import Database
from hugginggpt.trace.tables import (
    Conversation,
    FlowRun,
    ModelSelection,
    Request,
    RequestResource,
    StoredArtifact,
    TaskOutput,
)

FINISHED = ("completed", "partial", "failed", "cancelled")
"""How a request can have ended. Whatever else it is, somebody works on it or may yet do."""

_BATCH = 500
"""Ids in one query, at most: SQLite takes no more than some thousands of values."""

T = TypeVar("T")


@dataclass(frozen=True)
class ConversationUse:
    """A conversation, and what it holds.

    Attributes:
        last: when its last request ended; for one without requests, when it began.
        goes_on: a request of it is not finished.
        sha256s: the artifacts that its requests refer to.
    """

    id: str
    requests: int
    last: datetime
    goes_on: bool
    sha256s: frozenset[str]


class Pruning:
    """Letting parts of the trace go. Errors as those of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def at_work_since(self) -> datetime | None:
        """When the earliest of the processes began that work on a request now; None when none does."""
        with self._database.reading() as session:
            return session.scalar(_at_work_since(self._database.now(session)))

    def conversations(self) -> list[ConversationUse]:
        """Every conversation, the one that ended last first."""
        with self._database.reading() as session:
            return conversations_of(session)

    def referred_to(self, sha256s: Collection[str]) -> set[str]:
        """Those of some artifacts that a request refers to."""
        with self._database.reading() as session:
            return {
                sha256
                for batch in _batches(sha256s)
                for sha256 in session.scalars(
                    select(StoredArtifact.sha256).where(StoredArtifact.sha256.in_(batch), _is_referred_to())
                )
            }

    def models_at_work(self) -> set[str]:
        """The ids of the local models that unfinished requests have chosen, fallbacks included."""
        with self._database.reading() as session:
            return models_at_work(session)

    def forget(self, conversations: Sequence[ConversationUse]) -> int:
        """Delete conversations with all that hangs on them; return how many requests.

        One that goes on stays, and one that did since it was read.
        """
        gone: set[str] = set()
        for batch in _batches(conversations):
            with self._database.writing() as session:
                gone |= forget(session, batch)
        return sum(one.requests for one in conversations if one.id in gone)

    def forget_artifacts(self) -> int:
        """Delete the rows of artifacts that no request refers to; return how many."""
        with self._database.writing() as session:
            return forget_artifacts(session)


def _at_work_since(now: datetime) -> Select[tuple[datetime]]:
    return (
        select(func.min(FlowRun.started_at))
        .join(Request, Request.id == FlowRun.request_id)
        .where(FlowRun.ended_at.is_(None), Request.status.not_in(FINISHED), Request.lease_until > now)
    )


def conversations_of(session: Session) -> list[ConversationUse]:
    """See `Pruning`."""
    rows = session.execute(_endings()).all()
    refers: dict[str, set[str]] = {}
    for table in (RequestResource, TaskOutput):
        pairs = session.execute(
            select(Request.conversation_id, StoredArtifact.sha256)
            .join(table, table.request_id == Request.id)
            .join(StoredArtifact, StoredArtifact.id == table.artifact_id)
            .distinct()
        )
        for conversation_id, sha256 in pairs:
            refers.setdefault(conversation_id, set()).add(sha256)
    return [
        ConversationUse(id_, requests, last, bool(goes_on), frozenset(refers.get(id_, ())))
        for id_, requests, last, goes_on in rows
    ]


def _endings() -> Select[tuple[str, int, datetime, bool]]:
    """Of each conversation its id, how many requests it has, when the last one ended, and whether it goes on."""
    ended = func.coalesce(func.max(func.coalesce(Request.finished_at, Request.created_at)), Conversation.created_at)
    return (
        select(Conversation.id, func.count(Request.id), ended, _goes_on())
        .outerjoin(Request, Request.conversation_id == Conversation.id)
        .group_by(Conversation.id, Conversation.created_at)
        .order_by(ended.desc(), Conversation.id)
    )


def models_at_work(session: Session) -> set[str]:
    """See `Pruning`."""
    chosen = select(ModelSelection.ranked).join(Request, Request.id == ModelSelection.request_id)
    return {
        candidate["card"]["id"]
        for ranked in session.scalars(chosen.where(Request.status.not_in(FINISHED)))
        for candidate in ranked
        if candidate["endpoint"] == Endpoint.LOCAL
    }


def forget(session: Session, conversations: Sequence[ConversationUse]) -> set[str]:
    """Delete those of some conversations that do not go on, nor did since they were read; return their ids."""
    read = {conversation.id: conversation.last for conversation in conversations}
    # While they are locked no request can be added. What was added before is seen by the next statement only.
    held = session.scalars(
        select(Conversation.id).where(Conversation.id.in_(read)).with_for_update(skip_locked=True)
    ).all()
    endings = session.execute(_endings().where(Conversation.id.in_(held)))
    over = {id_ for id_, _, last, goes_on in endings if not goes_on and last == read[id_]}
    session.execute(delete(Conversation).where(Conversation.id.in_(over)))
    return over


def forget_artifacts(session: Session) -> int:
    """See `Pruning`."""
    unused = session.scalars(select(StoredArtifact.id).where(~_is_referred_to()).with_for_update(skip_locked=True))
    return sum(
        len(
            session.scalars(
                delete(StoredArtifact)
                .where(StoredArtifact.id.in_(batch), ~_is_referred_to())
                .returning(StoredArtifact.id)
            ).all()
        )
        for batch in _batches(unused.all())
    )


def _goes_on() -> ColumnElement[bool]:
    unfinished = aliased(Request)
    return exists().where(unfinished.conversation_id == Conversation.id, unfinished.status.not_in(FINISHED))


def _is_referred_to() -> ColumnElement[bool]:
    return or_(
        exists().where(RequestResource.artifact_id == StoredArtifact.id),
        exists().where(TaskOutput.artifact_id == StoredArtifact.id),
    )


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    left = iter(values)
    while batch := list(islice(left, _BATCH)):
        yield batch
