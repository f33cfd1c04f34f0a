"""Tokens against forged requests, which Prefect's server neither stores nor looks up.

Prefect keeps the token of each client in its database: a transaction that writes for every client that somebody opens,
and a query for every request that may change something. Here, a token is a keyed hash of the client's name and of the
time at which it expires. As with Prefect's, any client gets one for the asking, and a page elsewhere cannot read it.
"""

import hashlib
import hmac
import secrets
import time
import uuid
from datetime import UTC, datetime

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from prefect.server.api.middleware import CsrfMiddleware
from prefect.server.schemas.core import CsrfToken
from prefect.settings import PREFECT_SERVER_CSRF_TOKEN_EXPIRATION

from apps.up.guard import Application, Receive, Scope, Send

_CHANGING = ("POST", "PUT", "PATCH", "DELETE")


def check_tokens(application: FastAPI) -> Application:
    """Prefect's server application with tokens of ours in place of Prefect's.

    They are valid until the server ends: a client that is told that its token is not valid fetches another.

    Args:
        application: Prefect's, which has not served a request yet.
    """
    tokens = _Tokens()
    others = [each for each in application.user_middleware if each.cls is not CsrfMiddleware]  # type: ignore[comparison-overlap]
    application.user_middleware = others
    routes = application.api_app.router.routes  # type: ignore[attr-defined]
    routes.insert(0, APIRoute("/csrf-token", tokens.create, methods=["GET"], response_model=CsrfToken))

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in _CHANGING and (wrong := tokens.objection(scope)):
            # Without the header, Prefect's client would pause before it tries again with another token.
            await JSONResponse({"detail": wrong}, 403, {"Retry-After": "0"})(scope, receive, send)
        else:
            await application(scope, receive, send)

    return serve


class _Tokens:
    def __init__(self) -> None:
        self._secret = secrets.token_bytes()

    async def create(self, client: str = Query(description="The client to create a CSRF token for")) -> CsrfToken:
        """A token for a client."""
        issued = datetime.now(UTC)
        expires = int(time.time() + PREFECT_SERVER_CSRF_TOKEN_EXPIRATION.value().total_seconds())
        return CsrfToken(
            id=uuid.uuid4(),
            created=issued,
            updated=issued,
            token=self._token(client, str(expires)),
            client=client,
            expiration=datetime.fromtimestamp(expires, UTC),
        )

    def objection(self, scope: Scope) -> str | None:
        """What is wrong with the token of a request, in Prefect's words; None if it is valid."""
        headers = dict(scope["headers"])
        token = headers.get(b"prefect-csrf-token", b"").decode("latin-1")
        client = headers.get(b"prefect-csrf-client", b"").decode("latin-1")
        if not token:
            return "Missing CSRF token."
        if not client:
            return "Missing client identifier."
        expires = token.partition("-")[0]
        valid = hmac.compare_digest(self._token(client, expires).encode(), token.encode("latin-1"))
        if valid and int(expires) > time.time():
            return None
        return "Invalid CSRF token or client identifier."

    def _token(self, client: str, expires: str) -> str:
        return f"{expires}-{hmac.new(self._secret, f'{expires} {client}'.encode(), hashlib.sha256).hexdigest()}"
