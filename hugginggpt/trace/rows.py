"""Finding and adding single rows, as every write of the trace needs it."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hugginggpt.artifacts import Artifact
from hugginggpt.errors import RequestClosedError, TraceError
from hugginggpt.results import RequestStatus
from hugginggpt.text import one_line
from hugginggpt.trace.tables import Base, PlannedTaskRow, Request, StoredArtifact

SHOWN_ID = 80
"""Characters of an id that a message shows; whoever asks can ask for anything."""

MOST_ROWS = 2**63 - 1
"""The largest number of rows that both databases can be asked for."""


def insert_for(session: Session, table: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that can be told what to do on a conflict, in the dialect of the session."""
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)


def locked(session: Session, request_id: str) -> Request | None:
    """The request, kept for this transaction: whoever writes to it next waits."""
    return session.get(Request, request_id, with_for_update=True)


def open_row(session: Session, request_id: str, life: int | None = None) -> Request:
    """The request, kept for this transaction, if it may still be written to by a process in its `life`.

    Raises:
        TraceError: it is unknown.
        RequestClosedError: it is finished, or was taken over by another process.
    """
    request = locked(session, request_id)
    if request is None:
        raise TraceError(f"There is no request '{one_line(request_id, SHOWN_ID)}' in the trace.")
    if request.status != RequestStatus.RUNNING:
        raise RequestClosedError(f"Request {request_id} is finished ({request.status}): its trace no longer changes.")
    if life is not None and life != request.life:
        raise RequestClosedError(
            f"Request {request_id} was taken over by another process, so this one may not go on with it."
        )
    return request


def task_row(session: Session, request_id: str, task_id: int) -> PlannedTaskRow:
    """A task of the request's plan.

    Raises:
        TraceError: the plan has no such task.
    """
    task = session.get(PlannedTaskRow, (request_id, task_id))
    if task is None:
        raise TraceError(f"The plan of request {request_id} has no task {task_id}.")
    return task


ArtifactKey = tuple[str, str, str]


def artifact_key(artifact: Artifact) -> ArtifactKey:
    """What makes an artifact the same row: its bytes, and what they are taken for."""
    return artifact.sha256, str(artifact.type), artifact.mime


def artifact_ids(session: Session, artifacts: Iterable[Artifact], now: datetime) -> dict[ArtifactKey, int]:
    """The row ids of artifacts by their `artifact_key`, adding the rows that are new."""
    # Sorted, so that two writers who add the same rows wait for each other in one order.
    rows = {artifact_key(artifact): artifact for artifact in artifacts}
    if not rows:
        return {}
    session.execute(
        insert_for(session, StoredArtifact)
        .values(
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
            ]
        )
        # An update that changes nothing keeps the row, so that it is not pruned before it is referred to.
        .on_conflict_do_update(
            index_elements=[StoredArtifact.sha256, StoredArtifact.type, StoredArtifact.mime],
            set_={"bytes": StoredArtifact.bytes},
        )
    )
    key_columns = tuple_(StoredArtifact.sha256, StoredArtifact.type, StoredArtifact.mime)
    found = session.execute(
        select(StoredArtifact.id, StoredArtifact.sha256, StoredArtifact.type, StoredArtifact.mime).where(
            key_columns.in_(list(rows))
        )
    )
    return {(sha256, type_, mime): id_ for id_, sha256, type_, mime in found}
