"""Tokens against forged requests, which the clients of Prefect's server share."""

import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient

    _Client = PrefectHttpxAsyncClient | PrefectHttpxSyncClient

_asking = threading.Lock()
_shared: dict[str, tuple[uuid.UUID, str | None, datetime | None]] = {}
"""By the URL of the server: the client's name that the last token was made for, the token, and when it expires."""


def share_tokens() -> None:
    """Have the clients of one server in this process share a token.

    Prefect has each client ask for one of its own before it changes something, and a flow run has about five clients.
    """
    # Reads the environment, which `prepare` completes first.
    from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient

    for kind in (PrefectHttpxAsyncClient, PrefectHttpxSyncClient):
        _begin_with_token(kind)
    add, add_async = PrefectHttpxSyncClient._add_csrf_headers, PrefectHttpxAsyncClient._add_csrf_headers

    def add_shared(client: PrefectHttpxSyncClient, request: Any) -> None:
        with _asking:
            if _needs_token(client) and not _begin_with_shared(client):
                _rename(client)
            add(client, request)
            _share(client)

    async def add_shared_async(client: PrefectHttpxAsyncClient, request: Any) -> None:
        if _needs_token(client):
            _rename(client)
        await add_async(client, request)
        _share(client)

    PrefectHttpxSyncClient._add_csrf_headers = add_shared  # type: ignore[method-assign, assignment]
    PrefectHttpxAsyncClient._add_csrf_headers = add_shared_async  # type: ignore[method-assign, assignment]


def _begin_with_token(kind: type[Any]) -> None:
    begin = kind.__init__

    def begin_with_token(client: "_Client", *args: Any, **more: Any) -> None:
        begin(client, *args, **more)
        _begin_with_shared(client)

    kind.__init__ = begin_with_token


def _begin_with_shared(client: "_Client") -> bool:
    """Give a client the token that others have, unless it has that already; return whether it got it."""
    known = _shared.get(str(client.base_url))
    if known is None or known[0] == client.csrf_client_id:
        return False
    client.csrf_client_id, client.csrf_token, client.csrf_token_expiration = known
    return True


def _needs_token(client: "_Client") -> bool:
    expires = client.csrf_token_expiration
    return client.csrf_token is None or (expires is not None and datetime.now(UTC) > expires)


def _rename(client: "_Client") -> None:
    """Have a client ask under a name of its own: Prefect's server knows one token for each name.

    One that has such a name keeps it: it may be asking just now, for something else that it does.
    """
    known = _shared.get(str(client.base_url))
    if known is not None and known[0] == client.csrf_client_id:
        client.csrf_client_id = uuid.uuid4()


def _share(client: "_Client") -> None:
    if client.csrf_token is not None:
        _shared[str(client.base_url)] = client.csrf_client_id, client.csrf_token, client.csrf_token_expiration
