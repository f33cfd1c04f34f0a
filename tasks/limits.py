"""Prefect's global concurrency limits on controller calls and accelerators, shared by all processes on one server.

A limit applies only if it exists: `prefect gcl create hugginggpt-controller --limit 4`. Within a process, the
controller's own limit and the turns on the processor always apply. That is enough where expert workers keep the
embedded controller: they take no slots for it. If a process dies, its slots come free when their leases run out; a
restart of the server does not delay that if it keeps leases in files, as under `hugginggpt up`.
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
from hugginggpt.experts.device import configure_torch
from hugginggpt.models.card import Candidate, Endpoint
from hugginggpt.redaction import said
from hugginggpt.settings import get_settings

POLL_SECONDS = 1.0
"""Seconds between two requests for a slot."""
LEASE_SECONDS = 60.0
"""How long a slot stays taken after its holder has died, at most; a live holder renews its lease in time.

Prefect's server accepts nothing shorter. With its default of 300, whoever waits for the slot would run out of time.
"""


@contextmanager
def controller_slot(deadline: Deadline | None) -> Iterator[None]:
    """Hold a slot for a controller call.

    Raises:
        DeadlineExceededError: no slot came free in time, or the deadline was cancelled.
        OrchestratorUnavailableError: Prefect's server gave no answer.
    """
    with _held(CONTROLLER_LIMIT, deadline):
        yield


@contextmanager
def slot_for(candidate: Candidate, deadline: Deadline) -> Iterator[None]:
    """Hold a slot for the accelerator, if there is one and the model is local. Controller calls have their own slots.

    Raises:
        DeadlineExceededError: it did not come free in time, or the deadline was cancelled.
        OrchestratorUnavailableError: Prefect's server gave no answer.
    """
    if candidate.endpoint is Endpoint.LOCAL and find_spec("torch") and configure_torch(get_settings()) != "cpu":
        with _held(ACCELERATOR_LIMIT, deadline):
            yield
    else:
        yield


@contextmanager
def _held(name: str, deadline: Deadline | None) -> Iterator[None]:
    """Hold a slot. If the server is gone at the end, the work done meanwhile still counts."""
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
            get_run_logger().warning("The slot of the limit %s could not be released: %s", name, said(error))


def _taken(name: str, deadline: Deadline) -> UUID:
    """The lease of a slot, as soon as one is free. Prefect's own wait for a slot cannot be cancelled.

    In each process, one thread asks at a time; the others wait in line.
    """
    try:
        with deadline.holding(_line(name)), get_client(sync_client=True) as client:
            began = time.monotonic()
            try:
                while (lease := _asked(client, name)) is None:
                    deadline.sleep(POLL_SECONDS)
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
    """Whether the server has the limit. Each process asks once, so a new limit applies only to new processes."""
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
        f"Prefect's server did not answer about the limit {name} ({type(error).__name__}): check that it is running."
    )
