"""`/v1`: models, chat completions and responses."""

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.responses import Response as HTTPResponse

from apps.http.addresses import signed_links
from apps.http.callers import caller_of
from apps.http.openai.answering import FIRST_SECONDS, Answering, Said, Stream
from apps.http.openai.answers import Answer, answer_of
from apps.http.openai.asked import asked_by
from apps.http.openai.chat import Chat
from apps.http.openai.conversations import continued
from apps.http.openai.errors import ParameterError, error_answer, unusable
from apps.http.openai.housekeeping import housekeeping
from apps.http.openai.messages import Message, read_messages
from apps.http.openai.models import MODEL, Call, ChatCall, Form, Model, Models, Response, ResponseCall
from apps.http.openai.responses import Responding
from apps.http.openai.wrapping import unwrapped
from apps.http.requests import requests_of
from hugginggpt.errors import HuggingGPTError, TraceError
from hugginggpt.results import RequestStatus
from hugginggpt.submission import new_id
from hugginggpt.trace.story import RequestTrace

_CREATED = int(time.time())
_CLOSED = 499
"""The status code for a client that is gone, as nginx logs it; nobody gets it."""

Handler = Callable[[Request], Coroutine[Any, Any, HTTPResponse]]
C = TypeVar("C", bound=Call)


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
async def models() -> Models:
    """The models: there is one."""
    return Models(data=[Model(created=_CREATED)])


@router.get("/models/{name}")
async def model(name: str) -> Model:
    """A model."""
    _check_model(name)
    return Model(created=_CREATED)


@router.post("/chat/completions", response_model=None)
async def chat_completions(request: Request) -> HTTPResponse:
    """Answer the user's last message, in one piece or as a stream."""
    call = await _read(request, ChatCall)
    if call.n not in (None, 1):
        raise ParameterError("'n' has to be 1: there is one answer.", "n")
    with_usage = bool(call.stream_options and call.stream_options.include_usage)
    messages = read_messages(call.messages, "messages")
    return await _answered(
        request, call, messages, lambda id_: Chat(id_, with_usage), (call.response_format, "response_format")
    )


@router.post("/responses", response_model=None)
async def create_response(request: Request) -> HTTPResponse:
    """Answer the user's last message, in one piece, as a stream, or in the background."""
    call = await _read(request, ResponseCall)
    previous, background = call.previous_response_id, bool(call.background)
    messages, form = read_messages(call.input, "input"), call.text.format if call.text else None
    return await _answered(
        request, call, messages, lambda id_: Responding(id_, previous, background), (form, "text.format"), previous
    )


async def _answered(
    request: Request,
    call: Call,
    messages: list[Message],
    make: Callable[[str], Chat | Responding],
    form: tuple[Form | None, str],
    previous: str | None = None,
) -> HTTPResponse:
    """The answer to a call of either API.

    Args:
        request: what was sent.
        call: the same as parameters.
        messages: what was said.
        make: makes what the client gets of a request's id.
        form: the form of the answer, and how the call names it.
        previous: the id of the response that it goes on from.
    """
    if (reply := housekeeping(messages)) is not None:
        got, answer = make(new_id()), Answer(reply)
        return Stream(got.stream(_only(answer))) if call.stream else JSONResponse(got.whole(answer).model_dump())
    messages = unwrapped(messages)
    if previous is None:
        conversation = await continued(request, messages)
    else:
        conversation = (await _story(request, previous)).conversation_id
    answering = Answering(request, asked_by(messages, conversation, call.hugginggpt, *form))
    got = make(answering.request_id)
    background = got if isinstance(got, Responding) and got.background else None
    if call.stream:
        await answering.taken(FIRST_SECONDS)
        return Stream(got.stream(answering.said()), answering if background is None else None)
    if background is not None:
        await answering.taken()
        return JSONResponse(background.standing("in_progress").model_dump())
    given = await answering.answer()
    return HTTPResponse(status_code=_CLOSED) if given is None else JSONResponse(got.whole(given).model_dump())


@router.get("/responses/{name}")
async def response(request: Request, name: str) -> Response:
    """A response as it stands, with its answer once there is one."""
    return await _standing(request, await _story(request, name))


@router.post("/responses/{name}/cancel")
async def cancel(request: Request, name: str) -> Response:
    """Stop a response that is in progress; one that has ended stays as it is."""
    story = await _story(request, name)
    await requests_of(request).cancel(caller_of(request), story.request_id)
    return await _standing(request, await _story(request, name))


async def _read(request: Request, kind: type[C]) -> C:
    """What a call sends."""
    try:
        call = kind.model_validate_json(await request.body())
    except ValidationError as error:
        raise unusable(error) from None
    _check_model(call.model)
    return call


def _check_model(name: str) -> None:
    if name != MODEL:
        raise ParameterError(f"The model '{name[:100]}' does not exist: use {MODEL}.", "model", "model_not_found")


async def _only(answer: Answer) -> AsyncIterator[Said]:
    yield answer


async def _story(request: Request, name: str) -> RequestTrace:
    """The request of a response's id."""
    request_id = name.removeprefix("resp_")
    story = await requests_of(request).get(caller_of(request), request_id)
    if story.request_id != request_id:
        raise TraceError(f"There is no response '{name[:100]}'.")
    return story


async def _standing(request: Request, story: RequestTrace) -> Response:
    got = Responding(story.request_id, created=int(story.created_at.timestamp()))
    if story.status is RequestStatus.CANCELLED:
        return got.standing("cancelled")
    if story.finished_at is None:
        return got.standing("queued" if story.status is RequestStatus.QUEUED else "in_progress")
    try:
        return got.whole(await run_in_threadpool(answer_of, story, signed_links(request)))
    except HuggingGPTError as error:
        return got.failed(error)
