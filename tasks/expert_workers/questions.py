"""Questions of a flow run to its expert workers: their kinds of task, their controller, results of functions."""

import time
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, TypeVar

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.cluster.resources import controller_resource
from hugginggpt.settings import get_settings
from tasks.expert_workers import runner
from tasks.expert_workers.runner import dask_runner, workers_of

R = TypeVar("R")


def kinds_of_workers() -> tuple[str, ...] | None:
    """The kinds of task that the cluster's workers take, in the table's order; None in threads."""
    if (dask := dask_runner()) is None:
        return None
    declared = {name for worker in workers_of(dask) for name in worker.resources}
    return tuple(kind for kind in CAPABILITIES if kind in declared)


def workers_have_our_controller(kind: str | None = None) -> bool:
    """Whether a worker has the same controller as this process; with a kind, among the workers that take it, if any do.

    While there are no workers, the answer is yes, because workers that join later may have it.
    """
    if (dask := dask_runner()) is None:
        return True
    workers = [worker.resources for worker in workers_of(dask)]
    able = [declared for declared in workers if kind in declared] if kind is not None else []
    return not workers or any(controller_resource(get_settings()) in declared for declared in able or workers)


def one_worker_takes(kinds: Collection[str]) -> bool:
    """Whether a worker that has the same controller as this process takes tasks of all these kinds; yes in threads."""
    if (dask := dask_runner()) is None:
        return True
    wanted = {controller_resource(get_settings()), *kinds}
    return any(wanted <= worker.resources.keys() for worker in workers_of(dask))


def ask_workers(question: Callable[..., R], *arguments: Any, kind: str | None = None) -> list[R]:
    """Run a function in each worker, in a thread of its own, and return the results; with a kind, in one that takes it.

    Workers that go away meanwhile, or do not answer within `WORKER_SECONDS`, are left out.
    """
    if (dask := dask_runner()) is None:
        return []
    from distributed import KilledWorker

    workers = [worker for worker in workers_of(dask) if kind is None or kind in worker.resources]
    asked = [
        dask.client.submit(  # type: ignore[no-untyped-call]
            question, *arguments, workers=[worker.address], pure=False, retries=0
        )
        for worker in (workers if kind is None else workers[:1])
    ]
    answers, end = [], time.monotonic() + runner.WORKER_SECONDS
    for future in asked:
        with suppress(TimeoutError, CancelledError, KilledWorker):
            answers.append(future.result(timeout=max(0.0, end - time.monotonic())))
    return answers
