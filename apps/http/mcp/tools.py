"""The tools and resources of the MCP server. Their docstrings and descriptions are for the model that calls them."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar

import anyio
from fastmcp import Context, FastMCP
from fastmcp.exceptions import FastMCPError, ResourceError, ToolError, ValidationError
from fastmcp.resources import ResourceContent, ResourceResult
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import ToolResult
from mcp_types import CallToolRequestParams, ToolAnnotations
from pydantic import Field, TypeAdapter
from pydantic import ValidationError as PydanticError

from apps.http.events import Progress
from apps.http.mcp.backend import Backend
from apps.http.mcp.results import (
    Begun,
    Kinds,
    Outcome,
    PlanResult,
    begun_result,
    cancel_result,
    kinds_result,
    outcome_result,
    plan_result,
    steps_done,
)
from hugginggpt import __version__
from hugginggpt.errors import HuggingGPTError, TraceError
from hugginggpt.request import RequestOptions
from hugginggpt.submission import new_id, objection

WAIT_SECONDS = 50.0
"""How long a call waits for an answer unless it says otherwise: many hosts give a call up after a minute."""
MOST_WAIT_SECONDS = 3600.0
CANCEL_SECONDS = 30.0
"""How long a call that was cancelled may take to stop its request."""

INSTRUCTIONS = """\
HuggingGPT does AI work on files and texts with expert models: it reads, describes, edits and makes pictures, sound,
video, documents and tables. Call `ask` with a request in plain language and its files. A call that returns before the
answer is there names a request_id: call `result` with it. Files of answers are resources (files://...) and links.
"""

_LEAST_PROGRESS = 0.001
"""The protocol wants each progress to be more than the one before."""

Request = Annotated[str, Field(description="What to do, in plain language.")]
Files = Annotated[
    list[str],
    Field(
        description="Files of the request: https URLs, data: URIs, artifact:// references, and, where this server "
        "runs on the user's machine, absolute paths."
    ),
]
RequestId = Annotated[str, Field(description="The request_id that `ask` or `submit` returned.")]
Conversation = Annotated[str | None, Field(description="The conversation_id of an earlier answer, to continue it.")]
Options = Annotated[RequestOptions, Field(description="How to answer it; nothing of this is needed.")]
Wait = Annotated[
    float,
    Field(
        ge=0,
        le=MOST_WAIT_SECONDS,
        description="Seconds to wait for the answer. Ask for less than your host lets a call take.",
    ),
]

P = ParamSpec("P")
R = TypeVar("R")


def make_server(backend: Backend, *middleware: Middleware) -> FastMCP[None]:
    """An MCP server whose tools work with a backend.

    Args:
        backend: the backend.
        middleware: what else sees its messages.
    """
    server: FastMCP[None] = FastMCP(
        "hugginggpt",
        INSTRUCTIONS,
        version=__version__,
        middleware=[_Objections(), *middleware],
        mask_error_details=True,
    )
    tools = _Tools(backend)
    begins = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    stops = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
    for tool, annotations, shape in (
        (tools.ask, begins, Outcome),
        (tools.submit, begins, Begun),
        (tools.status, reads, Outcome),
        (tools.result, reads, Outcome),
        (tools.cancel, stops, Outcome),
        (tools.plan, reads, PlanResult),
        (tools.kinds, reads, Kinds),
    ):
        plain = _plainly(tool, ToolError)
        server.tool(plain, annotations=annotations, output_schema=TypeAdapter(shape).json_schema())
    server.resource("files://{sha256}", mime_type="application/octet-stream")(_plainly(tools.file, ResourceError))
    return server


class _Tools:
    """The tools, each a method."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def ask(
        self,
        context: Context,
        request: Request,
        files: Files = [],  # noqa: B006 - the schema shows it as the default
        conversation: Conversation = None,
        options: Options = RequestOptions(),  # noqa: B008 - it never changes
        wait_seconds: Wait = WAIT_SECONDS,
    ) -> ToolResult:
        """Have a request done by expert AI models, and wait for the answer and the files that they make.

        If it takes longer than wait_seconds, this returns its request_id, and the request goes on: call `result`.
        """
        request_id = new_id()
        try:
            with anyio.CancelScope(shield=True):  # what has begun halfway could not be stopped
                await self._backend.create(_asked(request_id, request, files, conversation, options))
            return await self._result(context, request_id, wait_seconds)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(CANCEL_SECONDS, shield=True), suppress(TraceError):  # it may not have begun
                await self._backend.abandon(request_id)
            raise

    async def submit(
        self,
        request: Request,
        files: Files = [],  # noqa: B006
        conversation: Conversation = None,
        options: Options = RequestOptions(),  # noqa: B008
    ) -> ToolResult:
        """Begin a request as `ask` does, and return its request_id at once. `result` has the answer later."""
        request_id = new_id()
        with anyio.CancelScope(shield=True):
            await self._backend.create(_asked(request_id, request, files, conversation, options))
        return begun_result(request_id)

    async def status(self, request_id: RequestId) -> ToolResult:
        """Say how far a request has come, step by step, without waiting."""
        return outcome_result(await self._backend.standing(request_id))

    async def result(self, context: Context, request_id: RequestId, wait_seconds: Wait = WAIT_SECONDS) -> ToolResult:
        """Wait for the answer of a request that was begun before, and return it.

        If it takes longer than wait_seconds, this says how far the request has come: call it again.
        """
        return await self._result(context, request_id, wait_seconds)

    async def cancel(self, request_id: RequestId) -> ToolResult:
        """Stop a request. What its finished steps have made is kept."""
        cancelled = await self._backend.cancel(request_id)
        return cancel_result(await self._backend.standing(cancelled["request_id"]), cancelled["cancelled"])

    async def plan(self, request: Request, files: Files = []) -> ToolResult:  # noqa: B006
        """Plan a request without running it: the tasks, and why any of them cannot run here.

        `ask` runs the plan, changed or not, if it is given in its options.
        """
        return plan_result(await self._backend.plan(request, files))

    async def kinds(self) -> ToolResult:
        """List the kinds of task that can run here, with their inputs and outputs. `ask` chooses among them itself."""
        return kinds_result(await self._backend.kinds())

    async def file(self, sha256: str) -> ResourceResult:
        """A file that a request made or came with."""
        found = await self._backend.file(sha256)
        if found.mime.startswith("text/"):
            with suppress(UnicodeDecodeError):
                return ResourceResult([ResourceContent(found.data.decode(), mime_type=found.mime)])
        return ResourceResult([ResourceContent(found.data, mime_type=found.mime)])

    async def _result(self, context: Context, name: str, wait_seconds: float) -> ToolResult:
        """How a request stands once it has ended, or after so many seconds."""
        standing = await self._backend.standing(name)
        if standing["report"] is None:
            with anyio.move_on_after(wait_seconds):
                await self._follow(context, standing["request_id"], standing["progress"])
            standing = await self._backend.standing(standing["request_id"])
        return outcome_result(standing)

    async def _follow(self, context: Context, request_id: str, progress: Progress) -> None:
        """Tell the host of a request's progress until its end."""
        told = 0.0
        async with aclosing(self._backend.watch(request_id)) as watched:
            async for news in watched:
                progress = progress if news is None else news
                told = max(float(steps_done(progress)), told + _LEAST_PROGRESS)
                await context.report_progress(told, len(progress["steps"]) or None, progress["headline"])


def _asked(
    request_id: str, request: str, files: Sequence[str], conversation: str | None, options: RequestOptions
) -> dict[str, Any]:
    """A request as JSON data of a `Submission`."""
    asked = {"id": request_id, "request": request, "files": list(files), "conversation": conversation}
    return {**options.model_dump(exclude_unset=True), **asked}


def _plainly(method: Callable[P, Awaitable[R]], error_class: type[FastMCPError]) -> Callable[P, Awaitable[R]]:
    """The method, whose errors reach the host as one sentence and need no place in the log."""

    @wraps(method)
    async def plain(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            return await method(*arguments, **named)
        except HuggingGPTError as error:
            raise error_class(error.message, log_level=logging.DEBUG) from None

    return plain


class _Objections(Middleware):
    """Says in one sentence what is wrong with the arguments of a call."""

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Pass a call on."""
        try:
            return await call_next(context)
        except ValidationError as error:
            if not isinstance(error.__cause__, PydanticError):
                raise
            raise ToolError(objection(error.__cause__.errors()), log_level=logging.DEBUG) from None
