"""The Dask resources that an expert worker declares, and that a task asks for.

A worker declares one resource for each kind of task that it takes, `MEMORY` in bytes for its models, `GPU` if it has
one, and one that names its controller. Dask sends a task only to a worker that has everything the task asks for.
"""

from collections.abc import Sequence

from hugginggpt.controller_name import fingerprint
from hugginggpt.experts.device import accelerators
from hugginggpt.memory import memory_budget
from hugginggpt.models.card import Candidate, Endpoint
from hugginggpt.settings import Settings

MEMORY, GPU = "MEMORY", "GPU"

_UNLIMITED = 10**6
"""Tasks of a kind that a worker takes at once: its threads are the limit."""


def worker_resources(kinds: Sequence[str], settings: Settings) -> dict[str, float]:
    """What a worker on this machine declares when it takes these kinds of task."""
    found = accelerators(settings)
    memory = max([memory_budget(settings), *(accelerator.budget for accelerator in found)])
    unlimited = dict.fromkeys([controller_resource(settings), *kinds], float(_UNLIMITED))
    return {MEMORY: memory, **({GPU: len(found)} if found else {}), **unlimited}


def controller_resource(settings: Settings) -> str:
    """The resource of the workers that have the controller of these settings."""
    return f"CONTROLLER-{fingerprint(settings)}"


def task_resources(kind: str, candidate: Candidate | None, *, gpu: bool) -> dict[str, float]:
    """What a task needs of a worker.

    Args:
        kind: its kind.
        candidate: the model that it tries first.
        gpu: there are workers with a GPU, which run local models.
    """
    if candidate is None or candidate.endpoint is not Endpoint.LOCAL:
        return {kind: 1.0}
    memory = memory_needed(candidate)
    return {kind: 1.0, **({MEMORY: memory} if memory else {}), **({GPU: 1} if gpu else {})}


def memory_needed(candidate: Candidate | None) -> int:
    """The bytes of a worker's memory that a model takes; 0 if it runs elsewhere or its size is unknown."""
    if candidate is None or candidate.endpoint is not Endpoint.LOCAL:
        return 0
    return candidate.card.bytes or 0
