"""Find and add single rows: functions on an open session that all parts of the trace use."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hugginggpt.artifacts import Artifact
from hugginggpt.errors import RequestClosedError, TraceError
from hugginggpt.holder import is_dead
from hugginggpt.resource import Resource
from hugginggpt.results import RequestStatus, TaskResult, TaskStatus
from hugginggpt.text import is_storable, one_line
from hugginggpt.trace.columns import Base
from hugginggpt.trace.tables import (
    ArtifactRow,
    ConversationRow,
    ExpertRunRow,
    PlannedTaskRow,
    RequestResourceRow,
    RequestRow,
    TaskOutputRow,
)

OPEN = (RequestStatus.QUEUED, RequestStatus.RUNNING)
"""The statuses of a request that has not ended."""

SHOWN_ID = 80
"""Messages show at most this many characters of an id, because a user can pass any text as one."""

REQUESTS, TASKS, OUTPUTS, ATTEMPTS, ARTIFACTS = (
    cast(Table, row.__table__) for row in (RequestRow, PlannedTaskRow, TaskOutputRow, ExpertRunRow, ArtifactRow)
)
"""For what is recorded while experts run: the same with objects takes several times as long."""

MOST_ROWS = 2**63 - 1
"""The largest row limit that both databases accept."""


def insert_for(session: Session, table: type[Base] | Table) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that supports ON CONFLICT, in the dialect of the session."""
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)


def no_such(what: str, id_: str, remedy: str = "`hugginggpt trace list` shows those there are") -> TraceError:
    """The error for an id that is not in the trace."""
    return TraceError(f"There is no {what} '{one_line(id_, SHOWN_ID)}' in the trace: {remedy}.")


def find_id(
    session: Session, table: type[RequestRow] | type[ConversationRow], prefix: str, key: str | None = None
) -> str:
    """The one request or conversation whose id is, or begins with, the given text.

    Args:
        session: an open session.
        table: where to look.
        prefix: the text.
        key: only requests, and conversations with requests, that were made with the key of this name.

    Raises:
        TraceError: there is none, or more than one.
    """
    what = "request" if table is RequestRow else "conversation"
    if not is_storable(prefix):
        raise no_such(what, prefix, "an id consists of letters and digits")
    ids = select(table.id)
    if key is not None:
        made = RequestRow.id if table is RequestRow else RequestRow.conversation_id
        ids = ids.where(table.id.in_(select(made).where(RequestRow.key_name == key)))
    if session.scalar(ids.where(table.id == prefix)) is not None:
        return prefix
    begins = table.id.startswith(prefix, autoescape=True)
    found = session.scalars(ids.where(begins).order_by(table.id).limit(4)).all() if prefix else []
    if not found:
        raise no_such(what, prefix)
    if len(found) > 1:
        some = ", ".join([*found[:3], "..."] if len(found) > 3 else found)
        raise TraceError(f"Several {what}s begin with '{one_line(prefix, SHOWN_ID)}' ({some}): give more of the id.")
    return found[0]


def locked(session: Session, request_id: str) -> RequestRow | None:
    """The request, locked until this transaction ends; None if no request has that id."""
    return session.get(RequestRow, request_id, with_for_update=True)


def locked_known(session: Session, request_id: str) -> RequestRow:
    """The request, locked until this transaction ends.

    Raises:
        TraceError: it is unknown.
    """
    request = locked(session, request_id)
    if request is None:
        raise no_such("request", request_id)
    return request


def open_row(session: Session, request_id: str, life: int) -> RequestRow:
    """The request, locked until this transaction ends, if this life may still write.

    Raises:
        TraceError: it is unknown.
        RequestClosedError: it is finished, or was taken over by another process.
    """
    request = locked_known(session, request_id)
    _check_open(request_id, life, request.status, request.life)
    return request


_LOCKED = select(REQUESTS.c.status, REQUESTS.c.life).where(REQUESTS.c.id == bindparam("request")).with_for_update()


def lock_open(session: Session, request_id: str, life: int) -> None:
    """Lock the request as `open_row` does, without reading the rest of it."""
    found = session.connection().execute(_LOCKED, {"request": request_id}).one_or_none()
    if found is None:
        raise no_such("request", request_id)
    _check_open(request_id, life, found.status, found.life)


def _check_open(request_id: str, life: int, status: str, current: int) -> None:
    if status != RequestStatus.RUNNING:
        raise RequestClosedError(f"Request {request_id} is finished ({status}): its trace no longer changes.")
    if life != current:
        raise RequestClosedError(f"Request {request_id} was taken over by another process, so this one stops.")


def died(request: RequestRow, now: datetime) -> bool:
    """Whether a request has not ended although no process works on it any more."""
    if request.status != RequestStatus.RUNNING:
        return False
    lease_over = request.lease_until is None or request.lease_until <= now
    return lease_over or request.holder is None or is_dead(request.holder)


def no_task(request_id: str, task_id: int) -> TraceError:
    """The error for a task that is not in the plan of a request."""
    return TraceError(f"The plan of request {request_id} has no task {task_id}.")


ArtifactKey = tuple[str, str, str]


def artifact_key(artifact: Artifact) -> ArtifactKey:
    """What identifies the row of an artifact: its bytes, and the type and media type that they are read as."""
    return artifact.sha256, str(artifact.type), artifact.mime


def artifact_ids(session: Session, artifacts: Iterable[Artifact], now: datetime) -> dict[ArtifactKey, int]:
    """The row ids of artifacts by their `artifact_key`, adding the rows that are new."""
    # Sorted, so two writers lock the same rows in the same order.
    rows = {artifact_key(artifact): artifact for artifact in artifacts}
    if not rows:
        return {}
    found = session.connection().execute(
        # The update changes nothing, but locks the row, so it is not pruned before something refers to it.
        insert_for(session, ARTIFACTS)
        .on_conflict_do_update(
            index_elements=[ARTIFACTS.c.sha256, ARTIFACTS.c.type, ARTIFACTS.c.mime], set_={"bytes": ARTIFACTS.c.bytes}
        )
        .returning(ARTIFACTS.c.id, ARTIFACTS.c.sha256, ARTIFACTS.c.type, ARTIFACTS.c.mime),
        [
            {
                "sha256": key[0],
                "type": key[1],
                "mime": key[2],
                "bytes": rows[key].bytes,
                "preview": rows[key].preview,
                "created_at": now,
            }
            for key in sorted(rows)
        ],
    )
    return {(sha256, type_, mime): id_ for id_, sha256, type_, mime in found}


def add_resources(session: Session, request_id: str, resources: Sequence[Resource], now: datetime) -> None:
    """Link the resources that are not linked yet, by name."""
    linked = set(session.scalars(select(RequestResourceRow.name).where(RequestResourceRow.request_id == request_id)))
    new = {resource.name: resource for resource in resources if resource.name not in linked}
    ids = artifact_ids(session, [resource.artifact for resource in new.values()], now)
    for position, resource in enumerate(new.values(), start=len(linked)):
        session.add(
            RequestResourceRow(
                request_id=request_id,
                position=position,
                name=resource.name,
                source=resource.source,
                notes=None if resource.earlier else list(resource.notes) or None,
                artifact_id=ids[artifact_key(resource.artifact)],
                parts=None if resource.parts is None else resource.parts.model_dump(),
            )
        )
    session.flush()


@dataclass(frozen=True)
class RecordedTask:
    """What the trace holds of a task before something more is recorded.

    Attributes:
        result: its result, as JSON data.
    """

    status: str
    ended_at: datetime | None
    result: dict[str, Any] | None


_RECORDED = select(TASKS.c.task_id, TASKS.c.status, TASKS.c.ended_at, TASKS.c.result).where(
    TASKS.c.request_id == bindparam("request"), TASKS.c.task_id.in_(bindparam("tasks", expanding=True))
)


def recorded_tasks(session: Session, request_id: str, task_ids: Collection[int]) -> dict[int, RecordedTask]:
    """Tasks of the request's plan, by their ids; the request is locked.

    Raises:
        TraceError: the plan does not have one of them.
    """
    found = session.connection().execute(_RECORDED, {"request": request_id, "tasks": sorted(set(task_ids))})
    recorded = {row.task_id: RecordedTask(row.status, row.ended_at, row.result) for row in found}
    if unknown := set(task_ids) - recorded.keys():
        raise no_task(request_id, min(unknown))
    return recorded


def is_task(request_id: str, task_id: int) -> ColumnElement[bool]:
    """The condition for the row of a task."""
    return and_(TASKS.c.request_id == request_id, TASKS.c.task_id == task_id)


class NewResult(NamedTuple):
    """A result to store.

    Attributes:
        before: what was recorded of its task.
        cached: it came from a cache.
    """

    result: TaskResult
    before: RecordedTask
    cached: bool


_SETTLED = update(TASKS).where(TASKS.c.request_id == bindparam("request"), TASKS.c.task_id == bindparam("task"))
_NO_OUTPUTS = delete(OUTPUTS).where(
    OUTPUTS.c.request_id == bindparam("request"), OUTPUTS.c.task_id == bindparam("task")
)
_OUTPUTS = insert(OUTPUTS)


def store_results(session: Session, request_id: str, new: Sequence[NewResult], now: datetime) -> None:
    """Give tasks their results. The same result may come twice.

    Args:
        session: a session of which no object stands for one of the tasks, or is read again.
        request_id: the request.
        new: the results, at most one for each task.
        now: when the tasks ended whose result is new.
    """
    connection = session.connection()
    ids = artifact_ids(session, [artifact for result, _, _ in new for artifact in result.outputs], now)
    # Statements for many rows need the same columns in each.
    values: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for result, before, cached in new:
        made = result.model_dump(mode="json")
        is_new = before.result != made  # the first result, or another than that of an earlier life
        values[is_new].append(
            {
                "request": request_id,
                "task": result.task_id,
                "status": TaskStatus.CACHED if cached else TaskStatus.COMPLETED,
                "cached": cached,
                "error": None,
                "model_id": result.model,
                "revision": result.revision,
                "endpoint": result.endpoint,
                "seconds": result.seconds,
                **({"result": made, "ended_at": now} if is_new else {}),
            }
        )
    for rows in filter(None, values.values()):
        connection.execute(_SETTLED, rows)
    if known := [{"request": request_id, "task": n.result.task_id} for n in new if n.before.result is not None]:
        connection.execute(_NO_OUTPUTS, known)
    outputs = [
        {
            "request_id": request_id,
            "task_id": result.task_id,
            "item": item,
            "position": position,
            "artifact_id": ids[artifact_key(artifact)],
        }
        for result, _, _ in new
        for item, element in enumerate(result.items)
        for position, artifact in enumerate(element.outputs)
    ]
    if outputs:
        connection.execute(_OUTPUTS, outputs)
