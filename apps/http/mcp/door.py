"""`/mcp`: the MCP server within the service, over streamable HTTP."""

from importlib.util import find_spec
from typing import Any

from starlette.middleware import Middleware

from apps.http.errors import refusal
from apps.http.late import LateApplication
from apps.http.mcp import MISSING, prepare
from apps.http.paths import MCP
from apps.http.requests import Requests
from apps.up.guard import Receive, Scope, Send


class McpDoor(LateApplication):
    """An ASGI application that hands each call to the MCP server.

    Args:
        requests: the service's requests.
        key: the owner's key, which signs links.
    """

    def __init__(self, requests: Requests, key: str) -> None:
        super().__init__(lambda: _server(requests, key))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if find_spec("fastmcp") is None:
            await refusal("HTTPError", MISSING, 404)(scope, receive, send)
        else:
            await super().__call__({**scope, "path": MCP, "root_path": ""}, receive, send)


def _server(requests: Requests, key: str) -> Any:
    prepare()
    from apps.http.mcp.cancelling import Cancelling, NamedHosts
    from apps.http.mcp.tools import make_server

    server = make_server(Cancelling()).http_app(
        path=MCP, middleware=[Middleware(NamedHosts)], stateless_http=True, host_origin_protection=False
    )
    server.state.requests, server.state.key = requests, key
    return server
