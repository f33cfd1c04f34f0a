"""Which expert worker runs a task: one that has the resources that it needs, preferably with its model loaded."""

import time
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from prefect import Task
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture, PrefectWrappedFuture

from hugginggpt.cluster.resources import GPU, MEMORY, controller_resource, memory_needed, task_resources
from hugginggpt.cluster.workers import KnownWorker
from hugginggpt.deadline import NO_DEADLINE, Deadline
from hugginggpt.errors import SelectionError
from hugginggpt.models.card import Candidate
from hugginggpt.settings import get_settings
from tasks.edges import run_after, submit_after
from tasks.expert_workers import runner
from tasks.expert_workers.lost import POLL_SECONDS, StrandedRuns, lost
from tasks.expert_workers.questions import kinds_of_workers, workers_have_our_controller
from tasks.expert_workers.runner import dask_runner, no_workers, workers_of

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

R = TypeVar("R")

_missed_since: dict[tuple[Any, ...], float] = {}
"""When a flow run first found no worker for a kind of task and a model size."""


def worker_for(
    kind: str, candidate: Candidate | None, deadline: Deadline, *, with_controller: bool = False
) -> AbstractContextManager[Any]:
    """Have Dask send the task that the block submits to a worker that can run it; without a cluster, do nothing.

    Args:
        kind: its kind of task.
        candidate: the model that it tries first.
        deadline: ends the wait for such a worker.
        with_controller: it may call the controller, so the worker needs the same one as this process.

    Raises:
        SelectionError: no worker takes such tasks.
        DeadlineExceededError: no worker came in time, or the request was cancelled.
    """
    if (dask := dask_runner()) is None:
        return nullcontext()
    from dask import annotate  # type: ignore[attr-defined]

    workers = _able_workers(dask, kind, candidate, deadline)
    model = None if candidate is None else candidate.card.id
    holders = [worker for worker in workers if model in worker.models]
    # A model that is loaded takes no more memory.
    gpu = any(GPU in worker.resources for worker in workers)
    resources = {kind: 1.0} if holders else task_resources(kind, candidate, gpu=gpu)
    if with_controller:
        resources[controller_resource(get_settings())] = 1.0
    free = [worker.address for worker in holders if worker.is_free]
    preferred = {"workers": free, "allow_other_workers": True} if free else {}
    return annotate(resources=resources, **preferred)


def _able_workers(
    dask: "DaskTaskRunner", kind: str, candidate: Candidate | None, deadline: Deadline
) -> list[KnownWorker]:
    """The workers that can run a task; waits until there is one."""
    size = memory_needed(candidate)
    # Tasks of one request that need the same worker share one wait.
    missed = (dask.address, FlowRunContext.get().flow_run.id, kind, size)  # type: ignore[union-attr]
    end = _missed_since.setdefault(missed, time.monotonic()) + runner.WORKER_SECONDS
    while True:
        workers = workers_of(dask)
        able = [w for w in workers if kind in w.resources and w.resources.get(MEMORY, 0) >= size]
        if able:
            del _missed_since[missed]
            return able
        if time.monotonic() > end:
            break
        deadline.sleep(1)
    if not workers:
        raise SelectionError(no_workers(dask))
    what = f"{kind} tasks" if not any(kind in w.resources for w in workers) else f"models of {size / 2**20:,.0f} MiB"
    raise SelectionError(
        f"None of the expert workers at {dask.address} takes {what}: start one that does "
        "with `hugginggpt expert-worker`."
    )


def submit_controller_task(
    task: Task[..., R], *arguments: Any, kinds: Collection[str] = (), after: Sequence[State[Any]] = ()
) -> PrefectFuture[R]:
    """Submit a task that calls the controller; on a cluster, to a worker that keeps the same controller loaded.

    Args:
        task: what to submit.
        arguments: its arguments.
        kinds: the kinds of task that it is about; prefer a worker that takes such tasks.
        after: final states of the task runs that it comes after.
    """
    if dask_runner() is None:
        return submit_after(after, task, *arguments)
    from dask import annotate  # type: ignore[attr-defined]

    taken = kinds_of_workers() or () if kinds else ()
    with annotate(resources={controller_resource(get_settings()): 1, **{kind: 1 for kind in kinds if kind in taken}}):
        return submit_after(after, task, *arguments)


def run_controller_task(
    task: Task[..., R],
    *arguments: Any,
    kinds: Collection[str] = (),
    after: Sequence[State[Any]] = (),
    deadline: Deadline = NO_DEADLINE,
) -> State[R]:
    """Run a task that calls the controller to its end; return its final state.

    On a cluster, a worker that has the same controller runs it. If there is none, or none stays, this process runs it.

    Args:
        task: what to run.
        arguments: its arguments, including the deadline that ends it.
        kinds: the kinds of task that it is about; prefer a worker that takes such tasks.
        after: final states of the task runs that it comes after.
        deadline: ends the wait for a worker.
    """
    if dask_runner() is not None and workers_have_our_controller():
        future = submit_controller_task(task, *arguments, kinds=kinds, after=after)
        assert isinstance(future, PrefectWrappedFuture)
        stranded = StrandedRuns(deadline)
        while not future.wrapped_future.done():
            future.wait(timeout=POLL_SECONDS)
            stranded.cancel_among([future])
        future.wait()
        if not lost(future):
            return future.state
    return run_after(after, task, *arguments)
