"""Global concurrency limits around the model's work, shared by every process on one Prefect server.

They count only where they exist: `prefect gcl create hugginggpt-controller --limit 4`. Inside one
process the controller's own limit and the processor's turns hold anyway. A slot of a process that
died comes free when its lease runs out, even if the server was started again meanwhile, as long as
that keeps leases in files, as the one of `hugginggpt up` does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from hugginggpt.catalog.card import Candidate, Endpoint
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError
from hugginggpt.experts.device import set_up_torch
from hugginggpt.settings import get_settings

CONTROLLER_LIMIT = "hugginggpt-controller"
ACCELERATOR_LIMIT = "hugginggpt-accelerator"


@contextmanager
def controller_slot(deadline: Deadline | None) -> Iterator[None]:
    """Hold one of the controller's slots."""
    with _held(CONTROLLER_LIMIT, deadline):
        yield


@contextmanager
def slot_for(candidate: Candidate, deadline: Deadline) -> Iterator[None]:
    """Hold the accelerator for a local model, where there is one. The controller's calls hold their own slots."""
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
    slot = concurrency(name, occupy=1, timeout_seconds=None if deadline is None else deadline.remaining())
    try:
        slot.__enter__()
    except TimeoutError:
        raise DeadlineExceededError(f"No slot of the limit {name} came free in time.") from None
    try:
        yield
    finally:
        try:
            slot.__exit__(None, None, None)
        except httpx.HTTPError as error:
            get_run_logger().warning("The slot of %s could not be given back: %s", name, error)


@lru_cache(maxsize=16)
def _exists(name: str, api_url: str | None) -> bool:
    """Whether that server has the limit. Asked once per process: a limit made later counts for later processes."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            return False
    return True
