"""Find and add single rows: functions on an open session that all parts of the trace use."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hugginggpt.artifacts import Artifact, Resource
from hugginggpt.errors import RequestClosedError, TraceError
from hugginggpt.holder import is_dead
from hugginggpt.results import RequestStatus, TaskResult, TaskStatus
from hugginggpt.text import one_line
from hugginggpt.trace.tables import (
    ArtifactRow,
    Base,
    PlannedTaskRow,
    RequestResourceRow,
    RequestRow,
    TaskOutputRow,
)

OPEN = (RequestStatus.QUEUED, RequestStatus.RUNNING)
"""The statuses of a request that has not ended."""

SHOWN_ID = 80
"""Messages show at most this many characters of an id, because a user can pass any text as one."""

MOST_ROWS = 2**63 - 1
"""The largest row limit that both databases accept."""


def insert_for(session: Session, table: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that supports ON CONFLICT, in the dialect of the session."""
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)


def no_such(what: str, id_: str, remedy: str = "`hugginggpt trace list` shows those there are") -> TraceError:
    """The error for an id that is not in the trace."""
    return TraceError(f"There is no {what} '{one_line(id_, SHOWN_ID)}' in the trace: {remedy}.")


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
    if request.status != RequestStatus.RUNNING:
        raise RequestClosedError(f"Request {request_id} is finished ({request.status}): its trace no longer changes.")
    if life != request.life:
        raise RequestClosedError(f"Request {request_id} was taken over by another process, so this one stops.")
    return request


def died(request: RequestRow, now: datetime) -> bool:
    """Whether a request has not ended although no process works on it any more."""
    if request.status != RequestStatus.RUNNING:
        return False
    lease_over = request.lease_until is None or request.lease_until <= now
    return lease_over or request.holder is None or is_dead(request.holder)


def task_row(session: Session, request_id: str, task_id: int) -> PlannedTaskRow:
    """A task of the request's plan.

    Raises:
        TraceError: the plan has no such task.
    """
    task = session.get(PlannedTaskRow, (request_id, task_id))
    if task is None:
        raise no_task(request_id, task_id)
    return task


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
    session.execute(
        # The update changes nothing, but locks the row, so it is not pruned before something refers to it.
        insert_for(session, ArtifactRow).on_conflict_do_update(
            index_elements=[ArtifactRow.sha256, ArtifactRow.type, ArtifactRow.mime],
            set_={"bytes": ArtifactRow.bytes},
        ),
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
    key_columns = tuple_(ArtifactRow.sha256, ArtifactRow.type, ArtifactRow.mime)
    found = session.execute(
        select(ArtifactRow.id, ArtifactRow.sha256, ArtifactRow.type, ArtifactRow.mime).where(
            key_columns.in_(list(rows))
        )
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
                artifact_id=ids[artifact_key(resource.artifact)],
            )
        )
    session.flush()


def store_result(session: Session, task: PlannedTaskRow, result: TaskResult, now: datetime, *, cached: bool) -> None:
    """Give a task its result. The same result may come twice."""
    made, had_one = result.model_dump(mode="json"), task.result is not None
    if task.result != made:  # the first result, or another than that of an earlier life
        task.result, task.ended_at = made, now
    task.status = TaskStatus.CACHED if cached else TaskStatus.COMPLETED
    task.cached = cached
    task.error = None
    task.model_id, task.revision, task.endpoint = result.model, result.revision, result.endpoint
    task.seconds = result.seconds
    ids = artifact_ids(session, result.outputs, now)
    if had_one:
        session.execute(delete(TaskOutputRow).filter_by(request_id=task.request_id, task_id=task.task_id))
    for item, element in enumerate(result.items):
        for position, artifact in enumerate(element.outputs):
            session.add(
                TaskOutputRow(
                    request_id=task.request_id,
                    task_id=task.task_id,
                    item=item,
                    position=position,
                    artifact_id=ids[artifact_key(artifact)],
                )
            )
    session.flush()
