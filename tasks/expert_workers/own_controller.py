"""The controller of the process that runs a request's flow answers the request, even if the workers have another one.

On a cluster, the controller's work goes to workers with the same controller, where the embedded model stays loaded. If
no worker has it, this process does that work itself: planning, selection, the answer, and tasks whose candidates are
the controller or call it. All other tasks stay with the workers.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from prefect import Task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.catalog.ranking import ranked
from hugginggpt.deadline import Deadline
from hugginggpt.experts.registry import expert_for
from hugginggpt.models.card import Candidate, Endpoint
from hugginggpt.services import get_catalog
from hugginggpt.settings import get_settings
from tasks.edges import submit_after
from tasks.expert_workers.questions import ask_workers, kinds_of_workers, workers_have_our_controller

R = TypeVar("R")


def needs_controller(candidate: Candidate) -> bool:
    """Whether a candidate is the controller, or calls it."""
    if candidate.endpoint is Endpoint.CONTROLLER:
        return True
    expert = expert_for(candidate.card, candidate.endpoint)
    return expert is not None and expert.uses_controller


def offered_kinds() -> tuple[str, ...]:
    """The kinds of task that a plan of this flow run may use, in the table's order."""
    of_workers = kinds_of_workers()
    if of_workers is None:
        return get_catalog().offered_kinds()
    if workers_have_our_controller():
        return of_workers
    theirs = {kind for kinds in ask_workers(_kinds_without_controller) for kind in kinds} & set(of_workers)
    return tuple(kind for kind in CAPABILITIES if kind in theirs or any(_ours(kind)))


def candidates(kind: str, deadline: Deadline, *, apart: bool) -> list[Candidate]:
    """The candidates for a kind of task in rank order.

    Args:
        kind: a name in `CAPABILITIES`.
        deadline: ends the wait for the candidates. Each lookup at the Hub has its own timeout, but there may be
            several.
        apart: experts run in workers that have another controller: take the models from a worker and the controller
            from this process.

    Raises:
        DeadlineExceededError: the candidates were not known in time, or the request was cancelled.
    """
    return deadline.wait_for(lambda: _candidates(kind, apart))


def _candidates(kind: str, apart: bool) -> list[Candidate]:
    ours = get_catalog().candidates(kind)
    if not apart:
        return ours
    theirs = ask_workers(_candidates_without_controller, kind, kind=kind)
    found = [*(c for c in ours if needs_controller(c)), *(theirs[0] if theirs else ())]
    settings = get_settings()
    return ranked(found, settings.inference_mode, small_controller=settings.uses_embedded_controller)


def submit_here(
    task: Task[..., R], parameters: Mapping[str, Any], after: Sequence[State[Any]] = ()
) -> PrefectFuture[R]:
    """Submit a task to a thread of this process, whatever task runner the flow run has."""
    return submit_after(after, task, runner=_threads(), **parameters)


@lru_cache(maxsize=1)
def _threads() -> "ThreadPoolTaskRunner[Any]":
    """A pool of threads; idle ones cost nothing and end with the process."""
    return ThreadPoolTaskRunner().__enter__()


def _ours(kind: str) -> Iterable[Candidate]:
    return (c for c in get_catalog().candidates(kind, live=False) if c.obstacle is None and needs_controller(c))


def _kinds_without_controller() -> list[str]:
    """The kinds that this machine can do without a controller. Runs in a worker."""
    catalog = get_catalog()
    return [
        kind
        for kind in catalog.offered_kinds()
        if any(c.obstacle is None and not needs_controller(c) for c in catalog.candidates(kind, live=False))
    ]


def _candidates_without_controller(kind: str) -> list[Candidate]:
    """The candidates on this machine that need no controller. Runs in a worker."""
    return [c for c in get_catalog().candidates(kind) if not needs_controller(c)]
