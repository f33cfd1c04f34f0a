"""Stage three: the plan's tasks as task runs, each submitted as soon as the tasks that it refers to are final."""

import math
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.results import ResultRecord  # type: ignore[attr-defined]
from prefect.states import Completed, Failed

from hugginggpt.artifacts import Artifact
from hugginggpt.conversation import SPEAKING
from hugginggpt.deadline import Deadline
from hugginggpt.errors import (
    DeadlineExceededError,
    DiskFullError,
    ExpertError,
    HuggingGPTError,
    SelectionError,
)
from hugginggpt.models.card import ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.references import sole_reference
from hugginggpt.redaction import said
from hugginggpt.request_run import RequestRun
from hugginggpt.results import LONG_TEXT, SPOKEN_TEXT, TaskOutcome, TaskResult, TaskStatus
from hugginggpt.services import get_store
from tasks.cancelling import cancellable, cancelled_on_error, why_cancelled
from tasks.edges import run_after, submit_after, unsearched
from tasks.expert_workers.lost import POLL_SECONDS, StrandedRuns, lost, why_lost
from tasks.expert_workers.own_controller import needs_controller, submit_here
from tasks.expert_workers.placement import worker_for
from tasks.expert_workers.questions import workers_have_our_controller
from tasks.policies import SETTLE, refreshing
from tasks.recording import record_choices, recording, retry_while_database_is_down
from tasks.run import EXPERT_TASKS, TASK_RUN_NAME, is_stored
from tasks.select import Selected, Selection, submit_selection
from tasks.ui.artifacts import show_choice, show_result

SKIPPED, RECOVERED, CACHED = "Skipped", "Recovered", "Cached"

MOST_LOSSES = 3
"""How many task runs of one request may be started again because their workers went away."""


Finished = dict[int, tuple[TaskOutcome, State[Any]]]
"""Tasks of an earlier version of a plan that have results, by id."""


def finished(outcomes: Sequence[TaskOutcome], states: Sequence[State[Any]]) -> Finished:
    """The tasks that have results, which a further version of the plan keeps."""
    both = zip(outcomes, states, strict=True)
    return {outcome.planned.id: (outcome, state) for outcome, state in both if outcome.result is not None}


def run_experts(
    run: RequestRun, plan: Plan, selections: Mapping[int, Selection], before: Finished | None = None
) -> tuple[list[TaskOutcome], list[State[Any]]]:
    """Run every task of the plan, but those that an earlier version of it has finished.

    A task is submitted as soon as its choice and its upstream tasks are final, with their states, so that Prefect
    knows the plan's edges. A task is skipped if a result that it needs is missing.

    Returns:
        how each task ended, in the plan's order, and the states of the task runs.

    Raises:
        DiskFullError: there is no room for a result. Finished results are kept, and nothing counts as failed.
    """
    deadline = Deadline(math.inf)
    schedule = _Schedule(run, plan, selections, deadline, before or {})
    with cancelled_on_error(run.key, "Its process was stopped."), cancellable(run.key, deadline):
        return schedule.run()


class _Schedule:
    """The tasks that wait, run, and have ended."""

    def __init__(
        self,
        run: RequestRun,
        plan: Plan,
        selections: Mapping[int, Selection],
        deadline: Deadline,
        before: Finished,
    ) -> None:
        self.request = run
        self.deadline = deadline
        self.plan = plan
        self.selections = dict(selections)
        known: dict[int, TaskResult] = {}
        if not run.is_first_life:
            known = retry_while_database_is_down("The results", lambda: run.trace.results())
        self.recovered = {k: r for k, r in known.items() if is_stored(r)}
        self.futures: dict[int, PrefectFuture[TaskResult]] = {}
        self.outcomes: dict[int, TaskOutcome] = {task_id: outcome for task_id, (outcome, _) in before.items()}
        self.states: dict[int, State[Any]] = {task_id: state for task_id, (_, state) in before.items()}
        self.chosen: dict[int, State[ModelChoice]] = {}
        self.final: SimpleQueue[PrefectFuture[Any]] = SimpleQueue()
        self.cached: list[TaskResult] = []
        self.losses = 0
        self.apart: set[int] = set()

    def run(self) -> tuple[list[TaskOutcome], list[State[Any]]]:
        for task_id, selection in self.selections.items():
            if isinstance(selection, Selected):
                by = None if selection.by is None else selection.by.state_details.task_run_id
                show_choice(self.plan.task(task_id), selection.choice, by)
            else:
                selection.add_done_callback(self.final.put)
        while True:
            for planned in self.plan.tasks:
                if planned.id not in self.futures and planned.id not in self.outcomes and self._ready(planned):
                    self._start(planned)
            if len(self.outcomes) == len(self.plan.tasks):
                ids = [planned.id for planned in self.plan.tasks]
                return [self.outcomes[k] for k in ids], [self.states[k] for k in ids]
            try:
                self._settle(self._next_final())
                while not self.final.empty():
                    self._settle(self._next_final())
            finally:
                self._record_cached()

    def _next_final(self) -> PrefectFuture[Any]:
        stranded = StrandedRuns(self.deadline)
        while True:
            try:
                future = self.final.get(timeout=POLL_SECONDS)
            except Empty:
                stranded.cancel_among([*self.futures.values(), *self.selections.values()])
            else:
                future.wait()
                return future

    def _ready(self, planned: PlannedTask) -> bool:
        chosen = planned.id in self.chosen or isinstance(self.selections[planned.id], Selected)
        return (chosen or planned.id in self.recovered) and all(k in self.outcomes for k in planned.dep)

    def _start(self, planned: PlannedTask, fresh: bool | None = None, *, here: bool = False) -> None:
        """Submit a task, or end it if it need not or cannot run.

        Args:
            planned: the task.
            fresh: ignore cached results; None follows the request's options.
            here: try the models that need the controller, because the workers' models could not do the task.
        """
        before = [self.states[k] for k in planned.dep]

        def settled(name: str, **why: Any) -> None:
            self._end(planned, run_after(before, SETTLED_TASK, unsearched(planned), name, **why))

        if planned.id in self.recovered:
            return settled(RECOVERED, result=self.recovered[planned.id])
        if (reason := self._why_skipped(planned)) is not None:
            return settled(SKIPPED, reason=reason)
        selection = self.selections[planned.id]
        chosen = selection.by if isinstance(selection, Selected) else self.chosen[planned.id]
        if chosen is not None and not chosen.is_completed():
            return settled("Failed", reason=self._why_not(chosen))
        choice: ModelChoice = selection.choice if isinstance(selection, Selected) else _result(self.chosen[planned.id])
        if chosen is not None:
            before.append(chosen)
        expert = EXPERT_TASKS[planned.task]
        if self.request.options.fresh if fresh is None else fresh:
            expert = refreshing(expert)
        ranked = choice.ranked
        needs_ours = any(map(needs_controller, ranked))
        apart = needs_ours and not workers_have_our_controller(planned.task)
        parameters: dict[str, Any] = {
            "run": unsearched(self.request),
            "planned": unsearched(planned),
            "choice": unsearched(choice),
            "upstream": unsearched({k: self.outcomes[k].result for k in planned.needs}),
            "without_controller": False,
        }
        future: PrefectFuture[TaskResult]
        if apart and (here or needs_controller(ranked[0])):
            self.apart.discard(planned.id)
            future = submit_here(expert, parameters, after=before)
        else:
            if apart:
                self.apart.add(planned.id)
            try:
                with worker_for(planned.task, ranked[0], self.deadline, with_controller=needs_ours and not apart):
                    future = submit_after(before, expert, **(parameters | {"without_controller": apart}))
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

    def _obstacle(self, planned: PlannedTask) -> str | None:
        """Why no model could have done a task; None if one could, or if nobody knows."""
        state = self.chosen.get(planned.id)
        error = None if state is None else _error(state)
        return error.message if isinstance(error, SelectionError) else None

    def _settle(self, future: PrefectFuture[Any]) -> None:
        planned = next((p for p in self.plan.tasks if self.futures.get(p.id) is future), None)
        if planned is None:
            self._settle_choice(future)
            return
        state = future.state
        stored = _result(state) if state.is_completed() and state.name == CACHED else None
        if stored is not None and not (is_stored(stored) and _is_whole(stored)):
            self._start(planned, fresh=True)
        elif self._is_to_be_done_again(future):
            self._start(planned)
        elif planned.id in self.apart and _has_no_model(state):
            self._start(planned, here=True)
        else:
            self._end(planned, state)

    def _is_to_be_done_again(self, future: PrefectFuture[Any]) -> bool:
        """Whether a task run was lost with its worker, and few enough were lost before."""
        if not lost(future) or why_cancelled(self.request.key) is not None:
            return False
        self.losses += 1
        return self.losses <= MOST_LOSSES

    def _end(self, planned: PlannedTask, state: State[Any]) -> None:
        """Note how a task run ended, and record what its function did not: it does not run if the result is cached.

        Raises:
            DiskFullError: the task run ended with it. The same task works once there is room.
        """
        if isinstance(error := _error(state), DiskFullError):
            raise error
        result: TaskResult | None = _result(state) if state.is_completed() and state.name != SKIPPED else None
        outputs = result.outputs if result is not None else ()
        self.states[planned.id] = state
        outcome = self.outcomes[planned.id] = TaskOutcome(
            planned=planned,
            status=_status(state),
            result=None if result is None else result.model_copy(update={"task_id": planned.id}),
            error=None if result is not None else self._why_not(state),
            obstacle=self._obstacle(planned) if state.name == SKIPPED else None,
            recovered=state.name == RECOVERED,
            files={a.sha256: get_store().address(a) for a in outputs if _is_file(a, self._shown_chars(planned))},
            ended_at=state.timestamp,
            prefect_task_run_id=str(state.state_details.task_run_id),
        )
        # Here and not in the task run, whose function may not have run, or whose process may be gone.
        if outcome.result is not None:
            show_result(outcome.result, state.state_details.task_run_id)
            if state.name == CACHED:
                self.cached.append(outcome.result)
        else:
            with recording(f"The end of task {planned.name}"):
                self.request.trace.record_no_result(planned.id, outcome.status, outcome.error or "unknown")

    def _shown_chars(self, planned: PlannedTask) -> int:
        """How much an answer shows of a task's text."""
        spoken = (task.args.get("text") for task in self.plan.tasks if task.task == SPEAKING)
        return SPOKEN_TEXT if planned.id in map(sole_reference, spoken) else LONG_TEXT

    def _record_cached(self) -> None:
        """Record the results that came from the cache, before tasks that need them begin."""
        if self.cached:
            with recording("Cached results"):
                self.request.trace.record_cached(self.cached)
            self.cached.clear()

    def _why_not(self, state: State[Any]) -> str:
        """Why there is no result. A task run that had no worker when time was up does not count as lost."""
        over = None if state.is_final() else why_cancelled(self.request.key)
        return over or _message(state)

    def _settle_choice(self, future: PrefectFuture[ModelChoice]) -> None:
        task_id = next(k for k, selection in self.selections.items() if selection is future)
        if self._is_to_be_done_again(future):
            self._choose_again(task_id, fresh=False)
            return
        state = future.state
        if state.is_completed():
            choice: ModelChoice = _result(state)
            if state.name == CACHED and choice.provisional:
                self._choose_again(task_id, fresh=True)
                return
            if state.name == CACHED:
                record_choices(self.request, {task_id: choice}, cached=True)
            show_choice(self.plan.task(task_id), choice, state.state_details.task_run_id)
        self.chosen[task_id] = state

    def _choose_again(self, task_id: int, *, fresh: bool) -> None:
        again = submit_selection(self.request, self.plan.task(task_id), fresh=fresh)
        self.selections[task_id] = again
        again.add_done_callback(self.final.put)


def _result(state: State[Any]) -> Any:
    """The result of a completed task run. Prefect takes a turn of its event loop even for one that is in memory."""
    return state.data.result if isinstance(state.data, ResultRecord) else state.result()


def _has_no_model(state: State[Any]) -> bool:
    """Whether a task run failed because no candidate could do the task."""
    error = state.result(raise_on_failure=False) if state.is_failed() else None
    return isinstance(error, ExpertError) and not isinstance(error, DeadlineExceededError)


def _is_file(artifact: Artifact, shown_chars: int) -> bool:
    """Whether an answer shows where an output is: media, and texts that it cannot show whole."""
    return artifact.preview is None or len(artifact.preview) > shown_chars


def _is_whole(result: TaskResult) -> bool:
    """Whether every element has a result. An element that failed once may work now."""
    return all(item.error is None for item in result.items)


def _status(state: State[Any]) -> TaskStatus:
    if not state.is_completed():
        return TaskStatus.FAILED
    return {SKIPPED: TaskStatus.SKIPPED, CACHED: TaskStatus.CACHED}.get(state.name or "", TaskStatus.COMPLETED)


def _error(state: State[Any]) -> BaseException | None:
    """The exception that a task run raised, if any."""
    if not state.is_final() or state.is_completed() or state.data is None:
        return None
    error = state.result(raise_on_failure=False)
    return error if isinstance(error, BaseException) else None


def _message(state: State[Any]) -> str:
    """Why a task run has no result, in one sentence."""
    if not state.is_final():
        return why_lost()
    error = _error(state)
    if error is None:
        return state.message or str(state.name)
    if isinstance(error, HuggingGPTError):
        return error.message
    return f"It ended unexpectedly: {type(error).__name__}: {said(error)}"


def settle(planned: PlannedTask, name: str, reason: str = "", result: TaskResult | None = None) -> State[Any]:
    """Represent a planned task in Prefect that need not or cannot run."""
    if name == "Failed":
        return Failed(message=reason)
    if result is not None:
        return Completed(name=name, message="Finished in an earlier life of this request.", data=result)
    return Completed(name=name, message=reason)


SETTLED_TASK: Task[..., Any] = Task(settle, name="settled", task_run_name=TASK_RUN_NAME, **SETTLE.options)
