"""Global concurrency limits around the model's work, shared by every process on one Prefect server."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL

from hugginggpt.catalog.card import Candidate, Endpoint
from hugginggpt.experts.device import set_up_torch
from hugginggpt.settings import get_settings

CONTROLLER_LIMIT = "hugginggpt-controller"
ACCELERATOR_LIMIT = "hugginggpt-accelerator"


@contextmanager
def controller_slot() -> Iterator[None]:
    """Hold one of the controller's slots."""
    _ensure_limits(PREFECT_API_URL.value())
    with _held(CONTROLLER_LIMIT):
        yield


@contextmanager
def slot_for(candidate: Candidate) -> Iterator[None]:
    """Hold the slot that a candidate asks for: the controller's, the accelerator's where there is one, or none."""
    if candidate.endpoint is Endpoint.CONTROLLER:
        with controller_slot():
            yield
    elif candidate.endpoint is Endpoint.LOCAL and set_up_torch(get_settings()) != "cpu":
        _ensure_limits(PREFECT_API_URL.value())
        with _held(ACCELERATOR_LIMIT):
            yield
    else:
        yield


@contextmanager
def _held(name: str) -> Iterator[None]:
    """Hold a slot. What was done in it is not lost when the server is gone at the end: the slot's lease runs out."""
    slot = concurrency(name, occupy=1)
    slot.__enter__()
    try:
        yield
    finally:
        try:
            slot.__exit__(None, None, None)
        except httpx.HTTPError as error:
            get_run_logger().warning("The slot of %s could not be given back: %s", name, error)


@lru_cache(maxsize=8)
def _ensure_limits(api_url: str | None) -> None:
    """Create the limits that a server does not have yet; one that was changed there stays as it is."""
    wanted = {CONTROLLER_LIMIT: get_settings().controller_concurrency, ACCELERATOR_LIMIT: 1}
    with get_client(sync_client=True) as client:
        for name, limit in wanted.items():
            try:
                client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound:
                try:
                    client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=limit))
                except ObjectAlreadyExists:
                    continue
