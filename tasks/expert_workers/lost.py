"""Task runs that no expert worker will finish, because their worker died or none can run them."""

import time
from collections.abc import Sequence
from typing import Any

from prefect.futures import PrefectFuture, PrefectWrappedFuture

from hugginggpt.cluster.workers import cancel_without_worker
from hugginggpt.deadline import Deadline
from tasks.expert_workers import runner
from tasks.expert_workers.runner import dask_runner, no_workers, workers_of

POLL_SECONDS = 1.0
"""Seconds that a flow waits for its task runs before it looks for lost ones."""

SCHEDULER_SECONDS = 15.0
"""Seconds between two such checks, while their request has time left."""


def lost(future: PrefectFuture[Any]) -> bool:
    """Whether a task run ended without a final state, because its worker or the scheduler went away."""
    return dask_runner() is not None and not future.state.is_final()


def why_lost() -> str:
    """Why task runs are lost, in one sentence."""
    if (dask := dask_runner()) is not None and not workers_of(dask):
        return no_workers(dask)
    return "Its worker went away several times: see the logs of the expert workers."


class StrandedRuns:
    """Cancels task runs that have had no worker for `WORKER_SECONDS`, or have none when their deadline passes."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._asked = time.monotonic()

    def cancel_among(self, futures: Sequence[object]) -> None:
        """Cancel those of the given task runs, if it is time for a check. Call it while waiting."""
        over = self._deadline.expired()
        if (dask := dask_runner()) is None or not (over or time.monotonic() - self._asked >= SCHEDULER_SECONDS):
            return
        self._asked = time.monotonic()
        wrapped = [future.wrapped_future for future in futures if isinstance(future, PrefectWrappedFuture)]
        runs = {run.key: run for run in wrapped if hasattr(run, "key")}  # runs in threads have none
        stranded: list[str] = dask.client.run_on_scheduler(  # type: ignore[no-untyped-call]
            cancel_without_worker,
            keys=list(runs),
            seconds=0.0 if over else runner.WORKER_SECONDS,
            client=dask.client.id,
        )
        for key in stranded:
            runs[key].cancel()
