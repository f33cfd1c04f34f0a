"""How a request begins, changes hands and ends.

`Lifecycle` is what other modules call; the functions below it work on an open session, for the other topics too.
"""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hugginggpt.controller_name import ControllerName
from hugginggpt.errors import HuggingGPTError, RequestIdError, RequestInProgressError, TaskCancelledError
from hugginggpt.holder import Hold, Holder
from hugginggpt.results import RequestStatus, TaskOutcome, TaskResult, TaskStatus
from hugginggpt.text import one_line
from hugginggpt.trace.database import Database
from hugginggpt.trace.plans import task_rows
from hugginggpt.trace.requests import resources_of
from hugginggpt.trace.rows import (
    OPEN,
    SHOWN_ID,
    NewResult,
    RecordedTask,
    add_resources,
    died,
    insert_for,
    locked,
    locked_known,
    no_such,
    no_task,
    store_results,
)
from hugginggpt.trace.sameness import check_resumed, hash_of
from hugginggpt.trace.story import Answer, AskedRequest, OpenedRequest
from hugginggpt.trace.tables import (
    ConversationRow,
    ExpertRunRow,
    FlowRunRow,
    PlannedTaskRow,
    RequestRow,
    WebhookRow,
)

NO_LONGER_HELD = "Its process no longer works on the request."
"""Why a life is over: its process ended, or another process took over."""

_CANCELLED = "The request was cancelled before this task was done."
_CANCELLED_BEFORE = "The request was cancelled before this task ran."  # what an older version wrote

_INTERRUPTED = {
    "cancelled": "The request was cancelled before this attempt ended.",
    "finished": "The request ended before this attempt did.",
}
"""Why an attempt was interrupted, by how its life ended; by default, its process ended."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Lifecycle:
    """How requests begin, change hands and end. Raises the errors of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self,
        asked: AskedRequest,
        *,
        holder: str,
        lease_seconds: float,
        flow_run_id: str | None = None,
        queued: bool = False,
        controller: ControllerName | None = None,
        spent: float = 0.0,
    ) -> OpenedRequest:
        """Begin a request, new or waiting in line, or take it over from a process that died.

        A finished request is returned as it is. For a known request, everything but the id, the
        holder, the lease and the flow run is taken from the trace. To resume a request, give no files, no plan, and
        either an empty text or the request's own, which may be cut to `SHOWN_CHARS`. Any other text, files or plan must
        be the ones that the request began with.

        Args:
            asked: the request.
            holder: this process, as `holder_name()` returns it.
            lease_seconds: how long this process counts as alive without renewing.
            flow_run_id: Prefect's id of the flow run that works on it.
            queued: put it in line: if this process dies, another one takes over.
            controller: the controller of this process.
            spent: seconds of its deadline that have already passed, for example while its files were loaded.

        Raises:
            RequestInProgressError: a live process works on it.
            RequestIdError: the id is not valid, or another request has it.
            TraceError: the conversation is unknown.
        """
        with self._database.writing() as session:
            now = self._database.now(session)
            request = locked(session, asked.request_id) if asked.request_id else None
            known = request is not None
            if request is None:
                request = create(session, now, asked)
            else:
                check_resumed(request, asked)
            if request.status == RequestStatus.RUNNING:
                _end_life_of_dead(session, request, now, holder, flow_run_id)
            if request.status in OPEN:
                request.queued_at = request.queued_at or (now if queued else None)
                seconds = request.options.get("deadline")
                if seconds is not None and request.deadline_at is None:
                    request.deadline_at = now + timedelta(seconds=seconds - spent)
                request.status = RequestStatus.RUNNING
                request.life += 1
                request.claimed_until = None
                request.holder = holder
                request.lease_until = now + timedelta(seconds=lease_seconds)
                session.add(
                    FlowRunRow(
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
            return OpenedRequest(
                request_id=request.id,
                conversation_id=request.conversation_id,
                life=request.life,
                text=request.text,
                resources=resources_of(session, request.id),
                options=request.options,
                status=RequestStatus(request.status),
                known=known,
            )

    def renew_lease(self, request_id: str, holder: str, lease_seconds: float) -> Hold:
        """Renew the lease of this process on the request; return whether it still holds the request, or why not."""
        with self._database.writing() as session:
            request = locked(session, request_id)
            if request is not None and request.status == RequestStatus.CANCELLED:
                return Hold.CANCELLED
            if request is None or request.status not in OPEN:
                return Hold.ENDED
            if request.holder != holder:
                return Hold.LOST
            now = self._database.now(session)
            request.lease_until = now + timedelta(seconds=lease_seconds)
            session.get_one(FlowRunRow, (request_id, request.life)).seen_at = now
            return Hold.HELD

    def release_flow_run(self, flow_run_id: str, *, ending: str, error: str | None = None) -> bool:
        """Release the request that a flow run left unfinished, so it can be resumed at once.

        A request whose flow run was cancelled is cancelled with it.

        Args:
            flow_run_id: Prefect's id of the flow run.
            ending: how it ended: `cancelled`, `crashed` or `failed`.
            error: why, one sentence.

        Returns:
            False if the flow run held no request, or had finished it.
        """
        with self._database.writing() as session:
            left = select(FlowRunRow).where(FlowRunRow.flow_run_id == flow_run_id, FlowRunRow.ended_at.is_(None))
            life = session.scalar(left.order_by(FlowRunRow.started_at.desc()).limit(1))
            request = locked(session, life.request_id) if life is not None else None
            if life is None or request is None or request.life != life.life:
                return False
            now = self._database.now(session)
            if ending == "cancelled":
                _cancel(session, request, now, error)
            else:
                end_life(session, request, now, ending=ending, error=error)
            return True

    def lives_over(self, lives: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """The lives of requests that have to stop working, each with the reason in one sentence.

        Args:
            lives: request id and number of the life. A request that is not in the trace goes on.
        """
        columns = (RequestRow.life, RequestRow.status, RequestRow.holder, RequestRow.deadline_at, RequestRow.options)
        of_lives = select(RequestRow.id, *columns).where(RequestRow.id.in_({request_id for request_id, _ in lives}))
        with self._database.reading() as session:
            rows = {row.id: row for row in session.execute(of_lives)}
            now = self._database.now(session)
        over = {}
        for request_id, life in lives:
            row = rows.get(request_id)
            if row is None:
                continue
            if row.status == RequestStatus.CANCELLED:
                over[request_id, life] = "The request was cancelled."
            elif row.life != life or row.status != RequestStatus.RUNNING or row.holder is None:
                over[request_id, life] = NO_LONGER_HELD
            elif row.deadline_at is not None and row.deadline_at <= now:
                seconds = row.options["deadline"]
                over[request_id, life] = (
                    f"The request was not answered within its {seconds:g} seconds: raise its deadline."
                )
        return over

    def cancel(self, request_id: str, error: str | None = None) -> bool:
        """Cancel a request that waits or runs; the process that works on it stops within seconds.

        Args:
            request_id: the request.
            error: why, one sentence.

        Returns:
            False if it had already ended.

        Raises:
            TraceError: it is unknown.
        """
        with self._database.writing() as session:
            request = locked_known(session, request_id)
            if request.status not in OPEN:
                return False
            _cancel(session, request, self._database.now(session), error)
            return True

    def reopen(self, request_id: str) -> None:
        """Prepare a request to be resumed by hand.

        A cancelled request becomes open again. It gets its full time again, and so does a request whose process died.
        Any other request stays as it is.
        """
        with self._database.writing() as session:
            request = locked(session, request_id)
            if request is None:
                return
            if request.status == RequestStatus.CANCELLED:
                request.status = RequestStatus.RUNNING if request.life else RequestStatus.QUEUED
                request.error = request.error_type = request.finished_at = request.deadline_at = None
                # Otherwise the cancelled flow run would cancel it again.
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
            elif died(request, self._database.now(session)):
                request.deadline_at = None


def create(session: Session, now: datetime, asked: AskedRequest) -> RequestRow:
    """Create a request that waits for its first life.

    Raises:
        RequestInProgressError: another process has just created that id.
        RequestIdError: the id is not valid.
        TraceError: the conversation is unknown.
    """
    if asked.request_id is not None and not _ID.fullmatch(asked.request_id):
        raise RequestIdError(
            f"The request id '{one_line(asked.request_id, SHOWN_ID)}' is not valid: "
            "use letters, digits, '.', '_' and '-'."
        )
    conversation_id = asked.conversation_id
    if conversation_id is None:
        conversation_id = uuid.uuid4().hex
        session.add(ConversationRow(id=conversation_id, created_at=now))
        session.flush()
    elif session.get(ConversationRow, conversation_id) is None:
        raise no_such("conversation", conversation_id, "leave it out to begin a new one")
    request_id = asked.request_id or uuid.uuid4().hex
    values = {
        "id": request_id,
        "conversation_id": conversation_id,
        "text": asked.text,
        "options": asked.options,
        "asked_sha256": hash_of(asked, asked.text),
        "status": RequestStatus.QUEUED,
        "life": 0,
        "starts": 1,
        "door": asked.origin.door,
        "key_name": asked.origin.key,
        "created_at": now,
    }
    created = session.execute(
        insert_for(session, RequestRow).values(values).on_conflict_do_nothing().returning(RequestRow.id)
    )
    if created.scalar_one_or_none() is None:
        raise RequestInProgressError(f"Another process has just begun request {request_id}: wait for it.")
    add_resources(session, request_id, asked.resources, now)
    if asked.webhook is not None:
        session.add(WebhookRow(request_id=request_id, url=asked.webhook, tries=0, next_try_at=now))
    return session.get_one(RequestRow, request_id)


def _end_life_of_dead(
    session: Session, request: RequestRow, now: datetime, holder: str, flow_run_id: str | None
) -> None:
    """Close the life of the process that last held the request.

    Raises:
        RequestInProgressError: that process is alive.
    """
    if request.holder is not None and not died(request, now):
        last = session.get_one(FlowRunRow, (request.id, request.life))
        # A retry of the same flow run in the same process: its first try is over.
        if not (holder == request.holder and flow_run_id is not None and flow_run_id == last.flow_run_id):
            raise RequestInProgressError(_in_progress(request, now))
    end_life(session, request, now, ending="died")


def _in_progress(request: RequestRow, now: datetime) -> str:
    holder = Holder.parse(request.holder or "")
    who = f"process {holder.pid} on {holder.host.partition('/')[0]}" if holder else f"'{request.holder}'"
    left = (request.lease_until - now).total_seconds() if request.lease_until else 0.0
    return (
        f"Request {request.id} is being worked on by {who}: wait for it, "
        f"or try again if it stays silent for another {max(1, round(left))} seconds."
    )


def end_life(session: Session, request: RequestRow, now: datetime, *, ending: str, error: str | None = None) -> None:
    """Close the current life, if it is open, and release the request."""
    life = session.get(FlowRunRow, (request.id, request.life))
    if life is not None and life.ended_at is None:
        life.ended_at = life.seen_at if ending == "died" else now
        life.ending = ending
        life.error = error
    session.execute(
        update(ExpertRunRow)
        .where(ExpertRunRow.request_id == request.id, ExpertRunRow.status == "running")
        .values(status="interrupted", error=_INTERRUPTED.get(ending, "Its process ended during this attempt."))
    )
    request.holder = None
    request.lease_until = None


def _cancel(session: Session, request: RequestRow, now: datetime, error: str | None) -> None:
    """Cancel a request; finished results stay."""
    end_life(session, request, now, ending="cancelled", error=error)
    request.status = RequestStatus.CANCELLED
    request.error = error or "It was cancelled."
    request.error_type = TaskCancelledError.__name__
    request.finished_at = now
    _skip_unfinished(session, request, _CANCELLED)


def _skip_unfinished(session: Session, request: RequestRow, reason: str) -> None:
    unfinished = select(PlannedTaskRow).filter_by(request_id=request.id, status=TaskStatus.PLANNED)
    for task in session.scalars(unfinished):
        task.status = TaskStatus.SKIPPED
        task.error = reason


def finish(
    session: Session,
    request: RequestRow,
    now: datetime,
    *,
    status: RequestStatus,
    answer: Answer | None = None,
    error: HuggingGPTError | None = None,
    outcomes: Sequence[TaskOutcome] = (),
) -> None:
    """Record how everything ended, and close the request for good.

    Raises:
        TraceError: an outcome belongs to a task that is not in the plan.
    """
    tasks = {row.task_id: row for row in task_rows(session, request.id)}
    new = [outcome for outcome in outcomes if not outcome.recovered]
    if unknown := {outcome.planned.id for outcome in new} - tasks.keys():
        raise no_task(request.id, min(unknown))
    lacking: dict[int, NewResult] = {}
    for outcome in new:
        task = tasks[outcome.planned.id]
        if outcome.result is not None and not _is_recorded(outcome.result, outcome.status, task):
            before = RecordedTask(task.status, task.ended_at, task.result)
            lacking[task.task_id] = NewResult(outcome.result, before, outcome.status is TaskStatus.CACHED)
    # All at once, and so in one order: requests that end at the same time cannot deadlock.
    store_results(session, request.id, list(lacking.values()), now)
    for outcome in new:
        task = tasks[outcome.planned.id]
        if task.task_id in lacking:
            session.refresh(task)
            if outcome.status is TaskStatus.COMPLETED:
                _complete_attempt(session, request, lacking[task.task_id].result, now)
        task.status = outcome.status
        task.cached = outcome.status is TaskStatus.CACHED
        task.error = outcome.error
        task.ended_at = outcome.ended_at or task.ended_at
        task.prefect_task_run_id = outcome.prefect_task_run_id or task.prefect_task_run_id
    _skip_unfinished(session, request, "The request ended before this task was done.")
    end_life(session, request, now, ending="finished")
    request.status = status
    request.response = answer and answer.text
    request.response_source = answer.source if answer else "none"
    request.error, request.error_type = (error.message, type(error).__name__) if error else (None, None)
    request.finished_at = now


def _is_recorded(result: TaskResult, status: TaskStatus, task: PlannedTaskRow) -> bool:
    """Whether the task run itself recorded this result, together with the end of the attempt that made it."""
    return task.status == status and task.result == result.model_dump(mode="json")


def _complete_attempt(session: Session, request: RequestRow, result: TaskResult, now: datetime) -> None:
    """Complete the attempt that made a result, if the database was away when it ended.

    Other open attempts belong to workers that died, and count as interrupted.
    """
    attempts = select(ExpertRunRow).filter_by(
        request_id=request.id, task_id=result.task_id, life=request.life, model_id=result.model
    )
    made = list(session.scalars(attempts.order_by(ExpertRunRow.id)))
    running = [attempt for attempt in made if attempt.status == "running"]
    if running and all(attempt.status != "completed" for attempt in made):
        running[-1].status, running[-1].seconds, running[-1].ended_at = "completed", result.seconds, now
        session.flush()
