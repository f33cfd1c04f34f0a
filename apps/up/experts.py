"""What the expert workers of an `up` do, as their Dask scheduler knows it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hugginggpt.cluster import Cluster

if TYPE_CHECKING:
    from distributed import Client

SECONDS = 5
"""How long asking them may take."""


@dataclass(frozen=True)
class ExpertWorker:
    """A process that runs experts.

    Attributes:
        at_work: how many tasks it has.
        models: the models that are loaded in it.
    """

    name: str
    at_work: int
    models: tuple[str, ...]


def expert_workers(cluster: Cluster) -> list[ExpertWorker] | None:
    """The expert workers of a cluster; None when its scheduler does not answer."""
    try:
        with _client(cluster) as client:
            tasks = client.processing()
            models = client.run(loaded_models, on_error="ignore")
    except (OSError, TimeoutError):
        return None
    return [ExpertWorker(name, len(tasks[name]), models.get(name, ())) for name in sorted(tasks)]


def how_many(cluster: Cluster) -> int:
    """The number of expert workers; 0 when their scheduler does not answer."""
    try:
        with _client(cluster) as client:
            return len(client.processing())
    except (OSError, TimeoutError):
        return 0


def loaded_models() -> tuple[str, ...]:
    """The models that are loaded in this process. Looking loads nothing."""
    if "hugginggpt.experts.pool" not in sys.modules:
        return ()
    from hugginggpt.experts.pool import get_pool
    from hugginggpt.settings import get_settings

    return get_pool(get_settings()).loaded()


@contextmanager
def _client(cluster: Cluster) -> "Iterator[Client]":
    from distributed import Client

    with Client(cluster.address, security=cluster.security(), timeout=SECONDS, set_as_default=False) as client:
        yield client
