"""Where task runs are done: in threads of the flow's process, or on a standing Dask cluster of expert workers.

On a cluster the pool of loaded models is in the workers, so it outlives the flow runs. A worker declares what it has
as Dask resources: one named after each kind of task that it takes, `MEMORY` in bytes for models, `GPU`, and one that
says which controller it has. A task asks for what it needs, and is sent to a worker that has its model loaded if that
one is free. Whose controller answers a request: see `own_controller`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect import Task
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture, PrefectWrappedFuture
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.cluster import cluster_of
from hugginggpt.controller_name import fingerprint
from hugginggpt.deadline import NO_DEADLINE, Deadline
from hugginggpt.errors import ClusterUnavailableError, ConfigurationError, SelectionError
from hugginggpt.models.card import Candidate, Endpoint
from hugginggpt.settings import Settings, get_settings
from tasks.temporary_server import is_temporary

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

R = TypeVar("R")

_missed_since: dict[tuple[Any, ...], float] = {}
"""When a flow run first missed a worker for a kind of task and a size of model."""

MEMORY, GPU = "MEMORY", "GPU"

CONNECT_SECONDS = 10
"""How long the scheduler may take to answer."""

LOOKS_EVERY = 15.0
"""Seconds between two looks for task runs that no worker is left for."""

GLANCES_EVERY = 1.0
"""Seconds for which a flow waits for task runs without looking whether its time is up."""

WORKER_SECONDS = 60.0
"""How long a task waits for a worker that could do it: one that was ended comes back by then."""


def task_runner() -> TaskRunner[Any]:
    """The task runner of the settings.

    Raises:
        ConfigurationError: it is Dask's, which is not installed, or its cluster must not be used as it is set.
    """
    settings = get_settings()
    if settings.task_runner == "threads":
        return ThreadPoolTaskRunner()
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise ConfigurationError(
            "HUGGINGGPT_TASK_RUNNER=dask needs a package that is not installed: pip install 'hugginggpt[dask]', "
            "or set it to threads."
        ) from None
    cluster = cluster_of(settings)
    client = {"timeout": CONNECT_SECONDS, "security": cluster.security()}
    return DaskTaskRunner(address=cluster.address, client_kwargs=client)


def check_server() -> None:
    """Raise if flow runs need a Prefect server that expert workers can reach, and there is none.

    Raises:
        ConfigurationError: the workers could not reach this process's own Prefect server, or their cluster must not be
            used as it is set.
    """
    if (settings := get_settings()).task_runner == "dask":
        cluster_of(settings)
        _check_server()


def check_runner(deadline: Deadline = NO_DEADLINE) -> None:
    """Raise unless the task runner of this flow run can be had; workers that are not there yet are waited for.

    Raises:
        ConfigurationError: the workers could not reach this process's own Prefect server, or their cluster must not be
            used as it is set.
        ClusterUnavailableError: no cluster answers at the address of the settings, or it has no workers.
        DeadlineExceededError: there were no workers in time.
    """
    if (cluster := _cluster()) is None:
        return
    check_server()
    try:
        cluster.client  # noqa: B018 - connects when first asked for
    except (OSError, TimeoutError) as error:
        if "TLS" in str(error):
            raise ClusterUnavailableError(
                f"The Dask cluster at {cluster.address} has certificates of another authority than the one of "
                "HUGGINGGPT_DASK_TLS_CA_FILE: name certificates of the same authority on all machines."
            ) from None
        raise ClusterUnavailableError(
            f"There is no Dask cluster at {cluster.address}: start one with `hugginggpt up`, name another in "
            "HUGGINGGPT_DASK_ADDRESS, or set HUGGINGGPT_TASK_RUNNER to threads."
        ) from None
    end = time.monotonic() + WORKER_SECONDS
    while not _ask(cluster, _look):
        if time.monotonic() > end:
            raise ClusterUnavailableError(_nobody(cluster))
        deadline.sleep(1)


def _check_server() -> None:
    url = PREFECT_API_URL.value()
    if not url or is_temporary(url):
        raise ConfigurationError(
            "Expert workers need a Prefect server that they can reach, too: start one with `hugginggpt up`, name one "
            "in PREFECT_API_URL, or set HUGGINGGPT_TASK_RUNNER to threads."
        )


def resources_of(kinds: Sequence[str], settings: Settings) -> dict[str, float]:
    """What a worker of this machine declares that takes these kinds."""
    from hugginggpt.experts.device import accelerators
    from hugginggpt.experts.memory import memory_budget

    on = accelerators(settings)
    memory = max([memory_budget(settings), *(one.budget for one in on)])
    return {MEMORY: memory, **({GPU: len(on)} if on else {}), **dict.fromkeys([_controller(settings), *kinds], _MANY)}


def _controller(settings: Settings) -> str:
    """The resource of workers whose controller is the one of these settings."""
    return f"CONTROLLER-{fingerprint(settings)}"


_MANY = 10**6
"""Tasks of a kind that a worker takes at once: its threads are the limit."""


@contextmanager
def placed(
    kind: str, candidate: Candidate | None, deadline: Deadline, *, with_controller: bool = False
) -> Iterator[None]:
    """Have the task that is submitted in the block sent to a worker that can do it, if there are workers.

    Args:
        kind: its kind of task.
        candidate: the model that it will be tried on first.
        deadline: ends the waiting for such a worker.
        with_controller: it may need the controller, so that has to be this process's.

    Raises:
        SelectionError: no worker takes such tasks.
        DeadlineExceededError: there was none in time, or the request was cancelled.
    """
    with _placement(kind, candidate, deadline, with_controller):
        yield


def _placement(
    kind: str, candidate: Candidate | None, deadline: Deadline, with_controller: bool
) -> AbstractContextManager[Any]:
    if (cluster := _cluster()) is None:
        return nullcontext()
    from dask import annotate  # type: ignore[attr-defined]

    workers = _able(cluster, kind, candidate, deadline)
    model = None if candidate is None else candidate.card.id
    holders = [worker for worker in workers if model in worker.models]
    # What is loaded takes no more memory.
    needs = {kind: 1.0} if holders else _needs(kind, candidate, any(GPU in worker.resources for worker in workers))
    if with_controller:
        needs[_controller(get_settings())] = 1.0
    free = [worker.address for worker in holders if worker.free]
    near = {"workers": free, "allow_other_workers": True} if free else {}
    return annotate(resources=needs, **near)


@dataclass(frozen=True)
class _Worker:
    """An expert worker, as its scheduler knows it.

    Attributes:
        free: it has a thread with nothing to do.
        models: ids of the models that are loaded in it.
    """

    address: str
    free: bool
    resources: dict[str, float]
    models: tuple[str, ...]


def _needs(kind: str, candidate: Candidate | None, on_gpu: bool) -> dict[str, float]:
    if candidate is None or candidate.endpoint is not Endpoint.LOCAL:
        return {kind: 1.0}
    return {
        kind: 1.0,
        **({MEMORY: candidate.card.bytes} if candidate.card.bytes else {}),
        **({GPU: 1} if on_gpu else {}),
    }


def _able(cluster: "DaskTaskRunner", kind: str, candidate: Candidate | None, deadline: Deadline) -> list[_Worker]:
    """The workers that can do a task, as soon as there are any."""
    size = (candidate.card.bytes or 0) if candidate is not None and candidate.endpoint is Endpoint.LOCAL else 0
    # Tasks of one request that want the same wait together, not one after the other.
    want = (cluster.address, FlowRunContext.get().flow_run.id, kind, size)  # type: ignore[union-attr]
    end = _missed_since.setdefault(want, time.monotonic()) + WORKER_SECONDS
    while True:
        workers = [_Worker(**found) for found in _ask(cluster, _look)]
        able = [w for w in workers if kind in w.resources and w.resources.get(MEMORY, 0) >= size]
        if able:
            del _missed_since[want]
            return able
        if time.monotonic() > end:
            break
        deadline.sleep(1)
    if not workers:
        raise SelectionError(_nobody(cluster))
    what = f"{kind} tasks" if not any(kind in w.resources for w in workers) else f"models of {size / 2**20:,.0f} MiB"
    raise SelectionError(
        f"None of the expert workers at {cluster.address} takes {what}: start one that does "
        "with `hugginggpt expert-worker`."
    )


def _nobody(cluster: "DaskTaskRunner") -> str:
    return f"There are no expert workers at {cluster.address}: start some with `hugginggpt expert-worker`."


def why_lost() -> str:
    """Why task runs are lost, one sentence."""
    if (cluster := _cluster()) is not None and not _ask(cluster, _look):
        return _nobody(cluster)
    return "It was lost with the worker that had it, again and again: look into the logs of the expert workers."


def _ask(cluster: "DaskTaskRunner", question: Callable[..., Any], **about: Any) -> Any:
    """Have the scheduler answer a question."""
    return cluster.client.run_on_scheduler(question, **about)  # type: ignore[no-untyped-call]


def _look(dask_scheduler: Any) -> list[dict[str, Any]]:
    """What the scheduler knows of its workers; runs there."""
    return [
        {
            "address": worker.address,
            "free": len(worker.processing) < worker.nthreads,
            "resources": dict(worker.resources),
            "models": tuple(worker.metrics.get("models") or ()),
        }
        for worker in dask_scheduler.workers.values()
    ]


def kinds_of_workers() -> tuple[str, ...] | None:
    """The kinds of task that the cluster's workers take, in the table's order; None in threads."""
    if (cluster := _cluster()) is None:
        return None
    declared = {name for worker in _ask(cluster, _look) for name in worker["resources"]}
    return tuple(kind for kind in CAPABILITIES if kind in declared)


def workers_have_our_controller(kind: str | None = None) -> bool:
    """Whether this process's controller is that of a worker, too; of one that takes a kind of task, if any does.

    So it is said to be, too, while there are no workers: those to come may have it.
    """
    if (cluster := _cluster()) is None:
        return True
    workers = [worker["resources"] for worker in _ask(cluster, _look)]
    able = [declared for declared in workers if kind in declared] if kind is not None else []
    return not workers or any(_controller(get_settings()) in declared for declared in able or workers)


def ask_workers(question: Callable[..., R], *about: Any, kind: str | None = None) -> list[R]:
    """What the workers answer to a question, each in a thread of its own: all of them, or one that takes a kind.

    Workers that go away meanwhile, or do not answer within `WORKER_SECONDS`, are left out.
    """
    if (cluster := _cluster()) is None:
        return []
    from distributed import KilledWorker

    workers = [worker for worker in _ask(cluster, _look) if kind is None or kind in worker["resources"]]
    asked = [
        cluster.client.submit(  # type: ignore[no-untyped-call]
            question, *about, workers=[worker["address"]], pure=False, retries=0
        )
        for worker in (workers if kind is None else workers[:1])
    ]
    answers, end = [], time.monotonic() + WORKER_SECONDS
    for one in asked:
        with suppress(TimeoutError, CancelledError, KilledWorker):
            answers.append(one.result(timeout=max(0.0, end - time.monotonic())))
    return answers


def submit_where_warm(
    task: Task[..., R], *arguments: Any, kind: str | None = None, wait_for: Sequence[Any] = ()
) -> PrefectFuture[R]:
    """Submit a task of the controller to a worker of the cluster, where the embedded model stays loaded.

    Args:
        task: what to submit.
        arguments: what it is given.
        kind: the kind of task that it is about: one that takes such tasks does it, if there is any.
        wait_for: states that it waits for.
    """
    with _on_a_worker(kind):
        return task.submit(*arguments, wait_for=wait_for)


def run_where_warm(
    task: Task[..., R], *arguments: Any, wait_for: Sequence[Any] = (), deadline: Deadline = NO_DEADLINE
) -> State[R]:
    """Run a task of the controller to its end; return the state that it ended in.

    On a cluster a worker runs it that has the same controller. If there is none, or none for long, it is run here.

    Args:
        task: what to run.
        arguments: what it is given; its own deadline ends it.
        wait_for: states that it waits for.
        deadline: ends the waiting for a worker.
    """
    if _cluster() is not None and workers_have_our_controller():
        future = submit_where_warm(task, *arguments, wait_for=wait_for)
        assert isinstance(future, PrefectWrappedFuture)
        looks = Looks(deadline)
        while not future.wrapped_future.done():
            future.wait(timeout=GLANCES_EVERY)
            if looks.due():
                let_go_of_stranded([future], deadline)
        future.wait()
        if not lost(future):
            return future.state
    return cast(State[R], task(*arguments, wait_for=wait_for, return_state=True))


def _on_a_worker(kind: str | None) -> AbstractContextManager[Any]:
    if _cluster() is None:
        return nullcontext()
    from dask import annotate  # type: ignore[attr-defined]

    is_taken = kind is not None and kind in (kinds_of_workers() or ())
    return annotate(resources={_controller(get_settings()): 1, **({kind: 1} if is_taken else {})})


def lost(future: PrefectFuture[Any]) -> bool:
    """Whether a task run that is over has no ending, since its workers or their scheduler went away."""
    return _cluster() is not None and not future.state.is_final()


class Looks:
    """When to look for task runs that no worker is left for: now and then, and often once their time is up."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time for one, which then counts as done."""
        if not self._deadline.expired() and time.monotonic() - self._last < LOOKS_EVERY:
            return False
        self._last = time.monotonic()
        return True


def let_go_of_stranded(futures: Sequence[object], deadline: Deadline) -> None:
    """Cancel the task runs that no worker is left for; call it again and again while waiting for them.

    They are given `WORKER_SECONDS` to find one, and no longer than their deadline.
    """
    if (cluster := _cluster()) is None:
        return
    runs = [future.wrapped_future for future in futures if isinstance(future, PrefectWrappedFuture)]
    keys = {run.key: run for run in runs if hasattr(run, "key")}  # what runs in a thread of ours has none
    patience = 0.0 if deadline.expired() else WORKER_SECONDS
    for key in _ask(cluster, _let_go, keys=list(keys), patience=patience, client=cluster.client.id):
        keys[key].cancel()


def _let_go(dask_scheduler: Any, keys: Sequence[str], patience: float, client: str) -> list[str]:
    """Cancel the tasks without a worker for so many seconds; runs on the scheduler, so no worker comes meanwhile."""
    from distributed.metrics import monotonic

    without = {task.key: since for task, since in dask_scheduler.unrunnable.items()}
    found = [key for key in keys if key in without and monotonic() - without[key] > patience]
    dask_scheduler.stimulus_cancel(found, client, force=True, reason="scheduler", msg="No worker takes it.")
    return found


def _cluster() -> "DaskTaskRunner | None":
    """The task runner of this flow run, if it is Dask's."""
    context = FlowRunContext.get()
    runner = None if context is None else context.task_runner
    # Its class is asked, for the runner itself connects when it is asked.
    return cast("DaskTaskRunner", runner) if hasattr(type(runner), "client") else None
