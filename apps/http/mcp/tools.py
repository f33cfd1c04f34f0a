"""The tools and resources of the MCP server. Their docstrings and descriptions are for the model that calls them."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import anyio
from fastmcp import Context, FastMCP
from fastmcp.exceptions import FastMCPError, ResourceError, ToolError, ValidationError
from fastmcp.resources import ResourceContent, ResourceResult
from fastmcp.server.dependencies import get_http_request
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import ToolResult
from mcp_types import CallToolRequestParams, ToolAnnotations
from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError
from starlette.concurrency import run_in_threadpool

from apps.http.addresses import Address, signed_links
from apps.http.callers import Caller, caller_of
from apps.http.events import Progress
from apps.http.mcp import models
from apps.http.mcp.models import Conversation, Files, Options, Request, RequestId, Wait
from apps.http.mcp.results import begun_result, cancel_result, kinds_result, outcome_result, plan_result, steps_done
from apps.http.requests import NewRequest, Requests, Watch, requests_of
from hugginggpt import __version__
from hugginggpt.errors import HuggingGPTError, TooLargeError, TraceError, rebuilt
from hugginggpt.origin import Door
from hugginggpt.request import RequestOptions
from hugginggpt.services import get_store
from hugginggpt.submission import new_id, objection, unusable

WAIT_SECONDS = 50.0
"""How long a call waits for an answer unless it says otherwise: many hosts give a call up after a minute."""
CANCEL_SECONDS = 30.0
"""How long a call that was cancelled may take to stop its request."""
SILENT_SECONDS = 10.0
"""After so long without news, a host is told again how a request stands, so that it does not give up."""
MOST_RESOURCE_BYTES = 8 * 2**20
"""The largest file that is given as a resource: it is in memory whole, and a third larger on its way."""

INSTRUCTIONS = """\
HuggingGPT does AI work on files and texts with expert models: it reads, describes, edits and makes pictures, sound,
video, documents and tables. Call `ask` with a request in plain language and its files. A call that returns before the
answer is there names a request_id: call `result` with it. Files of answers are resources (files://...) and links.
"""

_LEAST_PROGRESS = 0.001
"""The protocol wants each progress to be more than the one before."""


def make_server(*middleware: Middleware) -> FastMCP[None]:
    """An MCP server. Its tools work in the service, for whoever makes the call at hand.

    Args:
        middleware: what else sees its messages.
    """
    server: FastMCP[None] = FastMCP(
        "hugginggpt",
        INSTRUCTIONS,
        version=__version__,
        middleware=[_Objections(), *middleware],
        mask_error_details=True,
    )
    begins = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    stops = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
    for tool, annotations, shape in (
        (ask, begins, models.Outcome),
        (submit, begins, models.Begun),
        (status, reads, models.Outcome),
        (result, reads, models.Outcome),
        (cancel, stops, models.Outcome),
        (plan, reads, models.PlanResult),
        (kinds, reads, models.Kinds),
    ):
        server.tool(plainly(ToolError)(tool), annotations=annotations, output_schema=TypeAdapter(shape).json_schema())
    server.resource("files://{sha256}", mime_type="application/octet-stream")(plainly(ResourceError)(file))
    return server


async def ask(
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
    requests, caller, _ = _here()
    request_id = new_id()
    try:
        await _create(request_id, request, files, conversation, options)
        return await result(context, request_id, wait_seconds)
    except anyio.get_cancelled_exc_class():
        # Calls also end because the service does, and then another process finishes their requests.
        if not requests.is_stopping:
            with anyio.move_on_after(CANCEL_SECONDS, shield=True), suppress(TraceError):  # it may not have begun
                await requests.cancel(caller, request_id)
        raise


async def submit(
    request: Request,
    files: Files = [],  # noqa: B006
    conversation: Conversation = None,
    options: Options = RequestOptions(),  # noqa: B008
) -> ToolResult:
    """Begin a request as `ask` does, and return its request_id at once. `result` has the answer later."""
    request_id = new_id()
    await _create(request_id, request, files, conversation, options)
    return begun_result(request_id)


async def status(request_id: RequestId) -> ToolResult:
    """Say how far a request has come, step by step, without waiting."""
    requests, caller, address = _here()
    return outcome_result(await requests.standing(caller, request_id, address))


async def result(context: Context, request_id: RequestId, wait_seconds: Wait = WAIT_SECONDS) -> ToolResult:
    """Wait for the answer of a request that was begun before, and return it.

    If it takes longer than wait_seconds, this says how far the request has come: call it again.
    """
    requests, caller, address = _here()
    standing = await requests.standing(caller, request_id, address)
    if standing["report"] is None:
        with anyio.move_on_after(wait_seconds):
            await _follow(context, standing["request_id"], standing["progress"])
        standing = await requests.standing(caller, standing["request_id"], address)
    return outcome_result(standing)


async def cancel(request_id: RequestId) -> ToolResult:
    """Stop a request. What its finished steps have made is kept."""
    requests, caller, address = _here()
    cancelled = await requests.cancel(caller, request_id)
    standing = await requests.standing(caller, cancelled["request_id"], address)
    return cancel_result(standing, cancelled["cancelled"])


async def plan(request: Request, files: Files = []) -> ToolResult:  # noqa: B006
    """Plan a request without running it: the tasks, and why any of them cannot run here.

    `ask` runs the plan, changed or not, if it is given in its options.
    """
    requests, caller, _ = _here()
    return plan_result(await requests.plan(caller, request, files, door=Door.MCP))


async def kinds() -> ToolResult:
    """List the kinds of task with their inputs and outputs. `ask` chooses among them itself.

    Some may have no model that can run here: `plan` tells.
    """
    return kinds_result(await _here()[0].kinds())


async def file(sha256: str) -> ResourceResult:
    """A file that a request made or came with."""
    requests, caller, address = _here()
    found = await requests.file(caller, sha256)
    if found.bytes > MOST_RESOURCE_BYTES:
        raise TooLargeError(
            f"The file has {found.bytes} bytes, more than the {MOST_RESOURCE_BYTES} of a resource: "
            f"fetch it from {address(sha256, f'{sha256[:12]}{found.ending}')}."
        )
    data = await run_in_threadpool(get_store().read_bytes, found)
    if found.mime.startswith("text/"):
        with suppress(UnicodeDecodeError):
            return ResourceResult([ResourceContent(data.decode(), mime_type=found.mime)])
    return ResourceResult([ResourceContent(data, mime_type=found.mime)])


def _here() -> tuple[Requests, Caller, Address]:
    """The requests of the service, who makes the call at hand, and the addresses of files for them."""
    call = get_http_request()
    return requests_of(call), caller_of(call), signed_links(call)


async def _create(
    request_id: str, request: str, files: list[str], conversation: str | None, options: RequestOptions
) -> None:
    requests, caller, _ = _here()
    asked = {"id": request_id, "request": request, "files": files, "conversation": conversation}
    try:
        new = NewRequest.model_validate({**options.model_dump(exclude_unset=True), **asked})
    except PydanticError as error:
        raise unusable(error) from None
    with anyio.CancelScope(shield=True):  # what has begun halfway could not be stopped
        await requests.create(caller, new, Door.MCP)


async def _follow(context: Context, request_id: str, progress: Progress) -> None:
    """Tell the host of a request's progress until its end."""
    requests, caller, address = _here()
    told = 0.0
    async with aclosing(requests.watch(caller, request_id, Watch(), address, SILENT_SECONDS)) as events:
        async for event in events:
            match event:
                case ("failed", failed):
                    hint = f" The request is kept: ask `result` for {request_id} later." if failed["begun"] else ""
                    raise rebuilt(failed["type"], failed["message"] + hint)
                case ("progress", news):
                    progress = news
            told = max(float(steps_done(progress)), told + _LEAST_PROGRESS)
            await context.report_progress(told, len(progress["steps"]) or None, progress["headline"])


@asynccontextmanager
async def plainly(error_class: type[FastMCPError]) -> AsyncIterator[None]:
    """Errors in the block, or in the function that it decorates, reach the host as one sentence, and no log."""
    try:
        yield
    except HuggingGPTError as error:
        raise error_class(error.message, log_level=logging.DEBUG) from None


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
