"""The one way into the trace: what the stages record, and what can be asked afterwards.

Every write is one short transaction, and may come twice: a retry or a resumed run repeats it. Every
write to a request keeps its row for that moment, so that nothing is written once it is finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from hugginggpt.artifacts import Resource
from hugginggpt.controller_name import ControllerName
from hugginggpt.errors import RequestClosedError, TraceError
from hugginggpt.holder import Hold, holder_name
from hugginggpt.models.card import Candidate, ModelCard, ModelChoice
from hugginggpt.models.disk import ModelUse
from hugginggpt.models.figures import Measurement
from hugginggpt.plan import Plan
from hugginggpt.request import Budget
from hugginggpt.results import RequestStatus, TaskOutcome, TaskResult, TaskStatus
from hugginggpt.settings import Settings
from hugginggpt.text import one_line
from hugginggpt.trace import lifecycle, questions, queue
from hugginggpt.trace.database import Database, parse_url
from hugginggpt.trace.migrate import migrate
from hugginggpt.trace.rows import SHOWN_ID, insert_for, locked, open_row, task_row
from hugginggpt.trace.story import (
    AttemptEnd,
    EndedRun,
    OpenedRequest,
    RequestSummary,
    RequestTrace,
    Turn,
    WaitingRequest,
)
from hugginggpt.trace.tables import (
    ControllerCallRow,
    Conversation,
    ExpertRun,
    FlowRun,
    HubLookup,
    LatestMeasurement,
    ModelFigures,
    ModelSelection,
    PlannedTaskRow,
    Request,
    StoredModelCard,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from hugginggpt.controller.call import ControllerCall
    from hugginggpt.trace.evaluations import Evaluations
    from hugginggpt.trace.pruning import Pruning

__all__ = ["OpenedRequest", "RequestSummary", "RequestTrace", "Trace", "Turn", "holder_name"]


class Trace:
    """The trace database. Safe to share between threads; `open` makes one.

    Every method raises `DatabaseUnavailableError` when the database cannot be reached or written, and
    every one that writes to a request `TraceError` when that request is unknown or finished.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, settings: Settings) -> Trace:
        """Open the database of the settings, creating or migrating it first where needed.

        Raises:
            ConfigurationError: its URL cannot be used.
            DatabaseUnavailableError: it cannot be reached or written.
            TraceError: it is newer than this code.
        """
        url = parse_url(settings.database)
        migrate(url)
        return cls(Database(url))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def check(self) -> None:
        """Raise unless the database can be read and written."""
        with self._database.writing() as session:
            # Locking a row is refused where writing is; SQLite refuses the transaction itself.
            session.execute(select(Request.id).limit(1).with_for_update())

    @property
    def evaluations(self) -> Evaluations:
        """The evaluations of planning in it."""
        from hugginggpt.trace.evaluations import Evaluations

        return Evaluations(self._database)

    # A request's life

    def open_request(
        self,
        *,
        text: str,
        resources: Sequence[Resource],
        conversation_id: str | None,
        options: dict[str, Any],
        holder: str,
        lease_seconds: float,
        request_id: str | None = None,
        flow_run_id: str | None = None,
        queued: bool = False,
        controller: ControllerName | None = None,
        spent: float = 0.0,
    ) -> OpenedRequest:
        """Begin a request, a new one or one that waits, or take it over from a process that died.

        A finished request is returned as it is. For a known request, everything but the id, the
        holder, the lease and the flow run is taken from the trace. Who resumes one gives an empty text
        or its own, perhaps cut as `SHOWN_CHARS` says, and neither files nor a plan; any other text,
        files or plan have to be those that it was asked with.

        Args:
            text: what is asked.
            resources: its files, in the store already.
            conversation_id: the conversation it continues; None begins one.
            options: how it is to be answered, as JSON data.
            holder: this process, as `holder_name()` gives it.
            lease_seconds: how long this process counts as alive without renewing.
            request_id: the id it is to have, or has; None gives it a new one.
            flow_run_id: Prefect's id of the flow run that works on it.
            queued: it is in line from now on: if this process dies, another is found for it.
            controller: who plans, chooses and answers in this process.
            spent: seconds of its time that went by before, as in getting its files.

        Raises:
            RequestInProgressError: a live process works on it.
            RequestIdError: the id cannot be one, or is of another request.
            TraceError: the conversation is unknown.
        """
        with self._database.writing() as session:
            now = self._database.now(session)
            request = locked(session, request_id) if request_id else None
            known = request is not None
            if request is None:
                request = lifecycle.create_request(
                    session,
                    now,
                    request_id=request_id,
                    text=text,
                    resources=resources,
                    conversation_id=conversation_id,
                    options=options,
                )
            else:
                queue.check_told(request, text, resources, options)
            if request.status == RequestStatus.RUNNING:
                lifecycle.take_over(session, request, now, holder=holder, flow_run_id=flow_run_id)
            if request.status in lifecycle.OPEN:
                request.queued_at = request.queued_at or (now if queued else None)
                lifecycle.begin_life(
                    session,
                    request,
                    now,
                    holder=holder,
                    lease_seconds=lease_seconds,
                    flow_run_id=flow_run_id,
                    controller=controller,
                    spent=spent,
                )
            return OpenedRequest(
                request_id=request.id,
                conversation_id=request.conversation_id,
                life=request.life,
                text=request.text,
                resources=questions.resources_of(session, request.id),
                options=request.options,
                status=RequestStatus(request.status),
                known=known,
            )

    def renew_lease(self, request_id: str, holder: str, lease_seconds: float) -> Hold:
        """Say that this process still works on the request; return whether it does, or why not."""
        with self._database.writing() as session:
            request = locked(session, request_id)
            if request is not None and request.status == RequestStatus.CANCELLED:
                return Hold.CANCELLED
            if request is None or request.status not in lifecycle.OPEN:
                return Hold.ENDED
            if request.holder != holder:
                return Hold.LOST
            now = self._database.now(session)
            request.lease_until = now + timedelta(seconds=lease_seconds)
            session.get_one(FlowRun, (request_id, request.life)).seen_at = now
            return Hold.HELD

    def release_flow_run(self, flow_run_id: str, *, ending: str, error: str | None = None) -> bool:
        """Let go of the request that a flow run left unfinished, so that it can be resumed at once.

        One whose flow run was cancelled is cancelled with it.

        Args:
            flow_run_id: Prefect's id of the flow run.
            ending: what became of it: `cancelled`, `crashed` or `failed`.
            error: why, one sentence.

        Returns:
            False when the flow run did not hold a request, or had finished it.
        """
        with self._database.writing() as session:
            left = select(FlowRun).where(FlowRun.flow_run_id == flow_run_id, FlowRun.ended_at.is_(None))
            life = session.scalar(left.order_by(FlowRun.started_at.desc()).limit(1))
            request = locked(session, life.request_id) if life is not None else None
            if life is None or request is None or request.life != life.life:
                return False
            now = self._database.now(session)
            if ending == "cancelled":
                lifecycle.cancel(session, request, now, error)
            else:
                lifecycle.end_life(session, request, now, ending=ending, error=error)
            return True

    def queue_request(
        self,
        *,
        text: str,
        resources: Sequence[Resource],
        conversation_id: str | None,
        options: dict[str, Any],
        request_id: str,
        holder: str | None = None,
        seconds: float = 0.0,
    ) -> bool:
        """Put a request in line, to be begun by whoever claims it. Putting it there twice is doing so once.

        Args:
            text: what is asked.
            resources: its files, in the store already.
            conversation_id: the conversation it continues; None begins one.
            options: how it is to be answered, as JSON data.
            request_id: the id it is to have, or has.
            holder: this process, as `holder_name()` gives it, if it is going to open the request itself. What it
                gives of one that is known is compared as `open_request` does.
            seconds: how long nobody else takes it then.

        Returns:
            False when it stood in the trace before, whatever became of it since.

        Raises:
            RequestIdError: the id cannot be one, or is of another request.
            TraceError: the conversation is unknown.
        """
        with self._database.writing() as session:
            request = locked(session, request_id)
            if request is not None:
                (queue.check_told if holder else lifecycle.check_same)(request, text, resources, options)
                return False
            now = self._database.now(session)
            request = lifecycle.create_request(
                session,
                now,
                request_id=request_id,
                text=text,
                resources=resources,
                conversation_id=conversation_id,
                options=options,
            )
            request.queued_at = now
            if holder is not None:
                request.claimed_by, request.claimed_until = holder, now + timedelta(seconds=seconds)
            return True

    def claim_waiting(self, holder: str, seconds: float, limit: int) -> list[WaitingRequest]:
        """Undertake to have requests worked on that are in line and that nobody works on.

        Those come first that were never claimed, then those whose claim ran out longest ago.

        Args:
            holder: this process, as `holder_name()` gives it.
            seconds: how long nobody else takes them, longer where flow runs did not begin them. A claim is not
                given back: it runs out, or ends when its request is begun.
            limit: at most so many.
        """
        with self._database.writing() as session:
            return queue.claim(session, self._database.now(session), holder, seconds, limit)

    def starts(self, request_id: str) -> int:
        """Which of the flow runs started for a request is to answer it: 1 for the first.

        Raises:
            TraceError: the request is unknown.
        """
        with self._database.reading() as session:
            request = session.get(Request, request_id)
            if request is None:
                raise TraceError(f"There is no request '{one_line(request_id, SHOWN_ID)}' in the trace.")
            return request.starts

    def start_again(self, request_id: str, over: int, why: str) -> int:
        """Count on, since a flow run is over before its request was. Two who do so at once come to the same number.

        Args:
            request_id: the request.
            over: which of its flow runs is over.
            why: what is known of that, one sentence.

        Returns:
            which is to answer it now.

        Raises:
            TraceError: the request is unknown.
            RequestClosedError: it has ended, or is given up with this: too many flow runs did not begin it.
        """
        with self._database.writing() as session:
            request = locked(session, request_id)
            if request is None:
                raise TraceError(f"There is no request '{one_line(request_id, SHOWN_ID)}' in the trace.")
            goes_on = request.status in lifecycle.OPEN and queue.start_again(
                session, request, self._database.now(session), over, why
            )
            starts, error = request.starts, request.error
        if not goes_on:
            raise RequestClosedError(f"Request {request_id} has ended, so no run is started for it: {error or 'done'}")
        return starts

    def lives_over(self, lives: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """Which lives of requests have to stop working, and why, one sentence each.

        Args:
            lives: request id and number of the life. What the trace does not know goes on.
        """
        with self._database.reading() as session:
            return questions.lives_over(session, lives, self._database.now(session))

    def cancel_request(self, request_id: str, error: str | None = None) -> bool:
        """End a request for good, waiting or at work; whoever works on it stops within seconds.

        Args:
            request_id: the request.
            error: why, one sentence.

        Returns:
            False when it had ended before.

        Raises:
            TraceError: it is unknown.
        """
        with self._database.writing() as session:
            request = locked(session, request_id)
            if request is None:
                raise TraceError(f"There is no request '{one_line(request_id, SHOWN_ID)}' in the trace.")
            if request.status not in lifecycle.OPEN:
                return False
            lifecycle.cancel(session, request, self._database.now(session), error)
            return True

    def reopen_request(self, request_id: str) -> None:
        """Let somebody who wishes so go on with a request.

        One that was cancelled may be worked on again, and that or a dead one has all its time once more. Any other
        stays as it is.
        """
        with self._database.writing() as session:
            request = locked(session, request_id)
            if request is None:
                return
            if request.status == RequestStatus.CANCELLED or lifecycle.died(request, self._database.now(session)):
                lifecycle.reopen(session, request)

    def finish_request(
        self,
        request_id: str,
        *,
        status: RequestStatus,
        response: str | None,
        response_source: str,
        error: str | None,
        outcomes: Sequence[TaskOutcome],
        life: int | None = None,
        error_type: str | None = None,
    ) -> None:
        """Write the answer, the final status and how each task ended; the trace no longer changes after it.

        Args:
            request_id: the request.
            status: how it ended.
            response: the answer; None when there is none.
            response_source: "controller", "plain" for the plain rendering of the facts, or "none".
            error: why it failed, or why its answer is the plain rendering, one sentence.
            outcomes: how tasks ended; a task without one keeps what is recorded of it.
            life: the writer's life; one that was taken over may not finish the request.
            error_type: class of the error.
        """
        if status in lifecycle.OPEN:
            raise TraceError(f"Request {request_id} cannot be finished as {status}: give how it ended.")
        with self._database.writing() as session:
            done = locked(session, request_id)
            if done is not None and (done.status, done.response, done.error) == (status, response, error):
                return
            lifecycle.finish(
                session,
                open_row(session, request_id, life),
                self._database.now(session),
                status=status,
                response=response,
                response_source=response_source,
                error=error,
                error_type=error_type,
                outcomes=outcomes,
            )

    # What the stages record

    def record_resources(self, request_id: str, resources: Sequence[Resource], *, life: int | None = None) -> None:
        """Add what the request turned out to name besides its own files; names known already stay as they are.

        `life` as in `finish_request`.
        """
        with self._database.writing() as session:
            open_row(session, request_id, life)
            lifecycle.add_resources(session, request_id, resources, datetime.now(UTC))

    def record_plan(self, request_id: str, plan: Plan, source: str, *, life: int | None = None) -> None:
        """Write the plan.

        Args:
            request_id: the request.
            plan: a valid plan.
            source: where it came from: "controller", "given" by the user, or "cache".
            life: as in `finish_request`.

        Raises:
            TraceError: another plan is recorded and work on it has begun.
        """
        with self._database.writing() as session:
            request = open_row(session, request_id, life)
            recorded = questions.plan_of(session, request_id)
            if recorded == plan:
                return
            if recorded is not None:
                if session.scalar(select(ModelSelection.task_id).filter_by(request_id=request_id).limit(1)) is not None:
                    raise TraceError(f"Request {request_id} is being worked on by another plan, which stays.")
                session.execute(delete(PlannedTaskRow).filter_by(request_id=request_id))
            request.plan_source = source
            request.plan_repairs = list(plan.repairs)
            request.planned_at = datetime.now(UTC)
            session.add_all(
                PlannedTaskRow(
                    request_id=request_id,
                    task_id=task.id,
                    position=position,
                    kind=task.task,
                    args=dict(task.args),
                    dep=list(task.dep),
                    status=TaskStatus.PLANNED,
                    cached=False,
                )
                for position, task in enumerate(plan.tasks)
            )

    def record_choice(
        self, request_id: str, task_id: int, choice: ModelChoice, cached: bool = False, *, life: int | None = None
    ) -> None:
        """Write the model chosen for a task; a later choice replaces it. `life` as in `finish_request`."""
        with self._database.writing() as session:
            open_row(session, request_id, life)
            task_row(session, request_id, task_id)
            session.merge(
                ModelSelection(
                    request_id=request_id,
                    task_id=task_id,
                    kind=choice.kind,
                    model_id=choice.chosen.card.id,
                    revision=choice.chosen.card.revision,
                    endpoint=choice.chosen.endpoint,
                    reason=choice.reason,
                    chosen_by=choice.chosen_by,
                    ranked=[candidate.model_dump(mode="json") for candidate in choice.ranked],
                    cached=cached,
                    created_at=datetime.now(UTC),
                )
            )

    def start_attempt(self, request_id: str, task_id: int, life: int, candidate: Candidate, run_count: int) -> int:
        """Write that a model begins to work on a task.

        Args:
            request_id: the request.
            task_id: the task in its plan.
            life: the writer's life; one that was taken over may not begin anything.
            candidate: the model that begins.
            run_count: the orchestrator's count of the task run's tries, from 1.

        Returns:
            The attempt, for `finish_attempt`.
        """
        with self._database.writing() as session:
            open_row(session, request_id, life)
            task = task_row(session, request_id, task_id)
            now = datetime.now(UTC)
            task.started_at = task.started_at or now
            attempt = ExpertRun(
                request_id=request_id,
                task_id=task_id,
                life=life,
                run_count=run_count,
                model_id=candidate.card.id,
                revision=candidate.card.revision,
                endpoint=candidate.endpoint,
                status="running",
                passing=False,
                started_at=now,
            )
            session.add(attempt)
            session.flush()
            return attempt.id

    def record_progress(self, attempt_id: int, progress: str) -> None:
        """Write how far an attempt is. One that has ended keeps what was told last.

        Args:
            attempt_id: as `start_attempt` gave it.
            progress: a few words.
        """
        with self._database.writing() as session:
            running = update(ExpertRun).where(ExpertRun.id == attempt_id, ExpertRun.status == "running")
            session.execute(running.values(progress=progress))

    def finish_attempt(
        self,
        attempt_id: int,
        *,
        status: str,
        seconds: float,
        load_seconds: float | None = None,
        error: str | None = None,
        error_type: str | None = None,
        passing: bool = False,
    ) -> None:
        """Write how an attempt ended.

        Args:
            attempt_id: as `start_attempt` gave it.
            status: "completed", "failed", or "interrupted" by a stop of its process.
            seconds: how long it took.
            load_seconds: of these, the time until its model was loaded; None when it was loaded already.
            error: why it failed, one sentence.
            error_type: class of the error.
            passing: the cause can pass, so the same model may be tried again.
        """
        with self._database.writing() as session:
            _end_attempt(
                session,
                attempt_id,
                status,
                seconds=seconds,
                load_seconds=load_seconds,
                error=error,
                error_type=error_type,
                passing=passing,
            )

    def record_result(
        self,
        request_id: str,
        result: TaskResult,
        cached: bool = False,
        *,
        life: int | None = None,
        attempt: AttemptEnd | None = None,
    ) -> None:
        """Write the result of a task, and link its outputs.

        Args:
            request_id: the request.
            result: the result.
            cached: it came from a cache.
            life: as in `finish_request`.
            attempt: the attempt that made it, which completed with it.
        """
        with self._database.writing() as session:
            open_row(session, request_id, life)
            if attempt is not None:
                _end_attempt(
                    session, attempt.attempt_id, "completed", seconds=attempt.seconds, load_seconds=attempt.load_seconds
                )
            task = task_row(session, request_id, result.task_id)
            lifecycle.store_result(session, task, result, datetime.now(UTC), cached=cached)

    def record_no_result(
        self, request_id: str, task_id: int, status: TaskStatus, error: str, *, life: int | None = None
    ) -> None:
        """Write why a task has no result. One that has a result keeps it.

        Args:
            request_id: the request.
            task_id: the task in its plan.
            status: FAILED or SKIPPED.
            error: why, one sentence.
            life: as in `finish_request`.
        """
        with self._database.writing() as session:
            open_row(session, request_id, life)
            task = task_row(session, request_id, task_id)
            if task.result is not None:
                return
            task.status = status
            task.error = error
            task.ended_at = datetime.now(UTC)

    def record_controller_call(
        self, request_id: str, task_id: int | None, call: ControllerCall, *, life: int | None = None
    ) -> None:
        """Write one call to the controller, whether it succeeded or not. `life` as in `finish_request`."""
        with self._database.writing() as session:
            request = open_row(session, request_id, life)
            session.add(
                ControllerCallRow(
                    request_id=request_id,
                    life=request.life,
                    task_id=task_id,
                    stage=call.stage,
                    prompt_name=call.prompt_name,
                    prompt_sha256=call.prompt_sha256,
                    model=call.model,
                    attempt=call.attempt,
                    prompt_tokens=call.prompt_tokens,
                    completion_tokens=call.completion_tokens,
                    seconds=call.seconds,
                    cost_microdollars=call.cost_microdollars,
                    error=call.error,
                    started_at=call.started_at,
                )
            )

    # What the stages ask

    def plan(self, request_id: str) -> Plan | None:
        """The recorded plan; None when there is none yet."""
        with self._database.reading() as session:
            return questions.plan_of(session, request_id)

    def choices(self, request_id: str) -> dict[int, ModelChoice]:
        """The choices recorded so far, by task id."""
        with self._database.reading() as session:
            return questions.choices_of(session, request_id)

    def results(self, request_id: str) -> dict[int, TaskResult]:
        """The results recorded so far, computed or cached, by task id."""
        with self._database.reading() as session:
            return questions.results_of(session, request_id)

    def status(self, request_id: str) -> RequestStatus:
        """How the request stands.

        Raises:
            TraceError: it is unknown.
        """
        with self._database.reading() as session:
            request = session.get(Request, request_id)
            if request is None:
                raise TraceError(f"There is no request '{one_line(request_id, SHOWN_ID)}' in the trace.")
            return RequestStatus(request.status)

    def knows(self, request_id: str) -> bool:
        """Whether there is a request of that id."""
        with self._database.reading() as session:
            return session.get(Request, request_id) is not None

    def has_begun(self, flow_run_id: str) -> bool:
        """Whether a flow run has begun a request."""
        with self._database.reading() as session:
            begun = select(FlowRun.request_id).where(FlowRun.flow_run_id == flow_run_id).limit(1)
            return session.scalar(begun) is not None

    def runs_over(self, flow_run_ids: Sequence[str], seconds: float) -> dict[str, EndedRun]:
        """How flow runs ended whose requests have ended, by Prefect's ids.

        Args:
            seconds: leave out those whose requests ended less than so long ago.
        """
        with self._database.reading() as session:
            before = self._database.now(session) - timedelta(seconds=seconds)
            return questions.runs_over(session, flow_run_ids, before)

    def budget(self, request_id: str) -> Budget:
        """What the request may cost, and what it has cost so far."""
        with self._database.reading() as session:
            return questions.budget_of(session, request_id)

    def failed_candidates(self, request_id: str, task_id: int, life: int) -> set[str]:
        """The candidates, as "endpoint:id", that failed the task in this life for a cause that cannot pass."""
        with self._database.reading() as session:
            return questions.failed_in(session, request_id, task_id, life)

    def turns(self, conversation_id: str, before: str | None = None) -> list[Turn]:
        """The answered requests of a conversation, oldest first.

        Args:
            conversation_id: the conversation.
            before: a request of it, to have only those before that one.
        """
        with self._database.reading() as session:
            return questions.turns_of(session, conversation_id, before)

    def latest_conversation(self) -> str | None:
        """The conversation of the newest request; None in an empty trace."""
        with self._database.reading() as session:
            return questions.latest_conversation(session)

    # What people ask

    def conversation(self, id_or_prefix: str) -> str:
        """The id of a conversation.

        Raises:
            TraceError: no conversation, or more than one, has an id that begins so.
        """
        with self._database.reading() as session:
            return questions.find_id(session, Conversation, id_or_prefix)

    def request(self, request_id_or_prefix: str) -> RequestTrace:
        """Everything that happened for a request.

        Raises:
            TraceError: no request, or more than one, has an id that begins so.
        """
        with self._database.reading() as session:
            request_id = questions.find_id(session, Request, request_id_or_prefix)
            return questions.story_of(session, request_id, self._database.now(session))

    def requests(self, limit: int = 20, conversation_id: str | None = None) -> list[RequestSummary]:
        """The latest requests, newest first."""
        with self._database.reading() as session:
            return questions.summaries(session, self._database.now(session), limit, conversation_id)

    def counts(self) -> dict[RequestStatus, int]:
        """How many requests have each status."""
        with self._database.reading() as session:
            return questions.counts(session, self._database.now(session))

    def uses_of_models(self) -> dict[str, ModelUse]:
        """How often each model was run by this machine's own experts, and when last, by its id."""
        with self._database.reading() as session:
            return questions.uses_of_models(session)

    def kinds_used(self, within: timedelta) -> set[str]:
        """The kinds of task that models of this machine were run for lately."""
        with self._database.reading() as session:
            return questions.kinds_used(session, self._database.now(session) - within)

    # What catalogs share

    def measurement(self, max_age: float) -> Measurement:
        """What the latest runs of all models came to, the same for all processes.

        Args:
            max_age: seconds; an older measurement is replaced by a new one.
        """
        oldest = timedelta(seconds=max_age)
        with self._database.reading() as session:
            latest = questions.latest_measurement(session)
            if latest is not None and latest.at > self._database.now(session) - oldest:
                return latest
        with self._database.writing() as session:
            now = self._database.now(session)
            # Of several processes that come here at once the others wait for the first, and take what it measured.
            claim = insert_for(session, LatestMeasurement).values(id=1, measured_at=now)
            mine = session.execute(
                claim.on_conflict_do_update(
                    index_elements=[LatestMeasurement.id],
                    set_={"measured_at": now},
                    where=LatestMeasurement.measured_at <= now - oldest,
                ).returning(LatestMeasurement.id)
            ).all()
            if mine:
                session.execute(delete(ModelFigures))
                session.add_all(
                    ModelFigures(kind=kind, model_id=model_id, endpoint=endpoint, **figures.model_dump())
                    for (kind, model_id, endpoint), figures in questions.measured(session, now).items()
                )
            measurement = questions.latest_measurement(session)
            assert measurement is not None
            return measurement

    def cards(self, kind: str) -> tuple[list[ModelCard], datetime] | None:
        """The cards of the latest Hub lookup of a kind and when that was; None when there was none."""
        with self._database.reading() as session:
            lookup = session.get(HubLookup, kind)
            if lookup is None:
                return None
            rows = session.scalars(select(StoredModelCard.card).filter_by(kind=kind).order_by(StoredModelCard.position))
            return [ModelCard.model_validate(row) for row in rows], lookup.fetched_at

    def save_cards(self, kind: str, cards: Sequence[ModelCard]) -> None:
        """Replace the cards of a kind by those of a new lookup."""
        with self._database.writing() as session:
            now = datetime.now(UTC)
            # Writing this row first makes others who save the same kind wait for us.
            session.execute(
                insert_for(session, HubLookup)
                .values(kind=kind, fetched_at=now)
                .on_conflict_do_update(index_elements=[HubLookup.kind], set_={"fetched_at": now})
            )
            session.execute(delete(StoredModelCard).filter_by(kind=kind))
            session.add_all(
                StoredModelCard(
                    kind=kind,
                    position=position,
                    model_id=card.id,
                    downloads=card.downloads,
                    card=card.model_dump(mode="json"),
                )
                for position, card in enumerate(cards)
            )

    # What goes

    @property
    def pruning(self) -> Pruning:
        """What of it can be let go."""
        from hugginggpt.trace.pruning import Pruning

        return Pruning(self._database)


def _end_attempt(session: Session, attempt_id: int, status: str, **how: Any) -> None:
    attempt = session.get(ExpertRun, attempt_id)
    if attempt is None:
        raise TraceError(f"There is no attempt {attempt_id} in the trace.")
    open_row(session, attempt.request_id, attempt.life)
    attempt.status = status
    attempt.ended_at = datetime.now(UTC)
    for name, value in how.items():
        setattr(attempt, name, value)
