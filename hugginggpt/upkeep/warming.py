"""Loading models before a request needs them."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.cluster.address import Cluster
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertUnavailableError, HuggingGPTError, PassingError
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.pool import get_pool
from hugginggpt.experts.registry import expert_for
from hugginggpt.holder import holder_name
from hugginggpt.models.card import Candidate, Endpoint
from hugginggpt.redaction import said
from hugginggpt.services import get_catalog, get_controller, get_trace
from hugginggpt.settings import get_settings

if TYPE_CHECKING:
    from distributed import Client

USED_WITHIN = timedelta(days=30)
LOADING_SECONDS = 3600.0
POLL_SECONDS = 0.5
"""Seconds between two checks of what the workers of a cluster have loaded."""
_ANSWER_SECONDS = 30.0

_HERE = (Endpoint.EMBEDDED, Endpoint.LOCAL)


class Warmed(BaseModel):
    """Whether the default model of a kind was loaded in one process.

    Attributes:
        where: the process: host, process id, start time.
        model: None if no model of the kind could be loaded.
        loaded: it is in the memory of that process now.
        reason: why it is not, in one sentence.
        passing: another try may load it.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    where: str
    model: str | None = None
    revision: str | None = None
    endpoint: Endpoint | None = None
    loaded: bool = False
    seconds: float = 0.0
    reason: str | None = None
    passing: bool = False


def kinds_to_warm() -> list[str]:
    """The kinds that have a downloaded model, or that a model on this machine was run for in the last 30 days."""
    used = get_trace().models.kinds_used(USED_WITHIN)
    return [kind for kind in CAPABILITIES if kind in used or _is_downloaded(kind)]


def _is_downloaded(kind: str) -> bool:
    candidates = get_catalog().candidates(kind, live=False)
    return any(c.installed for c in candidates if c.endpoint is Endpoint.LOCAL and c.obstacle is None)


def load_here(kind: str, deadline: Deadline | None = None) -> Warmed:
    """Load the default model of a kind into this process, and download it first if necessary.

    The default model is the best candidate that runs on this machine.
    """
    begun, candidates = time.monotonic(), get_catalog().candidates(kind, live=False)
    candidate = next((c for c in candidates if c.endpoint in _HERE and c.obstacle is None), None)
    if candidate is None:
        return Warmed(kind=kind, where=holder_name(), reason=_why_none(kind, candidates))
    card = get_catalog().pin(get_catalog().at_existing_commit(candidate).card)
    known = {"kind": kind, "where": holder_name(), "model": card.id, "endpoint": candidate.endpoint}
    try:
        _load(candidate.model_copy(update={"card": card}), deadline or Deadline(LOADING_SECONDS))
    except HuggingGPTError as error:
        return Warmed(**known, revision=card.revision, reason=error.message, passing=isinstance(error, PassingError))
    return Warmed(**known, revision=card.revision, loaded=True, seconds=round(time.monotonic() - begun, 1))


def _load(candidate: Candidate, deadline: Deadline) -> None:
    expert = expert_for(candidate.card, candidate.endpoint)
    assert expert is not None, "a candidate without an obstacle has an expert"
    context = ExpertContext(get_settings(), get_controller)
    with get_pool(get_settings()).use(expert, candidate.card, context, deadline):
        pass


def _why_none(kind: str, candidates: Sequence[Candidate]) -> str:
    here = next((c for c in candidates if c.endpoint in _HERE), None)
    if here is not None:
        return str(here.obstacle)
    return f"No model of {kind} runs on this machine."


def load_on_dask(kind: str, cluster: Cluster, deadline: Deadline) -> list[Warmed]:
    """Have all workers of a Dask cluster `load_here` at the same time.

    A worker that goes away meanwhile has not loaded the model: its successor has another address.

    Args:
        kind: a kind of task.
        cluster: where the workers are.
        deadline: ends the wait for the workers that have not loaded it.

    Raises:
        ExpertUnavailableError: the cluster cannot be reached, or has no worker.
    """
    from distributed import Client

    try:
        with Client(cluster.address, security=cluster.security(), set_as_default=False) as client:
            return list(_loaded_by_workers(client, kind, cluster.address, deadline))
    except (OSError, TimeoutError) as error:
        raise ExpertUnavailableError(
            f"The Dask scheduler at {cluster.address} cannot be reached: start it, or set HUGGINGGPT_DASK_ADDRESS."
        ) from error


def _loaded_by_workers(client: "Client", kind: str, address: str, deadline: Deadline) -> Iterator[Warmed]:
    workers = list(client.nthreads())
    if not workers:
        raise ExpertUnavailableError(
            f"The Dask scheduler at {address} has no worker: start one with `hugginggpt expert-worker`."
        )
    # Not `Client.run`, which keeps a worker from answering the scheduler while it downloads the model.
    left = {w: client.submit(load_here, kind, workers=[w], allow_other_workers=False, pure=False) for w in workers}
    while left:
        there = client.nthreads()
        for worker in [worker for worker in left if left[worker].done() or worker not in there]:
            load = left.pop(worker)
            if load.status == "finished" and worker in there:
                yield load.result(timeout=_ANSWER_SECONDS)
            elif load.status == "error" and worker in there:
                error = load.exception(timeout=_ANSWER_SECONDS)
                yield Warmed(
                    kind=kind, where=worker, reason=f"Loading it failed with {type(error).__name__}: {said(error)}"
                )
            else:
                load.cancel()
                reason = f"The expert worker {worker} went away while it loaded the model."
                yield Warmed(kind=kind, where=worker, reason=reason, passing=True)
        try:
            deadline.sleep(POLL_SECONDS if left else 0)
        except DeadlineExceededError as error:
            for worker, load in left.items():
                load.cancel()
                yield Warmed(kind=kind, where=worker, reason=error.message)
            return
