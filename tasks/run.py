"""One planned task on its expert models: a task object for each kind."""

import threading
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakValueDictionary

from prefect import Task
from prefect.context import TaskRunContext

from hugginggpt.binding import bind
from hugginggpt.capabilities import CAPABILITIES, Capability
from hugginggpt.controller.client import Controller
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError, HuggingGPTError, PassingError
from hugginggpt.execution import ExecutionContext, execute
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.pool import get_pool
from hugginggpt.models.card import Candidate, Endpoint, ModelChoice
from hugginggpt.plan import PlannedTask
from hugginggpt.redaction import said
from hugginggpt.request_run import RequestRun
from hugginggpt.results import TaskResult
from hugginggpt.services import get_catalog, get_store
from hugginggpt.settings import get_settings
from hugginggpt.trace.story import AttemptEnd
from tasks.cancelling import cancellable
from tasks.expert_workers.own_controller import needs_controller
from tasks.expert_workers.runner import dask_runner
from tasks.limits import slot_for
from tasks.policies import EXPERT
from tasks.recording import recorded_controller, recording, retry_while_database_is_down
from tasks.ui.progress import showing_progress
from tasks.unexpected import explained

TASK_RUN_NAME = "{planned.id} · {planned.task}"


@explained
def run_expert(
    run: RequestRun,
    planned: PlannedTask,
    choice: ModelChoice,
    upstream: dict[int, TaskResult],
    without_controller: bool = False,
) -> TaskResult:
    """Do one planned task with its chosen model, or else with the next candidate that can do it.

    Args:
        run: the request.
        planned: the task.
        choice: its models, in the order to try them.
        upstream: the results that the task refers to.
        without_controller: leave out models that need the controller, because this process has another one than the
            request.
    """
    task_run = TaskRunContext.get()
    assert task_run is not None
    run_count = task_run.task_run.run_count
    deadline = Deadline(get_settings().task_timeout or EXPERT[planned.task].seconds)
    attempts = _Attempts(run, planned.id, run_count)

    def controller() -> Controller:
        if without_controller:
            raise ExpertError("This expert worker has another controller than the request.")
        return recorded_controller(run, planned.id)

    answering = map(get_catalog().with_own_controller, choice.ranked)
    able = [c for c in answering if not (without_controller and needs_controller(c))]
    # An abandoned run may still be at work in this process, because threads cannot be interrupted.
    turns = _TURNS.setdefault((run.request_id, run.life, planned.id), _Turns())
    with cancellable(run.key, deadline), deadline.holding(turns.lock):
        done, failed = None, set[str]()
        if turns.taken or _may_have_run_elsewhere(run, run_count):
            done, failed = _earlier(run, planned.id)
        if done is not None:
            return done
        turns.taken = True
        with showing_progress(run, planned, lambda: attempts.current):
            result = execute(
                planned,
                deadline.wait_for(
                    lambda: bind(planned, run.resources, upstream, get_store(), max_chars=get_settings().max_text_chars)
                ),
                (_as_it_exists(c, deadline) for c in able if f"{c.endpoint}:{c.card.id}" not in failed),
                ExecutionContext(
                    pool=get_pool(get_settings()),
                    expert_context=ExpertContext(get_settings(), controller, spending=attempts),
                    store=get_store(),
                    deadline=deadline,
                    attempts=attempts,
                    slot=slot_for,
                    last_try=run_count > task_run.task.retries,
                ),
            )
        with recording(f"The result of task {planned.name}"):
            return attempts.record(result)
    return result


@dataclass(eq=False)
class _Turns:
    """The turns that the runs of one planned task in this process take.

    Attributes:
        taken: whether one has begun.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    taken: bool = False


_TURNS: WeakValueDictionary[tuple[str, int, int], _Turns] = WeakValueDictionary()


def _as_it_exists(candidate: Candidate, deadline: Deadline) -> Candidate:
    """The candidate at a commit that exists. Only models from the Hub have commits, and are worth a thread."""
    if candidate.endpoint is not Endpoint.LOCAL:
        return candidate
    return deadline.wait_for(partial(get_catalog().at_existing_commit, candidate))


def _may_have_run_elsewhere(run: RequestRun, run_count: int) -> bool:
    """Whether an earlier try or life, or a worker that died, may have left something of a task run."""
    return run_count > 1 or not run.is_first_life or dask_runner() is not None


def _earlier(run: RequestRun, task_id: int) -> tuple[TaskResult | None, set[str]]:
    """The result of a task run whose worker died after recording it, and the candidates that failed for good."""
    done: TaskResult | None = None
    failed: set[str] = set()
    with recording("What was done before"):
        # Running the task again would take longer than this wait.
        done, failed = retry_while_database_is_down("What was done before", lambda: run.trace.earlier(task_id))
    return (done if done is not None and is_stored(done) else None), failed


def is_stored(result: TaskResult) -> bool:
    """Whether the store still has every output of a result."""
    return all(get_store().keep(artifact) for artifact in result.outputs)


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
    """Records the attempts within one try of a task run, and what they cost.

    Attributes:
        current: the number of the current attempt in the trace; None if it could not be recorded.
    """

    def __init__(self, run: RequestRun, task_id: int, run_count: int) -> None:
        self._run = run
        self._task_id = task_id
        self._run_count = run_count
        self._completed: AttemptEnd | None = None
        self.current: int | None = None

    def started(self, candidate: Candidate) -> None:
        """An attempt begins."""
        self.current = None
        with recording("The start of an attempt"):
            self.current = self._run.trace.start_attempt(self._task_id, candidate, self._run_count)

    def finished(self, seconds: float, error: BaseException | None, loading: float | None) -> None:
        """The attempt has ended. A completed one is recorded together with its result, so it is never repeated."""
        if self.current is None:
            return
        if error is None:
            self._completed = AttemptEnd(self.current, seconds, loading)
            return
        # Anything but an `Exception`, such as Ctrl-C, comes from outside and says nothing about the model.
        with recording("The end of an attempt"):
            self._run.trace.finish_attempt(
                self.current,
                status="failed" if isinstance(error, Exception) else "interrupted",
                seconds=seconds,
                load_seconds=loading,
                error=error.message if isinstance(error, HuggingGPTError) else said(error),
                error_type=type(error).__name__,
                passing=isinstance(error, PassingError),
            )

    def check(self) -> None:
        """Raise if the request has reached its cost ceiling."""
        if self._run.options.max_cost is not None:
            retry_while_database_is_down("The budget", lambda: self._run.trace.budget()).check()

    def add(self, microdollars: int) -> None:
        """A call to a provider within the current attempt has cost this much."""
        if (attempt := self.current) is not None:
            with recording("The cost of a call"):
                retry_while_database_is_down(
                    "The cost of a call", lambda: self._run.trace.add_cost(attempt, microdollars)
                )

    def record(self, result: TaskResult) -> TaskResult:
        """Record the result and the end of the attempt that made it; return the result that counts."""
        return self._run.trace.record_result(result, attempt=self._completed)
