"""What the stages record during one life of a request, and what they ask the trace."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from hugginggpt.costs import Budget
from hugginggpt.errors import HuggingGPTError, TraceError
from hugginggpt.models.card import Candidate, ModelChoice
from hugginggpt.plan import Plan
from hugginggpt.resource import Resource
from hugginggpt.results import RequestStatus, TaskOutcome, TaskResult, TaskStatus
from hugginggpt.trace.database import Database
from hugginggpt.trace.group_commit import GroupCommit
from hugginggpt.trace.lifecycle import finish
from hugginggpt.trace.plans import add_version, new_row, plan_of, task_rows, version_of, went_around
from hugginggpt.trace.requests import choice_of
from hugginggpt.trace.rows import (
    ATTEMPTS,
    OPEN,
    TASKS,
    NewResult,
    RecordedTask,
    add_resources,
    insert_for,
    is_task,
    lock_open,
    locked,
    no_such,
    no_task,
    open_row,
    recorded_tasks,
    store_results,
)
from hugginggpt.trace.spending import add_cost, budget
from hugginggpt.trace.story import Answer, AttemptEnd
from hugginggpt.trace.tables import ControllerCallRow, ExpertRunRow, ModelSelectionRow, PlannedTaskRow, RequestRow

if TYPE_CHECKING:
    from hugginggpt.controller.call import ControllerCall


class RunTrace:
    """The trace of one life of a request. Raises the errors of `Trace`. Safe to share between threads.

    Once another life has taken over, every write raises `RequestClosedError`. What threads record around their experts
    at the same time is committed together.

    Args:
        database: where the trace is.
        request_id: the request.
        life: the number of the life that writes.
    """

    def __init__(self, database: Database, request_id: str, life: int) -> None:
        self._database = database
        self.request_id = request_id
        self.life = life
        self._starts: GroupCommit[dict[str, Any], int] = GroupCommit()
        self._results: GroupCommit[_Made, TaskResult] = GroupCommit()

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
            session.add_all(new_row(self.request_id, task, position) for position, task in enumerate(plan.tasks))

    def record_further_plan(self, plan: Plan) -> None:
        """Write a further version of the plan: it keeps the tasks that have a result, and has others for the rest.

        Raises:
            TraceError: no plan is recorded.
        """
        with self._database.writing() as session:
            request = self._open_row(session)
            if request.planned_at is None:
                raise TraceError(f"Request {self.request_id} has no plan that another one could replace.")
            add_version(session, request, plan)

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
        start = {
            "task_id": task_id,
            "run_count": run_count,
            "model_id": candidate.card.id,
            "revision": candidate.card.revision,
            "endpoint": candidate.endpoint,
        }
        return self._starts.commit(start, self._start_all)

    def _start_all(self, starts: Sequence[dict[str, Any]]) -> Sequence[int]:
        """Record attempts that begin; return their ids in the same order."""
        with self._database.writing() as session:
            self._lock_open(session)
            connection, now = session.connection(), datetime.now(UTC)
            tasks = {start["task_id"] for start in starts}
            begun = {"request": self.request_id, "tasks": sorted(tasks), "now": now}
            if connection.execute(_BEGUN, begun).rowcount != len(tasks):
                recorded_tasks(session, self.request_id, tasks)  # raises for the one that is unknown
            common = {
                "request_id": self.request_id,
                "life": self.life,
                "status": "running",
                "passing": False,
                "started_at": now,
            }
            return connection.execute(_NEW_ATTEMPTS, [common | start for start in starts]).scalars().all()

    def record_progress(self, attempt_id: int, progress: str) -> None:
        """Record the progress of an attempt. An attempt that has ended keeps the progress that was recorded last.

        Args:
            attempt_id: as `start_attempt` returns it.
            progress: a few words.
        """
        with self._database.writing() as session:
            running = update(ExpertRunRow).where(ExpertRunRow.id == attempt_id, ExpertRunRow.status == "running")
            session.execute(running.values(progress=progress))

    def add_cost(self, attempt_id: int, microdollars: int) -> None:
        """Record that a call within an attempt, by its id, has cost this many millionths of a US dollar."""
        with self._database.writing() as session:
            add_cost(session, attempt_id, microdollars)

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
            _attempts_began(session, [attempt_id])
            end = _end(AttemptEnd(attempt_id, seconds, load_seconds), datetime.now(UTC), status, error)
            session.connection().execute(_ENDED, [{**end, "error_type": error_type, "passing": passing}])

    def record_result(self, result: TaskResult, *, attempt: AttemptEnd | None = None) -> TaskResult:
        """Record the result of a task, and link its outputs.

        Args:
            result: the result.
            attempt: the attempt that made it, which is recorded as completed in the same transaction.

        Returns:
            The result that counts: an earlier one if another run of the task finished while this attempt was at work.
        """
        return self._results.commit(_Made(result, attempt), self._record_all)

    def record_cached(self, results: Sequence[TaskResult]) -> None:
        """Record results that came from a cache, of different tasks, and link their outputs."""
        self._record_all([_Made(result) for result in results], cached=True)

    def _record_all(self, made: Sequence["_Made"], cached: bool = False) -> Sequence[TaskResult]:
        """Record results and the ends of their attempts; return the results that count, in the same order."""
        with self._database.writing() as session:
            self._lock_open(session)
            now = datetime.now(UTC)
            recorded = recorded_tasks(session, self.request_id, [one.result.task_id for one in made])
            began = _attempts_began(session, [one.attempt.attempt_id for one in made if one.attempt is not None])
            counting: list[TaskResult] = []
            ends: list[dict[str, Any]] = []
            new: list[NewResult] = []
            for result, attempt in made:
                before = recorded[result.task_id]
                is_late = attempt is not None and _finished_since(before, began[attempt.attempt_id])
                if attempt is not None:
                    ends.append(_end(attempt, now, *(_LATE if is_late else ("completed", None))))
                if not is_late:
                    new.append(NewResult(result, before, cached))
                counting.append(TaskResult.model_validate(before.result) if is_late else result)
            if ends:
                session.connection().execute(_ENDED, ends)
            store_results(session, self.request_id, new, now)
            return counting

    def record_no_result(self, task_id: int, status: TaskStatus, error: str) -> None:
        """Record why a task has no result. A task that has a result keeps it.

        Args:
            task_id: the task in the plan.
            status: FAILED or SKIPPED.
            error: why, one sentence.
        """
        with self._database.writing() as session:
            self._lock_open(session)
            if recorded_tasks(session, self.request_id, [task_id])[task_id].result is not None:
                return
            ended = {"status": status, "error": error, "ended_at": datetime.now(UTC)}
            session.connection().execute(update(TASKS).where(is_task(self.request_id, task_id)).values(ended))

    def record_controller_call(self, task_id: int | None, call: "ControllerCall") -> None:
        """Record one call to the controller, whether it succeeded or not."""
        with self._database.writing() as session:
            self._lock_open(session)
            session.add(ControllerCallRow(request_id=self.request_id, life=self.life, task_id=task_id, **dict(call)))

    def refuse_call(self, stage: str, since: datetime, error: str) -> None:
        """Record why the answer of the latest call for a purpose was not used, if there was a call since a time."""
        with self._database.writing() as session:
            self._lock_open(session)
            calls = select(ControllerCallRow).filter_by(request_id=self.request_id, life=self.life, stage=stage)
            latest = calls.where(ControllerCallRow.started_at >= since).order_by(ControllerCallRow.id.desc()).limit(1)
            if (row := session.scalar(latest)) is not None:
                row.error = error

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

    def plan_version(self) -> tuple[int, int]:
        """The version of the plan, from 1, and the first id that no task of any version has."""
        with self._database.reading() as session:
            rows = task_rows(session, self.request_id)
            return version_of(rows), max((row.task_id for row in rows), default=-1) + 1

    def went_around(self) -> tuple[list[TaskOutcome], set[int]]:
        """The tasks without a result that only earlier versions of the plan have, and the ids of those added since."""
        with self._database.reading() as session:
            return went_around(task_rows(session, self.request_id))

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
        with self._database.reading() as session:
            return budget(session, self.request_id)

    def _open_row(self, session: Session) -> RequestRow:
        return open_row(session, self.request_id, self.life)

    def _lock_open(self, session: Session) -> None:
        lock_open(session, self.request_id, self.life)


class _Made(NamedTuple):
    """A result to record, and the attempt that made it, if one did."""

    result: TaskResult
    attempt: AttemptEnd | None = None


# Made once: making a statement takes longer than executing it.
_BEGUN = (
    update(TASKS)
    .where(TASKS.c.request_id == bindparam("request"), TASKS.c.task_id.in_(bindparam("tasks", expanding=True)))
    .values(started_at=func.coalesce(TASKS.c.started_at, bindparam("now", type_=TASKS.c.started_at.type)))
)
_NEW_ATTEMPTS = insert(ATTEMPTS).returning(ATTEMPTS.c.id, sort_by_parameter_order=True)
_STARTED = select(ATTEMPTS.c.id, ATTEMPTS.c.started_at).where(ATTEMPTS.c.id.in_(bindparam("attempts", expanding=True)))
_ENDED = update(ATTEMPTS).where(ATTEMPTS.c.id == bindparam("attempt"))
_LATE = ("interrupted", "Another run of this task finished first.")


def _attempts_began(session: Session, attempt_ids: Sequence[int]) -> dict[int, datetime]:
    """When attempts began, by their ids.

    Raises:
        TraceError: one of them is unknown.
    """
    began = {row.id: row.started_at for row in session.connection().execute(_STARTED, {"attempts": attempt_ids})}
    if unknown := set(attempt_ids) - began.keys():
        raise TraceError(f"There is no attempt {min(unknown)} in the trace.")
    return began


def _finished_since(task: RecordedTask, began: datetime) -> bool:
    """Whether another run of the task recorded a result while an attempt was at work."""
    return task.status == TaskStatus.COMPLETED and task.ended_at is not None and task.ended_at >= began


def _end(end: AttemptEnd, now: datetime, status: str, error: str | None) -> dict[str, Any]:
    """The values for `_ENDED`."""
    return {
        "attempt": end.attempt_id,
        "ended_at": now,
        "seconds": end.seconds,
        "load_seconds": end.load_seconds,
        "status": status,
        "error": error,
    }
