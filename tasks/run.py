"""Stage three: the plan's tasks as task runs, each as soon as what it refers to is final."""

import math
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, cast
from weakref import WeakValueDictionary

from prefect import Task, allow_failure
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed

from hugginggpt.binding import bind, fingerprint, seed_for
from hugginggpt.capabilities import CAPABILITIES, Capability
from hugginggpt.controller.client import Controller
from hugginggpt.deadline import Deadline
from hugginggpt.errors import (
    DeadlineExceededError,
    DiskFullError,
    ExpertError,
    HuggingGPTError,
    PassingError,
    SelectionError,
)
from hugginggpt.execution import execute
from hugginggpt.experts.base import Surroundings
from hugginggpt.experts.pool import get_pool
from hugginggpt.models.card import Candidate, ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.redaction import said
from hugginggpt.request_run import RequestRun
from hugginggpt.results import TaskOutcome, TaskResult, TaskStatus
from hugginggpt.services import get_catalog, get_store
from hugginggpt.settings import get_settings
from hugginggpt.trace.story import AttemptEnd
from tasks.cancelling import cancel, cancellable, why_cancelled
from tasks.expert_workers.lost import POLL_SECONDS, StrandedRuns, lost, why_lost
from tasks.expert_workers.own_controller import needs_controller, submit_here
from tasks.expert_workers.placement import worker_for
from tasks.expert_workers.questions import workers_have_our_controller
from tasks.limits import slot_for
from tasks.policies import EXPERT, SETTLE
from tasks.recording import recorded_controller, recording, retry_while_database_is_down
from tasks.select import Choice, submit_selection
from tasks.ui.artifacts import show_choice, show_result
from tasks.ui.progress import showing_progress
from tasks.unexpected import explained

SKIPPED, RECOVERED, CACHED = "Skipped", "Recovered", "Cached"
TASK_RUN_NAME = "{planned.id} · {planned.task}"

MOST_LOSSES = 3
"""Task runs of one request that are done again because their workers went away."""


def run_experts(
    run: RequestRun, plan: Plan, choices: Mapping[int, Choice]
) -> tuple[list[TaskOutcome], list[State[Any]]]:
    """Run every task of the plan.

    A task whose choice and whose upstream tasks are final is submitted at once, with their states,
    so that Prefect knows the plan's edges. One that needs what was not made ends as skipped.

    Returns:
        how each task ended, in the plan's order, and the states of their task runs.

    Raises:
        DiskFullError: there is no room for what a task makes. What had finished is kept, and nothing counts as failed.
    """
    deadline = Deadline(math.inf)
    schedule = _Schedule(run, plan, choices, deadline)
    try:
        with cancellable(run.key, deadline):
            return schedule.run()
    except BaseException:
        cancel(run.key, "Its process was stopped.")
        raise


class _Schedule:
    """Which tasks wait, which run, and which have ended."""

    def __init__(self, run: RequestRun, plan: Plan, choices: Mapping[int, Choice], deadline: Deadline) -> None:
        self.request = run
        self.deadline = deadline
        self.plan = plan
        self.choices = dict(choices)
        known = retry_while_database_is_down("The results", lambda: run.trace.results())
        self.recovered = {k: r for k, r in known.items() if _is_stored(r)}
        self.futures: dict[int, PrefectFuture[TaskResult]] = {}
        self.outcomes: dict[int, TaskOutcome] = {}
        self.states: dict[int, State[Any]] = {}
        self.chosen: dict[int, State[ModelChoice]] = {}
        self.final: SimpleQueue[PrefectFuture[Any]] = SimpleQueue()
        self.losses = 0
        self.apart: set[int] = set()

    def run(self) -> tuple[list[TaskOutcome], list[State[Any]]]:
        for task_id, choice in self.choices.items():
            if isinstance(choice, PrefectFuture):
                choice.add_done_callback(self.final.put)
            else:
                show_choice(self.plan.task(task_id), choice)
        while True:
            for planned in self.plan.tasks:
                if planned.id not in self.futures and planned.id not in self.outcomes and self._ready(planned):
                    self._start(planned)
            if len(self.outcomes) == len(self.plan.tasks):
                ids = [planned.id for planned in self.plan.tasks]
                return [self.outcomes[k] for k in ids], [self.states[k] for k in ids]
            self._settle(self._next_final())

    def _next_final(self) -> PrefectFuture[Any]:
        stranded = StrandedRuns(self.deadline)
        while True:
            try:
                future = self.final.get(timeout=POLL_SECONDS)
            except Empty:
                stranded.cancel_among([*self.futures.values(), *self.choices.values()])
            else:
                future.wait()
                return future

    def _ready(self, planned: PlannedTask) -> bool:
        chosen = planned.id in self.chosen or not isinstance(self.choices[planned.id], PrefectFuture)
        return (chosen or planned.id in self.recovered) and all(k in self.outcomes for k in planned.dep)

    def _start(self, planned: PlannedTask, fresh: bool | None = None, *, here: bool = False) -> None:
        """Submit a task, or end it where it need not or cannot run.

        Args:
            planned: the task.
            fresh: cached results do not count; as the request has it when None.
            here: the workers' models could not do it, so what needs the controller is tried.
        """
        before = [allow_failure(self.states[k]) for k in planned.dep]

        def settled(name: str, **why: Any) -> None:
            self._end(planned, cast(State[Any], SETTLED_TASK(planned, name, **why, wait_for=before, return_state=True)))

        if planned.id in self.recovered:
            return settled(RECOVERED, result=self.recovered[planned.id])
        if (reason := self._why_skipped(planned)) is not None:
            return settled(SKIPPED, reason=reason)
        chosen = self.chosen.get(planned.id)
        if chosen is not None and not chosen.is_completed():
            return settled("Failed", reason=self._why_not(chosen))
        choice: Any = self.choices[planned.id] if chosen is None else chosen
        expert = EXPERT_TASKS[planned.task].with_options(
            refresh_cache=self.request.options.fresh if fresh is None else fresh
        )
        ranked = _ranked(choice)
        needs_ours = any(map(needs_controller, ranked))
        apart = needs_ours and not workers_have_our_controller(planned.task)
        parameters: dict[str, Any] = {
            "run": self.request,
            "planned": planned,
            "choice": choice,
            "upstream": {k: self.states[k] for k in planned.needs},
            "without_controller": False,
        }
        future: PrefectFuture[TaskResult]
        if apart and (here or needs_controller(ranked[0])):
            self.apart.discard(planned.id)
            future = submit_here(expert, parameters, wait_for=before)
        else:
            if apart:
                self.apart.add(planned.id)
            try:
                with worker_for(planned.task, ranked[0], self.deadline, with_controller=needs_ours and not apart):
                    future = expert.submit(**(parameters | {"without_controller": apart}), wait_for=before)
            except SelectionError as error:
                if apart:
                    return self._start(planned, fresh, here=True)
                return settled("Failed", reason=error.message)
            except DeadlineExceededError as error:
                return settled("Failed", reason=error.message)
        self.futures[planned.id] = future
        future.add_done_callback(self.final.put)

    def _why_skipped(self, planned: PlannedTask) -> str | None:
        for k in planned.needs:
            if self.outcomes[k].result is None:
                word = "was skipped" if self.outcomes[k].status is TaskStatus.SKIPPED else "failed"
                return f"It needs the result of task {self.plan.task(k).name}, which {word}."
        return None

    def _settle(self, future: PrefectFuture[Any]) -> None:
        planned = next((p for p in self.plan.tasks if self.futures.get(p.id) is future), None)
        if planned is None:
            self._settle_choice(future)
            return
        state = future.state
        stored = state.result() if state.is_completed() and state.name == CACHED else None
        if stored is not None and not (_is_stored(stored) and _is_whole(stored)):
            self._start(planned, fresh=True)
        elif self._is_to_be_done_again(future):
            self._start(planned)
        elif planned.id in self.apart and _has_no_model(state):
            self._start(planned, here=True)
        else:
            self._end(planned, state)

    def _is_to_be_done_again(self, future: PrefectFuture[Any]) -> bool:
        """Whether a task run was lost with its workers, and losing them is no habit yet."""
        if not lost(future) or why_cancelled(self.request.key) is not None:
            return False
        self.losses += 1
        return self.losses <= MOST_LOSSES

    def _end(self, planned: PlannedTask, state: State[Any]) -> None:
        """Note how a task run ended, and record what its body did not: a cache hit runs no body.

        Raises:
            DiskFullError: it ended because of that; the same task works when there is room.
        """
        if isinstance(error := _error(state), DiskFullError):
            raise error
        result: TaskResult | None = state.result() if state.is_completed() and state.name != SKIPPED else None
        outputs = result.outputs if result is not None else ()
        self.states[planned.id] = state
        outcome = self.outcomes[planned.id] = TaskOutcome(
            planned=planned,
            status=_status(state),
            result=None if result is None else result.model_copy(update={"task_id": planned.id}),
            error=None if result is not None else self._why_not(state),
            recovered=state.name == RECOVERED,
            files={artifact.sha256: get_store().address(artifact) for artifact in outputs if artifact.preview is None},
            ended_at=state.timestamp,
            prefect_task_run_id=str(state.state_details.task_run_id),
        )
        # Here and not in the task run: a cache hit runs no body, and the process of one that did may be gone.
        if outcome.result is not None:
            show_result(outcome.result, state.state_details.task_run_id)
        with recording(f"The end of task {planned.name}"):
            if outcome.result is None:
                self.request.trace.record_no_result(planned.id, outcome.status, outcome.error or "unknown")
            elif state.name == CACHED:
                self.request.trace.record_result(outcome.result, cached=True)

    def _why_not(self, state: State[Any]) -> str:
        """Why there is no result. What had no worker when its request's time was up was not lost with one."""
        over = None if state.is_final() else why_cancelled(self.request.key)
        return over or _message(state)

    def _settle_choice(self, future: PrefectFuture[ModelChoice]) -> None:
        task_id = next(k for k, choice in self.choices.items() if choice is future)
        if self._is_to_be_done_again(future):
            self._choose_again(task_id, fresh=False)
            return
        state = future.state
        if state.is_completed():
            choice: ModelChoice = state.result()
            if state.name == CACHED and choice.provisional:
                self._choose_again(task_id, fresh=True)
                return
            if state.name == CACHED:
                with recording("A cached selection"):
                    self.request.trace.record_choice(task_id, choice, cached=True)
            show_choice(self.plan.task(task_id), choice, state.state_details.task_run_id)
        self.chosen[task_id] = state

    def _choose_again(self, task_id: int, *, fresh: bool) -> None:
        again = submit_selection(self.request, self.plan.task(task_id), fresh=fresh)
        self.choices[task_id] = again
        again.add_done_callback(self.final.put)


def _ranked(choice: ModelChoice | State[ModelChoice]) -> tuple[Candidate, ...]:
    """The models in the order in which they are tried."""
    return (choice.result() if isinstance(choice, State) else choice).ranked


def _has_no_model(state: State[Any]) -> bool:
    """Whether a task run failed because no candidate could do it."""
    error = state.result(raise_on_failure=False) if state.is_failed() else None
    return isinstance(error, ExpertError) and not isinstance(error, DeadlineExceededError)


def _is_stored(result: TaskResult) -> bool:
    return all(get_store().keep(artifact) for artifact in result.outputs)


def _is_whole(result: TaskResult) -> bool:
    """Whether every element was made: what failed once may work now."""
    return all(item.error is None for item in result.items)


def _status(state: State[Any]) -> TaskStatus:
    if not state.is_completed():
        return TaskStatus.FAILED
    return {SKIPPED: TaskStatus.SKIPPED, CACHED: TaskStatus.CACHED}.get(state.name or "", TaskStatus.COMPLETED)


def _error(state: State[Any]) -> BaseException | None:
    """What a run raised; None where nothing was raised: what settled has no error as its data."""
    if not state.is_final() or state.is_completed() or state.data is None:
        return None
    error = state.result(raise_on_failure=False)
    return error if isinstance(error, BaseException) else None


def _message(state: State[Any]) -> str:
    """Why a run has no result, one sentence."""
    if not state.is_final():
        return why_lost()
    error = _error(state)
    if error is None:
        return state.message or str(state.name)
    if isinstance(error, HuggingGPTError):
        return error.message
    return f"It ended unexpectedly: {type(error).__name__}: {said(error)}"


def settle(planned: PlannedTask, name: str, reason: str = "", result: TaskResult | None = None) -> State[Any]:
    """Stand for a planned task that need not or cannot run."""
    if name == "Failed":
        return Failed(message=reason)
    if result is not None:
        return Completed(name=name, message="Finished in an earlier life of this request.", data=result)
    return Completed(name=name, message=reason)


SETTLED_TASK: Task[..., Any] = Task(settle, name="settled", task_run_name=TASK_RUN_NAME, **SETTLE.options)


# One task object per kind


@explained
def run_expert(
    run: RequestRun,
    planned: PlannedTask,
    choice: ModelChoice,
    upstream: dict[int, TaskResult],
    without_controller: bool = False,
) -> TaskResult:
    """Do one planned task on its chosen model, or on the next candidate that can.

    Args:
        run: the request.
        planned: the task.
        choice: its models, in the order in which they are tried.
        upstream: the results that it refers to.
        without_controller: this process has another controller than the request, so what needs one is left out.
    """
    task_run = TaskRunContext.get()
    assert task_run is not None
    run_count = task_run.task_run.run_count
    deadline = Deadline(get_settings().task_timeout or EXPERT[planned.task].seconds)
    inputs = fingerprint(planned, run.resources, upstream)
    attempts = _Attempts(run, planned.id, run_count)

    def controller() -> Controller:
        if without_controller:
            raise ExpertError("This expert worker has another controller than the request.")
        return recorded_controller(run, planned.id)

    answering = map(get_catalog().answering, choice.ranked)
    able = [c for c in answering if not (without_controller and needs_controller(c))]
    # A run that its flow let go of may still be at work in this process, for threads cannot be interrupted.
    with cancellable(run.key, deadline), deadline.holding(_turn(run, planned.id)):
        if (done := _done_before(run, planned.id)) is not None:
            return done
        with showing_progress(run, planned, lambda: attempts.current):
            result = execute(
                planned,
                deadline.wait_for(
                    lambda: bind(planned, run.resources, upstream, get_store(), max_chars=get_settings().max_text_chars)
                ),
                (deadline.wait_for(partial(get_catalog().current, c)) for c in attempts.not_failed(able)),
                pool=get_pool(get_settings()),
                surroundings=Surroundings(get_settings(), controller),
                store=get_store(),
                deadline=deadline,
                seed=seed_for(planned, inputs),
                attempts=attempts,
                slot=slot_for,
                last_try=run_count > task_run.task.retries,
            )
        with recording(f"The result of task {planned.name}"):
            return attempts.record(result)
    return result


_TURNS: WeakValueDictionary[tuple[str, int, int], threading.Lock] = WeakValueDictionary()


def _turn(run: RequestRun, task_id: int) -> threading.Lock:
    """The lock that the runs of one planned task in this process hold in turn."""
    return _TURNS.setdefault((run.request_id, run.life, task_id), threading.Lock())


def _done_before(run: RequestRun, task_id: int) -> TaskResult | None:
    """The result of a task run whose worker died after it was recorded, and before the flow heard of it."""
    known: TaskResult | None = None
    with recording("What was done before"):
        # Doing it again would take longer than this waits.
        known = retry_while_database_is_down("What was done before", run.trace.results).get(task_id)
    return known if known is not None and _is_stored(known) else None


def _expert_task(capability: Capability) -> Task[..., TaskResult]:
    return Task(
        run_expert,
        name=capability.kind,
        task_run_name=TASK_RUN_NAME,
        description=capability.description,
        tags={"expert", capability.kind},
        **EXPERT[capability.kind].options,
    )


EXPERT_TASKS: dict[str, Task[..., TaskResult]] = {kind: _expert_task(row) for kind, row in CAPABILITIES.items()}
"""The task object of each kind."""


class _Attempts:
    """Records each attempt of one try of a task run.

    Attributes:
        current: the attempt at work, as the trace calls it; None if it could not be recorded.
    """

    def __init__(self, run: RequestRun, task_id: int, run_count: int) -> None:
        self._trace = run.trace
        self._task_id = task_id
        self._run_count = run_count
        self._completed: AttemptEnd | None = None
        self.current: int | None = None

    def not_failed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that did not fail for good in an earlier try."""
        failed: set[str] = set()
        with recording("What failed before"):
            failed = self._trace.failed_candidates(self._task_id)
        return [c for c in candidates if f"{c.endpoint}:{c.card.id}" not in failed]

    def started(self, candidate: Candidate) -> None:
        """An attempt begins."""
        self.current = None
        with recording("The start of an attempt"):
            self.current = self._trace.start_attempt(self._task_id, candidate, self._run_count)

    def finished(self, seconds: float, error: BaseException | None, loading: float | None) -> None:
        """It has ended. What completed is recorded with its result, so that nobody does it again for want of that."""
        if self.current is None:
            return
        if error is None:
            self._completed = AttemptEnd(self.current, seconds, loading)
            return
        # What is no `Exception` came from outside, such as Ctrl-C, and says nothing of the model.
        with recording("The end of an attempt"):
            self._trace.finish_attempt(
                self.current,
                status="failed" if isinstance(error, Exception) else "interrupted",
                seconds=seconds,
                load_seconds=loading,
                error=error.message if isinstance(error, HuggingGPTError) else said(error),
                error_type=type(error).__name__,
                passing=isinstance(error, PassingError),
            )

    def record(self, result: TaskResult) -> TaskResult:
        """Write the result, and the end of the attempt that made it; return the one that counts."""
        return self._trace.record_result(result, attempt=self._completed)
