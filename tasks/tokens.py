"""Tokens against forged requests, which the clients of Prefect's server share."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient

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
        _forget_expired(client)
        add(client, request)
        _share(client)

    async def add_shared_async(client: PrefectHttpxAsyncClient, request: Any) -> None:
        _forget_expired(client)
        await add_async(client, request)
        _share(client)

    PrefectHttpxSyncClient._add_csrf_headers = add_shared  # type: ignore[method-assign, assignment]
    PrefectHttpxAsyncClient._add_csrf_headers = add_shared_async  # type: ignore[method-assign, assignment]


def _begin_with_token(kind: type[Any]) -> None:
    begin = kind.__init__

    def begin_with_token(client: "PrefectHttpxAsyncClient | PrefectHttpxSyncClient", *args: Any, **more: Any) -> None:
        begin(client, *args, **more)
        if (known := _shared.get(str(client.base_url))) is not None:
            client.csrf_client_id, client.csrf_token, client.csrf_token_expiration = known

    kind.__init__ = begin_with_token


def _forget_expired(client: "PrefectHttpxAsyncClient | PrefectHttpxSyncClient") -> None:
    """Have a client that needs another token ask under another name: Prefect's server knows one token for each name."""
    expires = client.csrf_token_expiration
    if client.csrf_token is None or (expires is not None and datetime.now(UTC) > expires):
        client.csrf_client_id, client.csrf_token = uuid.uuid4(), None


def _share(client: "PrefectHttpxAsyncClient | PrefectHttpxSyncClient") -> None:
    if client.csrf_token is not None:
        _shared[str(client.base_url)] = client.csrf_client_id, client.csrf_token, client.csrf_token_expiration
