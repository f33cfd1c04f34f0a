"""`/mcp`: the MCP server within the service, over streamable HTTP. It is made when it is first called."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from importlib.util import find_spec
from typing import Any, cast

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request

from apps.http.addresses import signed_links
from apps.http.callers import Caller, caller_of
from apps.http.errors import refusal
from apps.http.events import Failed, Planned, Progress, Standing
from apps.http.mcp import MISSING, prepare
from apps.http.mcp.backend import SILENT_SECONDS, Content, check_size, failure
from apps.http.paths import MCP
from apps.http.requests import NewRequest, Requests, Watch
from apps.up.guard import Application, Receive, Scope, Send
from hugginggpt.origin import Door
from hugginggpt.services import get_store
from hugginggpt.submission import Cancelled, unusable


class McpDoor:
    """An ASGI application that hands each call to the MCP server.

    The server is made in a task of its own, which also ends it, and fastmcp is imported in a thread meanwhile.

    Args:
        requests: the service's requests.
        key: the owner's key, which signs links.
    """

    def __init__(self, requests: Requests, key: str) -> None:
        self._backend = _Here(requests, key)
        self._wanted = asyncio.Event()
        self._closing = asyncio.Event()
        self._server: asyncio.Future[Application] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for as long as the block runs."""
        self._server = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._serve(self._server))
        yield
        self._closing.set()
        self._wanted.set()
        await task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if find_spec("fastmcp") is None:
            await refusal("HTTPError", MISSING, 404)(scope, receive, send)
            return
        assert self._server is not None
        self._wanted.set()
        server = await asyncio.shield(self._server)
        await server({**scope, "path": MCP, "root_path": ""}, receive, send)

    async def _serve(self, made: "asyncio.Future[Application]") -> None:
        await self._wanted.wait()
        if self._closing.is_set():
            return
        try:
            server = await asyncio.to_thread(self._make)
        except Exception as error:
            made.set_exception(error)  # each call fails with it, and the log has it
            return
        async with server.router.lifespan_context(server):
            made.set_result(server)
            await self._closing.wait()

    def _make(self) -> Any:
        prepare()
        from apps.http.mcp.cancelling import Cancelling, NamedHosts
        from apps.http.mcp.tools import make_server

        server = make_server(self._backend, Cancelling())
        return server.http_app(
            path=MCP, middleware=[Middleware(NamedHosts)], stateless_http=True, host_origin_protection=False
        )


class _Here:
    """The backend of the tools in the service, for whoever makes the call at hand."""

    def __init__(self, requests: Requests, key: str) -> None:
        self._requests = requests
        self._key = key

    async def create(self, asked: Mapping[str, Any]) -> None:
        try:
            request = NewRequest.model_validate(asked)
        except ValidationError as error:
            raise unusable(error) from None
        await self._requests.create(self._caller, request, Door.MCP)

    async def standing(self, name: str) -> Standing:
        return await self._requests.standing(self._caller, name, self._link)

    async def watch(self, request_id: str) -> AsyncGenerator[Progress | None, None]:
        watched = self._requests.watch(self._caller, request_id, Watch(), self._link, SILENT_SECONDS)
        async with aclosing(cast("AsyncGenerator[Any, None]", watched)) as events:
            async for event in events:
                if event is None:
                    yield None
                elif event[0] == "progress":
                    yield cast(Progress, event[1])
                elif event[0] == "failed":
                    raise failure(request_id, cast(Failed, event[1]))

    async def cancel(self, name: str) -> Cancelled:
        return await self._requests.cancel(self._caller, name)

    async def abandon(self, request_id: str) -> None:
        # Calls also end because the service does, and then another process finishes their requests.
        if not self._requests.is_stopping:
            await self._requests.cancel(self._caller, request_id)

    async def plan(self, request: str, files: Sequence[str]) -> Planned:
        return await self._requests.plan(self._caller, request, files, door=Door.MCP)

    async def kinds(self) -> list[dict[str, Any]]:
        return await self._requests.kinds()

    async def file(self, sha256: str) -> Content:
        found = await self._requests.file(self._caller, sha256)
        check_size(found.bytes, self._link(sha256, f"{sha256[:12]}{found.ending}"))
        return Content(await run_in_threadpool(get_store().read_bytes, found), found.mime)

    @property
    def _request(self) -> Request:
        from fastmcp.server.dependencies import get_http_request

        return get_http_request()

    @property
    def _caller(self) -> Caller:
        return caller_of(self._request)

    def _link(self, sha256: str, name: str) -> str:
        return signed_links(self._request, self._key)(sha256, name)
