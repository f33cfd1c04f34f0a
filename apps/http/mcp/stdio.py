"""The MCP server over stdin and stdout. It hands each call to the one in the service, with the owner's key.

It can name its tools when nothing is up, and it can read files of this machine, which it sends to the service.
"""

import asyncio
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.exceptions import ResourceError, ToolError
from fastmcp.resources import ResourceContent, ResourceResult
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import ToolResult
from mcp import MCPError
from mcp_types import CONNECTION_CLOSED, BlobResourceContents, CallToolRequestParams, ReadResourceRequestParams

from apps.http.client import Service, find_service, is_up
from apps.http.mcp.tools import make_server, plainly
from apps.http.paths import MCP
from hugginggpt.errors import HuggingGPTError, UsageError, rebuilt
from hugginggpt.file_links import FILES
from hugginggpt.source_paths import is_address
from hugginggpt.text import one_line

NOTHING_IS_UP = "Nothing is up: start the service with `hugginggpt up`."
LOST = "The service was lost. What was asked may go on: `hugginggpt trace list` shows it."
BACK_SECONDS = 60.0
"""How long to wait for a lost service, which `up` starts again."""

_PAUSE = 0.25
_MOST_SHOWN = 300


def serve() -> None:
    """Serve one host until it closes stdin."""
    asyncio.run(make_server(_Forwarding()).run_stdio_async(show_banner=False))


class _Forwarding(Middleware):
    """Has the service answer each call."""

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Call the tool in the service, and tell the host of its progress."""
        assert context.fastmcp_context is not None
        arguments, tell = dict(context.message.arguments or {}), context.fastmcp_context.report_progress
        async with plainly(ToolError):
            service = await _service()
            if isinstance(files := arguments.get("files"), list):
                arguments["files"] = await _sent(service, files)
            async with _client(service) as client:
                found = await client.call_tool_mcp(context.message.name, arguments, tell)
        return ToolResult(found.content, found.structured_content, is_error=bool(found.is_error))

    async def on_read_resource(
        self,
        context: MiddlewareContext[ReadResourceRequestParams],
        call_next: CallNext[ReadResourceRequestParams, ResourceResult],
    ) -> ResourceResult:
        """Read the resource in the service."""
        async with plainly(ResourceError), _client(await _service()) as client:
            found = await client.read_resource(context.message.uri)
        return ResourceResult(
            [
                ResourceContent(
                    b64decode(one.blob) if isinstance(one, BlobResourceContents) else one.text, mime_type=one.mime_type
                )
                for one in found
            ]
        )


async def _service() -> Service:
    """The service of the home folder, which has just proved that it has the key.

    Raises:
        HuggingGPTError: nothing is up, or it does not come back.
    """
    until = time.monotonic() + BACK_SECONDS
    while (found := await asyncio.to_thread(find_service, as_here=False)) is None:
        if not is_up() or time.monotonic() > until:
            raise HuggingGPTError(NOTHING_IS_UP)
        await asyncio.sleep(_PAUSE)
    found.close()
    return found


@asynccontextmanager
async def _client(service: Service) -> AsyncIterator[Client[Any]]:
    """A client of the MCP server in the service. What goes wrong is a HuggingGPTError."""
    transport = StreamableHttpTransport(
        service.url + MCP,
        headers=_headers(service),
        httpx_client_factory=partial(httpx2.AsyncClient, timeout=None, trust_env=False),
        max_sse_event_size=None,
    )
    try:
        async with Client(transport) as client:
            yield client
    except MCPError as error:
        raise HuggingGPTError(LOST if error.code == CONNECTION_CLOSED else error.error.message) from None
    except (RuntimeError, httpx2.HTTPError):  # it cannot connect
        raise HuggingGPTError(LOST) from None


async def _sent(service: Service, files: Sequence[Any]) -> list[Any]:
    """The files of a request, with references in place of paths, whose files the service then has."""
    paths = {source: path for source in files if isinstance(source, str) and (path := _path(source)) is not None}
    if not paths:
        return list(files)
    with ExitStack() as opened:
        try:
            sent = [("files", (path.name, opened.enter_context(path.open("rb")))) for path in paths.values()]
        except OSError as error:
            raise UsageError(f"A file cannot be read: {error.filename}: {error.strerror}.") from None
        try:
            async with httpx2.AsyncClient(timeout=None, trust_env=False) as client:
                answer = await client.post(service.url + FILES, files=sent, headers=_headers(service))
        except httpx2.HTTPError:
            raise HuggingGPTError(LOST) from None
    if not answer.is_success:
        raise rebuilt(answer.json()["type"], answer.json()["message"])
    stored = dict(zip(paths, answer.json(), strict=True))
    return [stored[source]["reference"] if source in stored else source for source in files]


def _headers(service: Service) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.key}"}


def _path(source: str) -> Path | None:
    """The regular file of this machine that a source names; None if it is an address.

    Raises:
        UsageError: there is none.
    """
    parts = urlsplit(source) if source.lower().startswith("file:") else None
    if parts is None and (is_address(source) or not source.strip()):
        return None
    try:
        path = Path(source if parts is None else unquote(parts.path)).expanduser().absolute()
        found = path.is_file()
    except (OSError, ValueError, RuntimeError):  # not a possible name, or nobody's home folder
        found = False
    if not found:
        raise UsageError(f"There is no file {one_line(source, _MOST_SHOWN)}: give its absolute path.")
    return path
