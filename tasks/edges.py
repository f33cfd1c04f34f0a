"""What Prefect sees of the arguments of task runs: the edges between the runs, which it draws, and nothing else."""

from collections.abc import Sequence
from typing import Any, TypeVar

from prefect import Task
from prefect.client.schemas.objects import State, TaskRunResult
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.task_engine import run_task
from prefect.task_runners import TaskRunner
from prefect.utilities.annotations import quote
from prefect.utilities.callables import get_call_parameters

from tasks.expert_workers.runner import dask_runner

R = TypeVar("R")


def run_after(before: Sequence[State[Any]], task: Task[..., R], *arguments: Any, **named: Any) -> State[R]:
    """Run a task; return its final state. Prefect draws edges from the task runs of final states.

    Args:
        before: the states, whatever they are.
        task: what to run.
        arguments: its arguments.
        named: more of them.
    """
    parameters = get_call_parameters(task.fn, arguments, named)
    state: State[R] = run_task(task, parameters=parameters, return_type="state", **_edges(before))
    return state


def submit_after(
    before: Sequence[State[Any]],
    task: Task[..., R],
    *arguments: Any,
    runner: TaskRunner[Any] | None = None,
    **named: Any,
) -> PrefectFuture[R]:
    """Submit a task as `run_after` runs it, to a task runner; by default, to that of the flow run."""
    if runner is None:
        context = FlowRunContext.get()
        assert context is not None
        runner = context.task_runner
    future: PrefectFuture[R] = runner.submit(task, get_call_parameters(task.fn, arguments, named), **_edges(before))
    return future


def _edges(before: Sequence[State[Any]]) -> dict[str, Any]:
    """What a task run waits for.

    Prefect would look for other states in everything that a state holds, several times, wait for each in its event
    loop, and not run a task that waits for a failed one.
    """
    runs = {TaskRunResult(id=id_) for state in before if (id_ := state.state_details.task_run_id) is not None}
    # Prefect adds these to the edges that it finds itself, and only looks for some where there is something.
    return {"wait_for": (None,), "dependencies": {"wait_for": runs}} if runs else {}


def unsearched(value: Any) -> Any:
    """An argument of a task run in whose fields Prefect does not search for states.

    Dask takes Prefect's annotation for a tuple and takes it apart, so there the search stays.
    """
    return quote(value) if dask_runner() is None else value
