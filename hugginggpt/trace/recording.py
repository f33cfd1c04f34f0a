"""What the stages record during one life of a request, and what they ask the trace."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from hugginggpt.artifacts import Resource
from hugginggpt.errors import HuggingGPTError, TraceError
from hugginggpt.models.card import Candidate, ModelChoice
from hugginggpt.plan import Plan
from hugginggpt.request import Budget
from hugginggpt.results import RequestStatus, TaskOutcome, TaskResult, TaskStatus
from hugginggpt.trace.database import Database
from hugginggpt.trace.lifecycle import finish
from hugginggpt.trace.requests import choice_of, plan_of, task_rows
from hugginggpt.trace.rows import (
    ATTEMPTS,
    OPEN,
    TASKS,
    RecordedTask,
    add_resources,
    insert_for,
    is_task,
    lock_open,
    locked,
    no_such,
    no_task,
    open_row,
    recorded_task,
    store_result,
)
from hugginggpt.trace.story import Answer, AttemptEnd
from hugginggpt.trace.tables import ControllerCallRow, ExpertRunRow, ModelSelectionRow, PlannedTaskRow, RequestRow

if TYPE_CHECKING:
    from hugginggpt.controller.call import ControllerCall


class RunTrace:
    """The trace of one life of a request. Raises the errors of `Trace`.

    Once another life has taken over, every write raises `RequestClosedError`.

    Args:
        database: where the trace is.
        request_id: the request.
        life: the number of the life that writes.
    """

    def __init__(self, database: Database, request_id: str, life: int) -> None:
        self._database = database
        self.request_id = request_id
        self.life = life

    # What the stages record

    def record_resources(self, resources: Sequence[Resource]) -> None:
        """Add the resources that the plan names besides the request's own files; known names stay as they are."""
        with self._database.writing() as session:
            self._lock_open(session)
            add_resources(session, self.request_id, resources, datetime.now(UTC))

    def record_plan(self, plan: Plan, source: str, resources: Sequence[Resource] = ()) -> None:
        """Write the plan, and add the resources that it names.

        Args:
            plan: a valid plan.
            source: where it came from: "controller", "given" by the user, or "cache".
            resources: as for `record_resources`.

        Raises:
            TraceError: another plan is recorded, and work on it has begun.
        """
        with self._database.writing() as session:
            request = self._open_row(session)
            add_resources(session, self.request_id, resources, datetime.now(UTC))
            recorded = plan_of(request, task_rows(session, self.request_id))
            if recorded == plan:
                return
            if recorded is not None:
                chosen = select(ModelSelectionRow.task_id).filter_by(request_id=self.request_id).limit(1)
                if session.scalar(chosen) is not None:
                    raise TraceError(f"Request {self.request_id} already has another plan, and work on it has begun.")
                session.execute(delete(PlannedTaskRow).filter_by(request_id=self.request_id))
            request.plan_source = source
            request.plan_repairs = list(plan.repairs)
            request.planned_at = datetime.now(UTC)
            session.add_all(
                PlannedTaskRow(
                    request_id=self.request_id,
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

    def record_choices(self, choices: Mapping[int, ModelChoice], cached: bool = False) -> None:
        """Record the models chosen for tasks, by task id; a later choice replaces an earlier one."""
        if not choices:
            return
        with self._database.writing() as session:
            self._lock_open(session)
            known = set(session.scalars(select(PlannedTaskRow.task_id).filter_by(request_id=self.request_id)))
            if unknown := choices.keys() - known:
                raise no_task(self.request_id, min(unknown))
            rows = [
                {
                    "request_id": self.request_id,
                    "task_id": task_id,
                    "kind": choice.kind,
                    "model_id": choice.chosen.card.id,
                    "revision": choice.chosen.card.revision,
                    "endpoint": choice.chosen.endpoint,
                    "reason": choice.reason,
                    "chosen_by": choice.chosen_by,
                    "ranked": [candidate.model_dump(mode="json") for candidate in choice.ranked],
                    "cached": cached,
                    "created_at": datetime.now(UTC),
                }
                for task_id, choice in choices.items()
            ]
            chosen = insert_for(session, ModelSelectionRow)
            key = [ModelSelectionRow.request_id, ModelSelectionRow.task_id]
            later = {name: chosen.excluded[name] for name in rows[0] if name not in ("request_id", "task_id")}
            session.execute(chosen.on_conflict_do_update(index_elements=key, set_=later), rows)

    def start_attempt(self, task_id: int, candidate: Candidate, run_count: int) -> int:
        """Record that a model begins to work on a task.

        Args:
            task_id: the task in the plan.
            candidate: the model that begins.
            run_count: the orchestrator's count of the task run's tries, from 1.

        Returns:
            The attempt, for `finish_attempt`.
        """
        with self._database.writing() as session:
            self._lock_open(session)
            now = datetime.now(UTC)
            begun = func.coalesce(TASKS.c.started_at, literal(now, TASKS.c.started_at.type))
            started = update(TASKS).where(is_task(self.request_id, task_id)).values(started_at=begun)
            connection = session.connection()
            if connection.execute(started).rowcount == 0:
                raise no_task(self.request_id, task_id)
            attempt = {
                "request_id": self.request_id,
                "task_id": task_id,
                "life": self.life,
                "run_count": run_count,
                "model_id": candidate.card.id,
                "revision": candidate.card.revision,
                "endpoint": candidate.endpoint,
                "status": "running",
                "passing": False,
                "started_at": now,
            }
            id_: int = connection.execute(insert(ATTEMPTS).values(attempt).returning(ATTEMPTS.c.id)).scalar_one()
            return id_

    def record_progress(self, attempt_id: int, progress: str) -> None:
        """Record the progress of an attempt. An attempt that has ended keeps the progress that was recorded last.

        Args:
            attempt_id: as `start_attempt` returns it.
            progress: a few words.
        """
        with self._database.writing() as session:
            running = update(ExpertRunRow).where(ExpertRunRow.id == attempt_id, ExpertRunRow.status == "running")
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
        """Record how an attempt ended.

        Args:
            attempt_id: as `start_attempt` returns it.
            status: "completed", "failed", or "interrupted" when its process was stopped.
            seconds: how long it took.
            load_seconds: of these, the time until its model was loaded; None if it was loaded already.
            error: why it failed, one sentence.
            error_type: class of the error.
            passing: the failure may be temporary, so the same model may be tried again.
        """
        with self._database.writing() as session:
            self._lock_open(session)
            _end_attempt(
                session,
                AttemptEnd(attempt_id, seconds, load_seconds),
                status=status,
                error=error,
                error_type=error_type,
                passing=passing,
            )

    def record_result(
        self, result: TaskResult, cached: bool = False, *, attempt: AttemptEnd | None = None
    ) -> TaskResult:
        """Record the result of a task, and link its outputs.

        Args:
            result: the result.
            cached: it came from a cache.
            attempt: the attempt that made it, which is recorded as completed in the same transaction.

        Returns:
            The result that counts: an earlier one if another run of the task finished while this attempt was at work.
        """
        with self._database.writing() as session:
            self._lock_open(session)
            before = recorded_task(session, self.request_id, result.task_id)
            if attempt is not None and _finished_meanwhile(session, before, attempt):
                _end_attempt(session, attempt, status="interrupted", error="Another run of this task finished first.")
                return TaskResult.model_validate(before.result)
            if attempt is not None:
                _end_attempt(session, attempt, status="completed")
            store_result(session, self.request_id, result, before, datetime.now(UTC), cached=cached)
            return result

    def record_no_result(self, task_id: int, status: TaskStatus, error: str) -> None:
        """Record why a task has no result. A task that has a result keeps it.

        Args:
            task_id: the task in the plan.
            status: FAILED or SKIPPED.
            error: why, one sentence.
        """
        with self._database.writing() as session:
            self._lock_open(session)
            if recorded_task(session, self.request_id, task_id).result is not None:
                return
            ended = {"status": status, "error": error, "ended_at": datetime.now(UTC)}
            session.connection().execute(update(TASKS).where(is_task(self.request_id, task_id)).values(ended))

    def record_controller_call(self, task_id: int | None, call: "ControllerCall") -> None:
        """Record one call to the controller, whether it succeeded or not."""
        with self._database.writing() as session:
            self._lock_open(session)
            session.add(
                ControllerCallRow(
                    request_id=self.request_id,
                    life=self.life,
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

    def finish(
        self,
        status: RequestStatus,
        answer: Answer | None = None,
        error: HuggingGPTError | None = None,
        outcomes: Sequence[TaskOutcome] = (),
    ) -> None:
        """Record the answer, the final status and how each task ended. Nothing changes after that.

        Args:
            status: how the request ended.
            answer: None if there is none.
            error: why it failed, or why its answer is the plain rendering.
            outcomes: how tasks ended; a task without an outcome stays as it was recorded.
        """
        if status in OPEN:
            raise TraceError(f"Request {self.request_id} cannot be finished as {status}: pass a final status.")
        ended = (status, answer and answer.text, error and error.message)
        with self._database.writing() as session:
            done = locked(session, self.request_id)
            if done is not None and (done.status, done.response, done.error) == ended:
                return
            now = self._database.now(session)
            finish(session, self._open_row(session), now, status=status, answer=answer, error=error, outcomes=outcomes)

    # What the stages ask

    def status(self) -> RequestStatus:
        """The status of the request.

        Raises:
            TraceError: it is unknown.
        """
        with self._database.reading() as session:
            request = session.get(RequestRow, self.request_id)
            if request is None:
                raise no_such("request", self.request_id)
            return RequestStatus(request.status)

    def plan(self) -> Plan | None:
        """The recorded plan; None if there is none yet."""
        with self._database.reading() as session:
            request = session.get(RequestRow, self.request_id)
            return None if request is None else plan_of(request, task_rows(session, self.request_id))

    def choices(self) -> dict[int, ModelChoice]:
        """The choices recorded so far, by task id."""
        chosen = select(ModelSelectionRow).filter_by(request_id=self.request_id).order_by(ModelSelectionRow.task_id)
        with self._database.reading() as session:
            return {row.task_id: choice_of(row) for row in session.scalars(chosen)}

    def candidates(self) -> set[str]:
        """The ids of all models that the choices recorded so far name."""
        ranked = select(ModelSelectionRow.ranked).filter_by(request_id=self.request_id)
        with self._database.reading() as session:
            return {candidate["card"]["id"] for candidates in session.scalars(ranked) for candidate in candidates}

    def results(self) -> dict[int, TaskResult]:
        """The results recorded so far, computed or cached, by task id."""
        with self._database.reading() as session:
            return {
                row.task_id: TaskResult.model_validate(row.result)
                for row in task_rows(session, self.request_id)
                if row.result is not None and row.status in (TaskStatus.COMPLETED, TaskStatus.CACHED)
            }

    def earlier(self, task_id: int) -> tuple[TaskResult | None, set[str]]:
        """What earlier tries of a task have left.

        Returns:
            its result, if it has one; and the candidates, as "endpoint:id", whose failures in this life were permanent.
        """
        failed = select(ExpertRunRow.endpoint, ExpertRunRow.model_id).filter_by(
            request_id=self.request_id, task_id=task_id, life=self.life, status="failed", passing=False
        )
        done = select(PlannedTaskRow.result).where(
            PlannedTaskRow.request_id == self.request_id,
            PlannedTaskRow.task_id == task_id,
            PlannedTaskRow.status.in_([TaskStatus.COMPLETED, TaskStatus.CACHED]),
        )
        with self._database.reading() as session:
            result = session.scalar(done)
            names = {f"{endpoint}:{model_id}" for endpoint, model_id in session.execute(failed)}
        return None if result is None else TaskResult.model_validate(result), names

    def budget(self) -> Budget:
        """What the request may cost, and what it has cost so far."""
        costs = select(func.sum(ControllerCallRow.cost_microdollars)).filter_by(request_id=self.request_id)
        with self._database.reading() as session:
            ceiling = session.get_one(RequestRow, self.request_id).options.get("max_cost")
            return Budget(ceiling=None if ceiling is None else round(ceiling * 1e6), spent=session.scalar(costs) or 0)

    def _open_row(self, session: Session) -> RequestRow:
        return open_row(session, self.request_id, self.life)

    def _lock_open(self, session: Session) -> None:
        lock_open(session, self.request_id, self.life)


def _finished_meanwhile(session: Session, task: RecordedTask, end: AttemptEnd) -> bool:
    """Whether another run of the task recorded a result while the attempt was at work."""
    if task.status != TaskStatus.COMPLETED or task.ended_at is None:
        return False
    began: datetime = (
        session.connection().execute(select(ATTEMPTS.c.started_at).where(ATTEMPTS.c.id == end.attempt_id)).scalar_one()
    )
    return task.ended_at >= began


def _end_attempt(session: Session, end: AttemptEnd, **how: Any) -> None:
    values = {"ended_at": datetime.now(UTC), "seconds": end.seconds, "load_seconds": end.load_seconds, **how}
    ended = update(ATTEMPTS).where(ATTEMPTS.c.id == end.attempt_id).values(values)
    if session.connection().execute(ended).rowcount == 0:
        raise TraceError(f"There is no attempt {end.attempt_id} in the trace.")
