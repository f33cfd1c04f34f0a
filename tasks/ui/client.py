"""Clients of Prefect's server that outlive a run; Prefect closes the client of a flow or task run with the run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import SyncClientContext
from prefect.settings import PREFECT_API_URL

_MOST_IDLE = 8
"""How many clients are kept for later."""

_idle: list[tuple[str | None, SyncPrefectClient]] = []
"""Idle clients, each with the URL of its server; the last used is at the end.

Each serves one thread at a time. Threads that share a client would each fetch a CSRF token if it has none, and every
token invalidates the previous one.
"""

_lock = threading.Lock()


@contextmanager
def own_client() -> Iterator[SyncPrefectClient]:
    """A client for the server of the settings, which no other thread uses inside the block."""
    url = PREFECT_API_URL.value()
    with _lock:
        known = next((one for one in reversed(_idle) if one[0] == url), None)
        if known is not None:
            _idle.remove(known)
    client = _new_client() if known is None else known[1]
    usable = True
    try:
        yield client
    except httpx.HTTPError as error:
        usable = not is_about_token(error)
        raise
    finally:
        if usable:
            _keep(url, client)
        else:
            client.__exit__(None, None, None)


@contextmanager
def kept_client() -> Iterator[None]:
    """Give the flow run inside the block a client that is kept for the next run. Prefect would make and close one."""
    if SyncClientContext.get() is not None:
        yield
        return
    # Its constructor makes a client.
    with own_client() as client, SyncClientContext.model_construct(client=client):
        yield


def _new_client() -> SyncPrefectClient:
    # With settings of its own, so that Prefect does not return the client of the current run.
    return get_client(httpx_settings={}, sync_client=True).__enter__()


def _keep(url: str | None, client: SyncPrefectClient) -> None:
    with _lock:
        _idle.append((url, client))
        spare = _idle.pop(0)[1] if len(_idle) > _MOST_IDLE else None
    if spare is not None:
        spare.__exit__(None, None, None)


def is_about_token(error: httpx.HTTPError) -> bool:
    """Whether the server refused because of the client's token, so that another client may get through."""
    if not isinstance(error, httpx.HTTPStatusError) or error.response.status_code != 403:
        return False
    return "CSRF token" in error.response.text
