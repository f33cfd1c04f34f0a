"""`/v1`: models, chat completions and responses."""

import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.responses import Response as HTTPResponse

from apps.http.addresses import Address, signed_links
from apps.http.callers import caller_of
from apps.http.openai.answering import FIRST_SECONDS, Answering, Said, Stream, check_answered
from apps.http.openai.answers import Answer, answer_of
from apps.http.openai.asked import MODEL, Asked, asked_by, check_model, flag, unknown_model
from apps.http.openai.chat import ChatCompletion
from apps.http.openai.conversations import continued
from apps.http.openai.errors import ParameterError, error_answer
from apps.http.openai.housekeeping import housekeeping
from apps.http.openai.messages import Message, read_messages
from apps.http.openai.responses import Response
from apps.http.openai.wrapping import unwrapped
from apps.http.requests import Watch, requests_of
from hugginggpt.errors import HuggingGPTError, TraceError
from hugginggpt.results import RequestStatus
from hugginggpt.submission import new_id
from hugginggpt.trace.story import RequestTrace

_CREATED = int(time.time())
_CLOSED = 499
"""The status code for a client that is gone, as nginx logs it; nobody gets it."""

Handler = Callable[[Request], Coroutine[Any, Any, HTTPResponse]]


class _Route(APIRoute):
    """A route whose errors are as the protocol has them."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handle_or_refuse(request: Request) -> HTTPResponse:
            try:
                return await handle(request)
            except HuggingGPTError as error:
                return error_answer(error)

        return handle_or_refuse


router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=_Route)


@router.get("/models")
async def models() -> dict[str, Any]:
    """The models: there is one."""
    return {"object": "list", "data": [_model()]}


@router.get("/models/{name}")
async def model(name: str) -> dict[str, Any]:
    """A model."""
    if name != MODEL:
        raise unknown_model(name)
    return _model()


@router.post("/chat/completions", response_model=None)
async def chat_completions(request: Request) -> HTTPResponse:
    """Answer the user's last message, in one piece or as a stream."""
    body = await _body(request)
    check_model(body)
    if body.get("n") not in (None, 1):
        raise ParameterError("'n' has to be 1: there is one answer.", "n")
    streamed, messages = flag(body, "stream"), read_messages(body.get("messages"), "messages")
    with_usage = _counts(body)
    if (reply := housekeeping(messages)) is not None:
        completion = ChatCompletion(new_id(), with_usage)
        answer = Answer(reply)
        return Stream(completion.stream(_only(answer))) if streamed else JSONResponse(completion.whole(answer))
    messages = unwrapped(messages)
    conversation = await continued(requests_of(request), caller_of(request), _address(request), messages)
    asked = asked_by(body, messages, conversation, ("response_format", body.get("response_format")))
    answering = _begin(request, asked)
    completion = ChatCompletion(answering.request_id, with_usage)
    if streamed:
        await answering.taken(FIRST_SECONDS)
        return Stream(completion.stream(answering.said()), answering)
    given = await answering.answer_for(request)
    return HTTPResponse(status_code=_CLOSED) if given is None else JSONResponse(completion.whole(given))


@router.post("/responses", response_model=None)
async def create_response(request: Request) -> HTTPResponse:
    """Answer the user's last message, in one piece, as a stream, or in the background."""
    body = await _body(request)
    check_model(body)
    streamed, background = flag(body, "stream"), flag(body, "background")
    messages = _input(body)
    if (reply := housekeeping(messages)) is not None:
        response, answer = Response(new_id()), Answer(reply)
        return Stream(response.stream(_only(answer))) if streamed else JSONResponse(response.whole(answer))
    messages = unwrapped(messages)
    previous = body.get("previous_response_id")
    if previous is None:
        conversation = await continued(requests_of(request), caller_of(request), _address(request), messages)
    else:
        conversation = (await _story(request, previous)).conversation_id
    asked = asked_by(body, messages, conversation, ("text.format", _format(body)))
    answering = _begin(request, asked)
    response = Response(answering.request_id, previous, background)
    if streamed:
        await answering.taken(FIRST_SECONDS)
        return Stream(response.stream(answering.said()), None if background else answering)
    if background:
        await answering.taken()
        return JSONResponse(response.standing("in_progress"))
    given = await answering.answer_for(request)
    return HTTPResponse(status_code=_CLOSED) if given is None else JSONResponse(response.whole(given))


@router.get("/responses/{name}")
async def response(request: Request, name: str) -> dict[str, Any]:
    """A response as it stands, with its answer once there is one."""
    return await _standing(request, await _story(request, name))


@router.post("/responses/{name}/cancel")
async def cancel(request: Request, name: str) -> dict[str, Any]:
    """Stop a response that is in progress; one that has ended stays as it is."""
    story = await _story(request, name)
    await requests_of(request).cancel(caller_of(request), story.request_id)
    return await _standing(request, await _story(request, name))


def _model() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": _CREATED, "owned_by": "hugginggpt"}


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise ParameterError("The body of the call is not JSON.") from None
    if not isinstance(body, dict):
        raise ParameterError("The body of the call has to be a JSON object.")
    return body


def _counts(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise ParameterError("'stream_options' has to be an object.", "stream_options")
    return flag(options or {}, "include_usage")


def _input(body: Mapping[str, Any]) -> list[Message]:
    given = body.get("input")
    return read_messages([{"role": "user", "content": given}] if isinstance(given, str) else given, "input")


def _format(body: Mapping[str, Any]) -> object:
    text = body.get("text")
    if text is not None and not isinstance(text, dict):
        raise ParameterError("'text' has to be an object.", "text")
    return (text or {}).get("format")


async def _only(answer: Answer) -> AsyncIterator[Said]:
    yield answer


def _begin(request: Request, asked: Asked) -> Answering:
    return Answering(requests_of(request), caller_of(request), asked, _address(request))


async def _story(request: Request, name: object) -> RequestTrace:
    """The request of a response's id."""
    request_id = name.removeprefix("resp_") if isinstance(name, str) else ""
    try:
        story = await requests_of(request).get(caller_of(request), request_id)
    except TraceError as error:
        raise error if type(error) is not TraceError else _unknown(name) from None
    if story.request_id != request_id:
        raise _unknown(name)
    return story


def _unknown(name: object) -> TraceError:
    return TraceError(f"There is no response '{str(name)[:100]}'.")


async def _standing(request: Request, story: RequestTrace) -> dict[str, Any]:
    response = Response(story.request_id, created=int(story.created_at.timestamp()))
    if story.status is RequestStatus.CANCELLED:
        return response.standing("cancelled")
    if story.finished_at is None:
        return response.standing("queued" if story.status is RequestStatus.QUEUED else "in_progress")
    try:
        check_answered(story)
    except HuggingGPTError as error:
        return response.failed(error)
    ended = await run_in_threadpool(requests_of(request).ended, story, _address(request), Watch())
    return response.whole(answer_of(ended))


def _address(request: Request) -> Address:
    return signed_links(request, request.app.state.key)
