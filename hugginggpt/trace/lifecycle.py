"""How a request begins, changes hands and ends. Functions on an open session; `Trace` gives them one."""

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from hugginggpt.artifacts import Resource
from hugginggpt.controller_name import ControllerName
from hugginggpt.errors import RequestIdError, RequestInProgressError, TaskCancelledError, TraceError
from hugginggpt.holder import Holder, is_dead
from hugginggpt.results import RequestStatus, TaskOutcome, TaskResult, TaskStatus
from hugginggpt.text import one_line
from hugginggpt.trace.rows import SHOWN_ID, artifact_ids, artifact_key, insert_for, task_row
from hugginggpt.trace.tables import (
    Conversation,
    ExpertRun,
    FlowRun,
    PlannedTaskRow,
    Request,
    RequestResource,
    TaskOutput,
)

OPEN = (RequestStatus.QUEUED, RequestStatus.RUNNING)
"""How a request stands that has not ended."""

_CANCELLED = "The request was cancelled before this task was done."
_CANCELLED_BEFORE = "The request was cancelled before this task ran."  # what an older version wrote

_INTERRUPTED = {
    "cancelled": "The request was cancelled before it ended.",
    "finished": "The request ended before it did.",
}
"""Why an attempt has no end of its own, by how its life ended; any other ending is its process's."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def create_request(
    session: Session,
    now: datetime,
    *,
    request_id: str | None,
    text: str,
    resources: Sequence[Resource],
    conversation_id: str | None,
    options: dict[str, Any],
) -> Request:
    """Create a request that waits for its first life.

    Raises:
        RequestInProgressError: another process has just created that id.
        RequestIdError: the id cannot be one.
        TraceError: the conversation is unknown.
    """
    if request_id is not None and not _ID.fullmatch(request_id):
        raise RequestIdError(
            f"The request id '{one_line(request_id, SHOWN_ID)}' cannot be used: take letters, digits, '.', '_' and '-'."
        )
    begun = Conversation(id=uuid.uuid4().hex, created_at=now) if conversation_id is None else None
    if begun is not None:
        session.add(begun)
        session.flush()
    elif session.get(Conversation, conversation_id) is None:
        raise TraceError(
            f"There is no conversation '{one_line(str(conversation_id), SHOWN_ID)}': leave it out to begin one."
        )
    request_id = request_id or uuid.uuid4().hex
    values = {
        "id": request_id,
        "conversation_id": begun.id if begun else conversation_id,
        "text": text,
        "options": options,
        "asked_sha256": _asked(text, resources, options),
        "status": RequestStatus.QUEUED,
        "life": 0,
        "starts": 1,
        "created_at": now,
    }
    created = session.execute(
        insert_for(session, Request).values(values).on_conflict_do_nothing().returning(Request.id)
    )
    if created.scalar_one_or_none() is None:
        raise RequestInProgressError(f"Request {request_id} has just been begun by another process: wait for it.")
    request = session.get_one(Request, request_id)
    add_resources(session, request_id, resources, now)
    return request


def check_same(request: Request, text: str, resources: Sequence[Resource], options: dict[str, Any]) -> None:
    """Raise unless this is what the known request asks.

    Raises:
        RequestIdError: it is another one.
    """
    # What an older version wrote has no hash.
    if _asked(text, resources, options) != (request.asked_sha256 or _asked(request.text, resources, options)):
        raise RequestIdError(f"The request {request.id} is another one, already known: give a new one another id.")


def _asked(text: str, resources: Sequence[Resource], options: dict[str, Any]) -> str:
    asked = [text, [resource.artifact.sha256 for resource in resources], options.get("plan")]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def begin_life(
    session: Session,
    request: Request,
    now: datetime,
    *,
    holder: str,
    lease_seconds: float,
    flow_run_id: str | None,
    controller: ControllerName | None,
    spent: float,
) -> None:
    """Give the request to a new holder. Of its time, so many seconds went by before its first life."""
    seconds = request.options.get("deadline")
    if seconds is not None and request.deadline_at is None:
        request.deadline_at = now + timedelta(seconds=seconds - spent)
    request.status = RequestStatus.RUNNING
    request.life += 1
    request.claimed_until = None
    request.holder = holder
    request.lease_until = now + timedelta(seconds=lease_seconds)
    session.add(
        FlowRun(
            request_id=request.id,
            life=request.life,
            flow_run_id=flow_run_id,
            holder=holder,
            started_at=now,
            seen_at=now,
            controller_model=controller and controller.model,
            controller_server=controller and controller.server,
        )
    )
    session.flush()


def take_over(session: Session, request: Request, now: datetime, *, holder: str, flow_run_id: str | None) -> None:
    """Close the life of the process that held the request before.

    Raises:
        RequestInProgressError: that process is alive.
    """
    if request.holder is not None and not died(request, now):
        last = session.get_one(FlowRun, (request.id, request.life))
        # A retry of the same flow run in the same process: its first try is over.
        if not (holder == request.holder and flow_run_id is not None and flow_run_id == last.flow_run_id):
            raise RequestInProgressError(_in_progress(request, now))
    end_life(session, request, now, ending="died", error=None)


def died(request: Request, now: datetime) -> bool:
    """Whether nobody works any more on a request that is not finished."""
    if request.status != RequestStatus.RUNNING:
        return False
    lease_over = request.lease_until is None or request.lease_until <= now
    return lease_over or request.holder is None or is_dead(request.holder)


def _in_progress(request: Request, now: datetime) -> str:
    holder = Holder.parse(request.holder or "")
    who = f"process {holder.pid} on {holder.host.partition('/')[0]}" if holder else f"'{request.holder}'"
    left = (request.lease_until - now).total_seconds() if request.lease_until else 0.0
    return (
        f"Request {request.id} is being worked on by {who}: wait for it, "
        f"or try again when it has been silent for another {max(1, round(left))} seconds."
    )


def end_life(session: Session, request: Request, now: datetime, *, ending: str, error: str | None) -> None:
    """Close the current life, if it is open, and let go of the request."""
    life = session.get(FlowRun, (request.id, request.life))
    if life is not None and life.ended_at is None:
        life.ended_at = life.seen_at if ending == "died" else now
        life.ending = ending
        life.error = error
    session.execute(
        update(ExpertRun)
        .where(ExpertRun.request_id == request.id, ExpertRun.status == "running")
        .values(status="interrupted", error=_INTERRUPTED.get(ending, "Its process ended before it did."))
    )
    request.holder = None
    request.lease_until = None


def cancel(session: Session, request: Request, now: datetime, error: str | None) -> None:
    """End a request for good because somebody wishes so; what had finished stays."""
    end_life(session, request, now, ending="cancelled", error=error)
    request.status = RequestStatus.CANCELLED
    request.error = error or "It was cancelled."
    request.error_type = TaskCancelledError.__name__
    request.finished_at = now
    skip_unfinished(session, request, _CANCELLED)


def skip_unfinished(session: Session, request: Request, reason: str) -> None:
    """Write why tasks of the plan have no result."""
    unfinished = select(PlannedTaskRow).filter_by(request_id=request.id, status=TaskStatus.PLANNED)
    for task in session.scalars(unfinished):
        task.status = TaskStatus.SKIPPED
        task.error = reason


def reopen(session: Session, request: Request) -> None:
    """Let a request that was cancelled, or that nobody works on, be worked on again: its time begins anew."""
    request.deadline_at = None
    if request.status == RequestStatus.CANCELLED:
        request.status = RequestStatus.RUNNING if request.life else RequestStatus.QUEUED
        request.error = request.error_type = request.finished_at = None
        # The flow run that was cancelled would have it cancelled again.
        request.starts += 1
        session.execute(
            update(PlannedTaskRow)
            .where(
                PlannedTaskRow.request_id == request.id,
                PlannedTaskRow.status == TaskStatus.SKIPPED,
                PlannedTaskRow.error.in_((_CANCELLED, _CANCELLED_BEFORE)),
            )
            .values(status=TaskStatus.PLANNED, error=None)
        )


def add_resources(session: Session, request_id: str, resources: Sequence[Resource], now: datetime) -> None:
    """Link the resources that are not linked yet, by name."""
    linked = set(session.scalars(select(RequestResource.name).where(RequestResource.request_id == request_id)))
    new = {resource.name: resource for resource in resources if resource.name not in linked}
    ids = artifact_ids(session, [resource.artifact for resource in new.values()], now)
    for position, resource in enumerate(new.values(), start=len(linked)):
        session.add(
            RequestResource(
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
    made = result.model_dump(mode="json")
    if task.result != made:  # another than an earlier life had, or the first
        task.result, task.ended_at = made, now
    task.status = TaskStatus.CACHED if cached else TaskStatus.COMPLETED
    task.cached = cached
    task.error = None
    task.model_id, task.revision, task.endpoint = result.model, result.revision, result.endpoint
    task.seconds = result.seconds
    ids = artifact_ids(session, result.outputs, now)
    session.execute(delete(TaskOutput).filter_by(request_id=task.request_id, task_id=task.task_id))
    for item, element in enumerate(result.items):
        for position, artifact in enumerate(element.outputs):
            session.add(
                TaskOutput(
                    request_id=task.request_id,
                    task_id=task.task_id,
                    item=item,
                    position=position,
                    artifact_id=ids[artifact_key(artifact)],
                )
            )
    session.flush()


def finish(
    session: Session,
    request: Request,
    now: datetime,
    *,
    status: RequestStatus,
    response: str | None,
    response_source: str,
    error: str | None,
    error_type: str | None,
    outcomes: Sequence[TaskOutcome],
) -> None:
    """Write how everything ended, and close the request for good.

    Raises:
        TraceError: an outcome is of a task that the plan does not have.
    """
    # All at once and therefore in one order, so that two requests that end together do not block each other.
    new = [outcome for outcome in outcomes if not outcome.recovered]
    artifact_ids(session, [a for outcome in new if outcome.result for a in outcome.result.outputs], now)
    for outcome in new:
        task = task_row(session, request.id, outcome.planned.id)
        if outcome.result is not None:
            store_result(session, task, outcome.result, now, cached=outcome.status is TaskStatus.CACHED)
            if outcome.status is TaskStatus.COMPLETED:
                _complete_attempt(session, request, outcome.result, now)
        task.status = outcome.status
        task.cached = outcome.status is TaskStatus.CACHED
        task.error = outcome.error
        task.ended_at = outcome.ended_at or task.ended_at
        task.prefect_task_run_id = outcome.prefect_task_run_id or task.prefect_task_run_id
    skip_unfinished(session, request, "The request ended before this task was done.")
    end_life(session, request, now, ending="finished", error=None)
    request.status = status
    request.response = response
    request.response_source = response_source
    request.error, request.error_type = error, error_type
    request.finished_at = now


def _complete_attempt(session: Session, request: Request, result: TaskResult, now: datetime) -> None:
    """End the attempt that made a result, where the database was away when it did."""
    session.execute(
        update(ExpertRun)
        .where(
            ExpertRun.request_id == request.id,
            ExpertRun.task_id == result.task_id,
            ExpertRun.life == request.life,
            ExpertRun.model_id == result.model,
            ExpertRun.status == "running",
        )
        .values(status="completed", seconds=result.seconds, ended_at=now)
    )
