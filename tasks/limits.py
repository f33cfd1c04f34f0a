"""Global concurrency limits around the model's work, shared by every process on one Prefect server.

They count only where they exist: `prefect gcl create hugginggpt-controller --limit 4`. Inside one
process the controller's own limit and the processor's turns hold anyway. A slot of a process that
died comes free when its lease runs out, even if the server was started again meanwhile, as long as
that keeps leases in files, as the one of `hugginggpt up` does.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.concurrency._leases import maintain_concurrency_lease
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from hugginggpt.deadline import Deadline
from hugginggpt.environment import ACCELERATOR_LIMIT, CONTROLLER_LIMIT
from hugginggpt.errors import DeadlineExceededError, OrchestratorUnavailableError, TaskCancelledError
from hugginggpt.experts.device import set_up_torch
from hugginggpt.models.card import Candidate, Endpoint
from hugginggpt.redaction import said
from hugginggpt.settings import get_settings

PAUSE = 1.0
"""Seconds between two questions whether a slot is free."""
LEASE_SECONDS = 300.0
"""How long a slot stays taken when its holder has died; who holds it renews that in time."""


@contextmanager
def controller_slot(deadline: Deadline | None) -> Iterator[None]:
    """Hold one of the controller's slots.

    Raises:
        DeadlineExceededError: none came free in time, or the deadline was cancelled.
        OrchestratorUnavailableError: Prefect's server gave no answer.
    """
    with _held(CONTROLLER_LIMIT, deadline):
        yield


@contextmanager
def slot_for(candidate: Candidate, deadline: Deadline) -> Iterator[None]:
    """Hold the accelerator for a local model, where there is one. The controller's calls hold their own slots.

    Raises:
        DeadlineExceededError: it did not come free in time, or the deadline was cancelled.
        OrchestratorUnavailableError: Prefect's server gave no answer.
    """
    if candidate.endpoint is Endpoint.LOCAL and find_spec("torch") and set_up_torch(get_settings()) != "cpu":
        with _held(ACCELERATOR_LIMIT, deadline):
            yield
    else:
        yield


@contextmanager
def _held(name: str, deadline: Deadline | None) -> Iterator[None]:
    """Hold a slot. What was done in it is not lost when the server is gone at the end."""
    if not _exists(name, PREFECT_API_URL.value()):
        yield
        return
    lease = _taken(name, deadline or Deadline(math.inf))
    try:
        with maintain_concurrency_lease(lease, LEASE_SECONDS):
            yield
    finally:
        try:
            with get_client(sync_client=True) as client:
                client.release_concurrency_slots_with_lease(lease)
        except httpx.HTTPError as error:
            get_run_logger().warning("The slot of %s could not be given back: %s", name, said(error))


def _taken(name: str, deadline: Deadline) -> UUID:
    """The lease of a slot, as soon as one is free. Prefect's own waiting for it ends only when it has one.

    One thread of a process asks at a time; the others stand in line.
    """
    try:
        with deadline.holding(_line(name)), get_client(sync_client=True) as client:
            began = time.monotonic()
            try:
                while (lease := _asked(client, name)) is None:
                    deadline.sleep(PAUSE)
            finally:
                deadline.waited += time.monotonic() - began
    except TaskCancelledError:
        raise
    except DeadlineExceededError:
        raise DeadlineExceededError(f"No slot of the limit {name} came free in time.") from None
    return lease


def _asked(client: SyncPrefectClient, name: str) -> UUID | None:
    try:
        answer = client.increment_concurrency_slots_with_lease([name], 1, "concurrency", LEASE_SECONDS)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.LOCKED:
            return None
        raise _unavailable(name, error) from error
    except httpx.HTTPError as error:
        raise _unavailable(name, error) from error
    return UUID(answer.json()["lease_id"])


@lru_cache(maxsize=16)
def _line(name: str) -> threading.Lock:
    return threading.Lock()


@lru_cache(maxsize=16)
def _exists(name: str, api_url: str | None) -> bool:
    """Whether that server has the limit. Asked once per process: a limit made later counts for later processes."""
    try:
        with get_client(sync_client=True) as client:
            client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        return False
    except httpx.HTTPError as error:
        raise _unavailable(name, error) from error
    return True


def _unavailable(name: str, error: BaseException) -> OrchestratorUnavailableError:
    return OrchestratorUnavailableError(
        f"Prefect's server gave no answer about the limit {name} ({type(error).__name__}): is it being started again?"
    )
