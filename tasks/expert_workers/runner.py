"""Prefect's task runner: threads of the flow's process, or the Dask cluster of the settings."""

import time
from typing import TYPE_CHECKING, Any, cast

from prefect.context import FlowRunContext
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from hugginggpt.cluster.address import cluster_of
from hugginggpt.cluster.workers import KnownWorker, known_workers
from hugginggpt.deadline import NO_DEADLINE, Deadline
from hugginggpt.errors import ClusterUnavailableError, ConfigurationError
from hugginggpt.settings import get_settings
from tasks.temporary_server import check_workers_reach_server

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

CONNECT_SECONDS = 10
"""How long the scheduler may take to answer."""

WORKER_SECONDS = 60.0
"""How long to wait for a worker: a dead one is replaced within this time."""


def task_runner() -> TaskRunner[Any]:
    """The task runner of the settings.

    Raises:
        ConfigurationError: it is Dask's, which is not installed, or whose cluster cannot be used with these settings.
    """
    settings = get_settings()
    if settings.task_runner == "threads":
        return ThreadPoolTaskRunner()
    try:
        from tasks.expert_workers.task_runs import ExpertWorkerRunner
    except ImportError:
        raise ConfigurationError(
            "HUGGINGGPT_TASK_RUNNER=dask needs a package that is not installed: pip install 'hugginggpt[dask]', "
            "or set it to threads."
        ) from None
    cluster = cluster_of(settings)
    client = {"timeout": CONNECT_SECONDS, "security": cluster.security()}
    return ExpertWorkerRunner(address=cluster.address, client_kwargs=client)


def dask_runner() -> "DaskTaskRunner | None":
    """The task runner of this flow run, if it is Dask's."""
    context = FlowRunContext.get()
    runner = None if context is None else context.task_runner
    # By its class, because the runner itself connects when an attribute is read.
    return cast("DaskTaskRunner", runner) if hasattr(type(runner), "client") else None


def workers_of(runner: "DaskTaskRunner") -> list[KnownWorker]:
    """The workers of a task runner's cluster."""
    return cast(list[KnownWorker], runner.client.run_on_scheduler(known_workers))  # type: ignore[no-untyped-call]


def no_workers(runner: "DaskTaskRunner") -> str:
    """The error message for a cluster without workers."""
    return f"There are no expert workers at {runner.address}: start some with `hugginggpt expert-worker`."


def wait_for_workers(deadline: Deadline = NO_DEADLINE) -> None:
    """Wait until the cluster of this flow run has a worker; return at once if tasks run in threads.

    Raises:
        ConfigurationError: the workers could not reach this process's own Prefect server, or their cluster cannot be
            used with these settings.
        ClusterUnavailableError: no cluster answers at the address of the settings, or it has no workers.
        DeadlineExceededError: there were no workers in time.
    """
    if (runner := dask_runner()) is None:
        return
    check_workers_reach_server()
    try:
        runner.client  # noqa: B018 - connects when first asked for
    except (OSError, TimeoutError) as error:
        if "TLS" in str(error):
            raise ClusterUnavailableError(
                f"The Dask cluster at {runner.address} has certificates of another authority than "
                "HUGGINGGPT_DASK_TLS_CA_FILE: name certificates of the same authority on all machines."
            ) from None
        raise ClusterUnavailableError(
            f"There is no Dask cluster at {runner.address}: start one with `hugginggpt up`, name another in "
            "HUGGINGGPT_DASK_ADDRESS, or set HUGGINGGPT_TASK_RUNNER to threads."
        ) from None
    end = time.monotonic() + WORKER_SECONDS
    while not workers_of(runner):
        if time.monotonic() > end:
            raise ClusterUnavailableError(no_workers(runner))
        deadline.sleep(1)
