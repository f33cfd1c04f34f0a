"""What the scheduler of a Dask cluster knows about its expert workers.

`known_workers` and `cancel_without_worker` run in the scheduler, by `Client.run_on_scheduler`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hugginggpt.cluster.address import Cluster

_TIMEOUT = 5
"""Seconds within which a scheduler has to answer."""


@dataclass(frozen=True)
class ExpertWorker:
    """An expert worker, as `hugginggpt status` shows it.

    Attributes:
        at_work: how many tasks it has.
        models: ids of the models that are loaded in it.
    """

    name: str
    at_work: int
    models: tuple[str, ...]


@dataclass(frozen=True)
class KnownWorker:
    """An expert worker, as its scheduler knows it.

    Attributes:
        at_work: how many tasks it has.
        threads: how many tasks it runs at once.
        resources: what it declares.
        models: ids of the models that were loaded in it at its last heartbeat.
    """

    address: str
    at_work: int
    threads: int
    resources: dict[str, float]
    models: tuple[str, ...]

    @property
    def is_free(self) -> bool:
        """Whether it has a thread with nothing to do."""
        return self.at_work < self.threads


def known_workers(dask_scheduler: Any) -> list[KnownWorker]:
    """The workers that have registered with the scheduler."""
    return [
        KnownWorker(
            address=worker.address,
            at_work=len(worker.processing),
            threads=worker.nthreads,
            resources=dict(worker.resources),
            models=tuple(worker.metrics.get("models") or ()),
        )
        for worker in dask_scheduler.workers.values()
    ]


def cancel_without_worker(dask_scheduler: Any, keys: Sequence[str], seconds: float, client: str) -> list[str]:
    """Cancel a client's tasks that have had no worker for more than some seconds; return their keys.

    This runs in the scheduler, so that no worker takes them meanwhile.
    """
    from distributed.metrics import monotonic

    since = {task.key: began for task, began in dask_scheduler.unrunnable.items()}
    found = [key for key in keys if key in since and monotonic() - since[key] > seconds]
    dask_scheduler.stimulus_cancel(found, client, force=True, reason="scheduler", msg="No worker takes it.")
    return found


def expert_workers(cluster: Cluster) -> list[ExpertWorker] | None:
    """The expert workers of a cluster; None if its scheduler does not answer."""
    from distributed import Client

    try:
        with Client(cluster.address, security=cluster.security(), timeout=_TIMEOUT, set_as_default=False) as client:
            known: list[KnownWorker] = client.run_on_scheduler(known_workers)
    except (OSError, TimeoutError):
        return None
    return sorted((ExpertWorker(one.address, one.at_work, one.models) for one in known), key=lambda one: one.name)
