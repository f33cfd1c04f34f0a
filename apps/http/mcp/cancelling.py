"""Cancelled calls over HTTP, where each message of an older host comes for itself.

A newer host cancels a call by closing its connection. An older one sends a notification, which names the call by a
number that the host counts for itself. So the door names each host that begins a session; the name holds nothing, and
outlives a restart of the service.
"""

import logging
import secrets
from typing import Any

import anyio
from fastmcp.exceptions import ToolError
from fastmcp.server.dependencies import get_http_request
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import ToolResult
from mcp_types import CallToolRequestParams

from apps.http.callers import caller_of
from apps.up.guard import Application, Message, Receive, Scope, Send

SESSION = "mcp-session-id"

Call = tuple[str | None, str, str]
"""A call: by the name of the caller's key, the name of the host, and the call's number."""


class Cancelling(Middleware):
    """Matches notifications of cancelled calls with the calls."""

    def __init__(self) -> None:
        self._calls: dict[Call, anyio.CancelScope] = {}

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Let a call be cancelled for as long as it runs."""
        assert context.fastmcp_context is not None
        call = _call(context.fastmcp_context.request_id)
        if call is None:
            return await call_next(context)
        with anyio.CancelScope() as scope:
            self._calls[call] = scope
            try:
                return await call_next(context)
            finally:
                del self._calls[call]
        raise ToolError("The call was cancelled.", log_level=logging.DEBUG)

    async def on_notification(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Cancel the call that a notification names, if it is one of the same caller and host."""
        if context.method == "notifications/cancelled":
            call = _call(context.message.get("requestId"))
            if call is not None and call in self._calls:
                self._calls[call].cancel()
        return await call_next(context)


class NamedHosts:
    """An ASGI application in front of the MCP server, which names hosts that have no name yet."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, and name its host in the answer."""

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                name = (SESSION.encode(), secrets.token_hex(16).encode())
                message = {**message, "headers": [*message["headers"], name]}
            await send(message)

        is_named = any(name == SESSION.encode() for name, _ in scope["headers"])
        await self._application(scope, receive, send if is_named else naming)


def _call(number: object) -> Call | None:
    """A call of the host at hand; None if the host has no name."""
    request = get_http_request()
    host = request.headers.get(SESSION)
    return None if host is None else (caller_of(request).name, host, str(number))
