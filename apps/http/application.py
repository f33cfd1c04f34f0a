"""The service's application: what each of its addresses does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from apps.http import jobs
from apps.http.events import Ended, Failed, Planned, Progress, Taken
from apps.http.standing import ended, progress
from apps.http.work import ENDED_UNEXPECTEDLY, Running, Work
from apps.up.guard import Application, Receive, Scope, Send
from hugginggpt import submission
from hugginggpt.errors import (
    HuggingGPTError,
    PassingError,
    RequestClosedError,
    RequestIdError,
    RequestInProgressError,
    TraceError,
    UsageError,
)
from hugginggpt.results import RequestStatus
from hugginggpt.service_key import is_key, proof
from hugginggpt.services import get_store, get_trace
from hugginggpt.submission import Cancelled, Submission, Text, objection, reopen
from hugginggpt.trace.story import RequestTrace

API = "/api/v1"
HEALTH = f"{API}/health"

LOOK_SECONDS = 0.1
"""Pause between two looks at the trace of a request that a client watches."""
LOOK_SECONDS_HERE = 0.25
"""The same while a process of this service answers it, whose end wakes who watches: looking takes time from experts."""
SILENT_SECONDS = 10.0
"""A stream that had nothing to say for so long says that it is still there, which also shows whether its client is."""


class NewRequest(Submission):
    """A request, and who answers it.

    Attributes:
        start: `now`: the service itself, at once; `deployed`: Prefect's deployment, whose workers answer in turn;
            `later`: the next scheduled run.
    """

    id: Text
    start: Literal["now", "deployed", "later"] = "deployed"


class OnlyPlan(BaseModel):
    """A request that is only planned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: Text
    files: list[Text] = []


class Keyed:
    """An ASGI application in front of another, which asks for the key before anything else of a request is read."""

    def __init__(self, application: Application, key: str) -> None:
        self._application = application
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or scope["path"] == HEALTH or self._has_key(scope):
            await self._application(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = JSONResponse(
            {"detail": "This needs the key of the home folder."}, 401, {"WWW-Authenticate": "Bearer"}
        )
        await refusal(scope, receive, send)

    def _has_key(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, key = given[0].decode("latin-1").partition(" ")
        return scheme.lower() == "bearer" and is_key(self._key, key.strip())


def application(key: str, ui_url: str, work: Work) -> Application:
    """The application.

    Args:
        key: what a client needs.
        ui_url: where the pages of Prefect's server are.
        work: who does the work.
    """
    app = FastAPI(title="HuggingGPT", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.key, app.state.ui_url, app.state.work = key, ui_url, work
    app.add_exception_handler(HuggingGPTError, _refused)
    app.add_exception_handler(RequestValidationError, _unusable)
    app.include_router(router)
    return Keyed(app, key)


router = APIRouter(prefix=API)


@router.get("/health")
async def health(request: Request, challenge: str = "") -> dict[str, str]:
    """Prove that this server has the key, to a client that is about to send it."""
    return {"proof": proof(request.app.state.key, challenge)}


@router.post("/requests", status_code=201)
async def create(asked: NewRequest, request: Request) -> Taken:
    """Answer a request, or put it in line. Creating an id twice is the same as creating it once."""
    work: Work = request.app.state.work
    content = asked.model_dump(mode="json", exclude={"start"})
    if asked.start == "now":
        known = work.answering(asked.id) is not None or await run_in_threadpool(get_trace().requests.knows, asked.id)
        if not known:
            await work.answer(content)
        return Taken(request_id=asked.id, new=not known, lives=0, flow_run_id=None, obstacle=None)
    told = await work.do(jobs.submit, content, asked.start == "later")
    taken: Taken = told["taken"]
    return taken


@router.get("/requests/{name}")
async def look(name: str) -> dict[str, Any]:
    """The id of the request whose id begins with a text, and how it stands."""
    story = await run_in_threadpool(get_trace().requests.get, name)
    answered = story.finished_at is not None and story.status is not RequestStatus.CANCELLED
    return {"request_id": story.request_id, "status": story.status, "answered": answered}


@router.post("/requests/{name}/resume")
async def resume(name: str, request: Request) -> Taken:
    """Finish a request whose process died, or that was cancelled; do nothing if it has ended."""
    story, again = await run_in_threadpool(reopen, get_trace(), name)
    if again:
        await request.app.state.work.answer({"id": story.request_id, "request": story.text})
    return Taken(
        request_id=story.request_id, new=False, lives=len(story.lives), flow_run_id=story.flow_run_id, obstacle=None
    )


@router.post("/requests/{name}/interrupt")
async def interrupt(name: str, request: Request) -> dict[str, bool]:
    """Stop the process that answers a request here, so that `resume` continues; the request is not cancelled."""
    stopped = await request.app.state.work.interrupt(name)
    begun = await run_in_threadpool(get_trace().requests.knows, name)
    return {"stopped": stopped, "begun": begun}


@router.post("/requests/{name}/cancel")
async def cancel(name: str) -> Cancelled:
    """Stop a request that waits or runs, wherever it runs."""
    return await run_in_threadpool(submission.cancel, get_trace(), name)


@router.get("/requests/{name}/events")
async def events(
    name: str, request: Request, since: AwareDatetime, lives: int = 0, waits: str = "waiting", resumes: bool = False
) -> StreamingResponse:
    """The progress of a request as server-sent events, to its end. A client that goes away changes nothing.

    Args:
        name: the request's id, or any unique beginning of it.
        request: what was sent.
        since: when the user asked for it.
        lives: how many processes had worked on it before.
        waits: how to describe the time in which nothing works on it.
        resumes: whether another process takes over if the one at work dies, so that this is not the end.
    """
    request_id, running = name, request.app.state.work.answering(name)
    if running is None:
        request_id = (await run_in_threadpool(get_trace().requests.get, name)).request_id
        running = request.app.state.work.answering(request_id)

    def shown(story: RequestTrace) -> Progress:
        return progress(story, lives=lives, since=since, waits=waits)

    def end(story: RequestTrace) -> Ended:
        page = f"{request.app.state.ui_url}/runs/flow-run/{story.flow_run_id}" if story.flow_run_id else None
        return ended(
            story, {file.artifact.sha256: get_store().address(file.artifact) for file in story.files}, page, since
        )

    stream = _stream(request_id, running, shown, end, resumes)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/latest-conversation")
async def latest_conversation() -> dict[str, str | None]:
    """The conversation of the newest request."""
    return {"conversation_id": await run_in_threadpool(get_trace().requests.latest_conversation)}


@router.get("/conversations/{name}")
async def conversation(name: str) -> dict[str, str]:
    """The id of the conversation whose id begins with a text."""
    return {"conversation_id": await run_in_threadpool(get_trace().requests.conversation, name)}


@router.post("/plans")
async def plan(asked: OnlyPlan, request: Request) -> Planned:
    """Plan a request without running it, unless the client goes away."""
    told = await request.app.state.work.do(jobs.plan, asked.request, asked.files, unless=partial(_gone, request))
    found: Planned = told["plan"]
    return found


@router.get("/status")
async def status(request: Request) -> dict[str, Any]:
    """What runs where."""
    told = await request.app.state.work.do(jobs.status)
    found: dict[str, Any] = told["status"]
    return found


async def _gone(request: Request) -> None:
    """Wait until the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _stream(
    request_id: str,
    running: Running | None,
    shown: Callable[[RequestTrace], Progress],
    end: Callable[[RequestTrace], Ended],
    resumes: bool,
) -> AsyncIterator[str]:
    latest: Progress | None = None
    silent = 0.0
    while True:
        over = running is not None and running.over.done()
        try:
            story = await run_in_threadpool(_story, request_id)
        except HuggingGPTError as error:
            if running is None or over:
                yield _event("failed", Failed(type=type(error).__name__, message=error.message, begun=True))
                return
            story = None  # the flow reports it
        if story is not None and story.finished_at is not None and (running is None or over):
            yield _event("progress", shown(story))
            yield _event("ended", await run_in_threadpool(end, story))
            return
        failed = running.over.result() if running is not None and over else None
        if over and failed is None:
            running = None  # it was resumed elsewhere since then
        if failed is None and running is None and not resumes and (story is None or story.status is RequestStatus.DIED):
            failed = ENDED_UNEXPECTEDLY
        if failed is not None:
            yield _event("failed", {**failed, "begun": failed["begun"] or story is not None})
            return
        if story is not None and story.finished_at is None and (found := shown(story)) != latest:
            latest, silent = found, 0.0
            yield _event("progress", found)
        elif silent >= SILENT_SECONDS:
            silent = 0.0
            yield ": still here\n\n"
        pause = LOOK_SECONDS if running is None else LOOK_SECONDS_HERE
        silent += pause
        if running is None:
            await asyncio.sleep(pause)
        else:
            await asyncio.wait([running.over], timeout=pause)


def _story(request_id: str) -> RequestTrace | None:
    """The request; None if it is not in the trace."""
    requests = get_trace().requests
    return requests.get(request_id) if requests.knows(request_id) else None


def _event(name: str, content: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n"


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HuggingGPTError)
    content = {"type": type(error).__name__, "message": error.message}
    return JSONResponse(content, next(status for kind, status in _STATUSES if isinstance(error, kind)))


async def _unusable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    where, *names = problem["loc"]
    known = names if names and isinstance(names[0], str) else (where,)
    return await _refused(request, UsageError(objection([{**problem, "loc": known}])))


_STATUSES: tuple[tuple[type[HuggingGPTError], int], ...] = (
    (PassingError, 503),
    (RequestIdError, 409),
    (RequestInProgressError, 409),
    (RequestClosedError, 409),
    (UsageError, 422),
    (TraceError, 404),
    (HuggingGPTError, 500),
)
"""The status code of each error, the more special ones first."""
