"""`/api/v1`: requests, conversations, plans, kinds and models over HTTP."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from apps.http import jobs
from apps.http.addresses import links
from apps.http.callers import Caller, caller_of, gone
from apps.http.events import Planned, Standing, Taken
from apps.http.paths import API, HEALTH, READY
from apps.http.requests import NewRequest, Watch, requests_of
from apps.http.sse import STILL_HERE, EventStream
from apps.http.sse import event as written
from apps.http.uploads import kept
from apps.http.work import Work
from hugginggpt.errors import ForbiddenError, TraceError, UsageError
from hugginggpt.origin import Door
from hugginggpt.service_key import proof
from hugginggpt.services import get_trace
from hugginggpt.submission import Cancelled, Text, objection
from hugginggpt.text import one_line
from hugginggpt.trace.story import RequestSummary

SILENT_SECONDS = 10.0
"""A stream that had nothing to say for so long says that it is still there, which also shows whether its client is."""
MOST_LISTED = 200
MOST_SHOWN = 60

router = APIRouter(prefix=API)

M = TypeVar("M", bound=BaseModel)


class CommandLineRequest(NewRequest):
    """A request, and how it came in.

    Attributes:
        door: the owner's command line may say that it was it: then its files may be anywhere on this machine.
    """

    door: Door = Door.HTTP


class OnlyPlan(BaseModel):
    """A request that is only planned.

    Attributes:
        door: as in a request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: Text
    files: tuple[Text, ...] = ()
    door: Door = Door.HTTP


@router.get(HEALTH.removeprefix(API), tags=["service"])
async def health(request: Request, challenge: str = "") -> dict[str, str]:
    """That the service is there. It proves that it has the owner's key to a client that is about to send it."""
    return {"proof": proof(request.app.state.key, challenge)}


@router.get(READY.removeprefix(API), tags=["service"])
async def ready() -> dict[str, str]:
    """That requests can be taken: the trace can be read and written."""
    await run_in_threadpool(get_trace().check)
    return {"status": "ready"}


@router.post("/requests", status_code=201, tags=["requests"])
async def create(request: Request) -> Taken:
    """Answer a request, or put it in line. Creating an id twice is the same as creating it once.

    The body is either JSON, with `request` and any of the options, or a form (`multipart/form-data`) with `request`,
    any number of `files`, and `options`, which are the rest as JSON. The header `Idempotency-Key` is an id, too.
    """
    caller = caller_of(request)
    async with _form(request) as form:
        asked = _asked(await _content(request, form), request.headers.get("idempotency-key"))
        _check_door(caller, asked.door)
        async with kept(_uploads(form)) as uploads:
            return await requests_of(request).create(caller, asked, asked.door, uploads)


@router.get("/requests", tags=["requests"])
async def latest(request: Request, limit: int = 20, conversation: str | None = None) -> list[RequestSummary]:
    """The latest requests, newest first."""
    return await requests_of(request).latest(caller_of(request), _bounded(limit), conversation)


@router.get("/requests/{name}", tags=["requests"])
async def look(request: Request, name: str) -> Standing:
    """How the request stands whose id is, or begins with, a text; with its report, once it has ended."""
    return await requests_of(request).standing(caller_of(request), name, links(request))


@router.post("/requests/{name}/resume", tags=["requests"])
async def resume(request: Request, name: str) -> Taken:
    """Finish a request whose process died, or that was cancelled; do nothing if it has ended."""
    return await requests_of(request).resume(caller_of(request), name)


@router.post("/requests/{name}/interrupt", include_in_schema=False)
async def interrupt(request: Request, name: str) -> dict[str, bool]:
    """Stop the process that answers a request of the command line here, so that `resume` continues."""
    _check_door(caller_of(request), Door.COMMAND_LINE)
    return await requests_of(request).interrupt(name)


@router.post("/requests/{name}/cancel", tags=["requests"])
async def cancel(request: Request, name: str, door: Door = Door.HTTP) -> Cancelled:
    """Stop a request that waits or runs, wherever it runs."""
    caller = caller_of(request)
    _check_door(caller, door)
    how = "by `hugginggpt cancel`" if door is Door.COMMAND_LINE else "by a client of the service"
    return await requests_of(request).cancel(caller, name, how)


@router.get("/requests/{name}/events", tags=["requests"], response_class=EventStream)
async def events(
    request: Request,
    name: str,
    since: AwareDatetime | None = None,
    lives: int = 0,
    waits: str = "waiting",
    resumes: bool = True,
    local: bool = False,
) -> EventStream:
    """The progress of a request as server-sent events, to its end. A client that goes away changes nothing.

    Each event holds everything that can be seen then, so a client that comes late or comes back has missed nothing. An
    event has an id: with it as `Last-Event-ID`, the stream begins with what has changed since then.

    Args:
        request: what was sent.
        name: the request's id, or any unique beginning of it.
        since: when the user asked for it; by default, when it came in.
        lives: how many processes had worked on it before.
        waits: how to describe the time in which nothing works on it.
        resumes: whether another process takes over if the one at work dies, so that this is not the end.
        local: whether files are named by their places on this machine; for the owner only.
    """
    caller = caller_of(request)
    if local:
        _check_door(caller, Door.COMMAND_LINE)
    watch = Watch(lives=lives, since=since, waits=waits, resumes=resumes)
    watched = requests_of(request).watch(caller, name, watch, None if local else links(request), SILENT_SECONDS)
    first = await anext(watched)

    async def stream() -> AsyncIterator[str]:
        seen = request.headers.get("last-event-id")
        event = first
        while True:
            if event is None:
                yield STILL_HERE
            else:
                kind, content = event
                id_ = f"{kind}-{_digest(content)}"
                if id_ != seen or kind != "progress":
                    yield written(content, kind, id_)
            try:
                event = await anext(watched)
            except StopAsyncIteration:
                return

    return EventStream(stream())


@router.get("/conversations", tags=["conversations"])
async def conversations(request: Request, limit: int = 20) -> list[str]:
    """The ids of the latest conversations, newest first."""
    found = await requests_of(request).latest(caller_of(request), MOST_LISTED)
    return list(dict.fromkeys(summary.conversation_id for summary in found))[: _bounded(limit)]


@router.get("/latest-conversation", include_in_schema=False)
async def latest_conversation(request: Request) -> dict[str, str | None]:
    """The conversation of the newest request."""
    only = caller_of(request).only
    return {"conversation_id": await run_in_threadpool(get_trace().requests.latest_conversation, key=only)}


@router.get("/conversations/{name}", tags=["conversations"])
async def conversation(request: Request, name: str) -> dict[str, Any]:
    """The conversation whose id is, or begins with, a text, and its requests, newest first."""
    found = await requests_of(request).latest(caller_of(request), MOST_LISTED, name)
    id_ = await run_in_threadpool(get_trace().requests.conversation, name, key=caller_of(request).only)
    return {"conversation_id": id_, "requests": [summary.model_dump(mode="json") for summary in found]}


@router.post("/plans", tags=["plans"])
async def plan(request: Request) -> Planned:
    """Plan a request without running it, unless the client goes away. The body is as for a request, without options."""
    caller = caller_of(request)
    async with _form(request) as form:
        asked = _validated(OnlyPlan, await _content(request, form))
        _check_door(caller, asked.door)
        async with kept(_uploads(form)) as uploads:
            requests, unless = requests_of(request), partial(gone, request)
            return await requests.plan(caller, asked.request, asked.files, unless, door=asked.door, uploads=uploads)


@router.get("/kinds", tags=["models"])
async def kinds(request: Request) -> list[dict[str, Any]]:
    """The kinds of task: their inputs, their outputs, and what runs them here."""
    return await requests_of(request).kinds()


@router.get("/models", tags=["models"])
async def models(request: Request, kind: str) -> list[dict[str, Any]]:
    """The candidate models for a kind of task, best first, and why some cannot run here."""
    told = await _work(request).do(jobs.models, kind)
    found: list[dict[str, Any]] = told["models"]
    return found


@router.get("/status", tags=["service"])
async def status(request: Request) -> dict[str, Any]:
    """What runs where; for the owner only."""
    _check_door(caller_of(request), Door.COMMAND_LINE)
    told = await _work(request).do(jobs.status)
    found: dict[str, Any] = told["status"]
    return found


@router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def nothing(path: str) -> None:
    """Whatever else is asked under this address."""
    raise TraceError(f"There is nothing at {API}/{one_line(path, MOST_SHOWN)}: {API}/openapi.json tells what there is.")


def _work(request: Request) -> Work:
    work: Work = request.app.state.work
    return work


def _bounded(limit: int) -> int:
    return max(1, min(limit, MOST_LISTED))


def _check_door(caller: Caller, door: Door) -> None:
    if door not in (Door.HTTP, Door.COMMAND_LINE):
        raise UsageError("'door' cannot be used: it is said by the way in.")
    if door is not Door.HTTP and not caller.is_owner:
        raise ForbiddenError("Only the owner's key may do this.")


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


def _form(request: Request) -> AbstractAsyncContextManager[FormData | None]:
    """The form that a call sends; None if it sends something else."""
    return request.form() if _is_form(request) else nullcontext()


def _uploads(form: FormData | None) -> list[UploadFile]:
    return [] if form is None else [value for _, value in form.multi_items() if isinstance(value, UploadFile)]


async def _content(request: Request, form: FormData | None) -> bytes:
    """What a call asks, as JSON."""
    if form is None:
        return await request.body()
    texts = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    if unknown := texts.keys() - {"request", "options"}:
        raise UsageError(objection([{"loc": (min(unknown),), "msg": "a form has request, files and options"}]))
    try:
        options = json.loads(texts.get("options") or "{}")
    except (ValueError, RecursionError):
        raise UsageError("'options' cannot be used: it is not JSON.") from None
    if not isinstance(options, dict):
        raise UsageError("'options' cannot be used: it is not a JSON object.")
    return json.dumps({**options, **({"request": texts["request"]} if "request" in texts else {})}).encode()


def _asked(content: bytes, key: str | None) -> CommandLineRequest:
    asked = _validated(CommandLineRequest, content)
    if key is None:
        return asked
    if asked.id not in (None, key):
        raise UsageError("The Idempotency-Key and the id are different: give one of them.")
    return asked.model_copy(update={"id": key})


def _validated(model: type[M], content: bytes) -> M:
    try:
        return model.model_validate(json.loads(content))
    except ValidationError as error:
        problem = error.errors()[0]
        raise UsageError(objection([{**problem, "loc": problem["loc"] or ("body",)}])) from None
    except (ValueError, RecursionError):
        raise UsageError("'body' cannot be used: it is not JSON.") from None


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
