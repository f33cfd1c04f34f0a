# ruff: noqa: F811 - fixtures of other modules
"""Answers over OpenAI's protocol, from an installation that is up."""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from hugginggpt.results import RequestStatus
from hugginggpt.service_key import read_key
from hugginggpt.services import get_trace, reset
from hugginggpt.trace.story import RequestTrace
from tests.apps.installation import Installation
from tests.apps.test_ask import EDGES, SPEECH, SUMMARY
from tests.apps.test_openai import speaking, user
from tests.apps.test_service import controller, here  # noqa: F401
from tests.servers import wait_until
from tests.stand_ins.openai_server import OpenAIServer, hangs, wrong_key

MODEL = "hugginggpt"
DRAWN = "The edges are drawn."


@pytest.fixture(autouse=True)
def trace(here: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The trace of the installation."""
    monkeypatch.setenv("HUGGINGGPT_HOME", str(here.home))
    reset()
    yield
    reset()


@pytest.fixture
def key(here: Installation) -> str:
    found = read_key(here.home)
    assert found is not None
    return found


@pytest.fixture
def client(here: Installation, key: str) -> Iterator[OpenAI]:
    with speaking(here.state["service_url"], key) as found:
        yield found


def picture(photo: Path) -> dict[str, Any]:
    uri = f"data:image/png;base64,{base64.b64encode(photo.read_bytes()).decode()}"
    return {"type": "image_url", "image_url": {"url": uri}}


def with_plan(*tasks: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The body's fields that give a plan."""
    return {"hugginggpt": {"options": {"plan": list(tasks), **options}}}


def of(prefixed: str) -> RequestTrace:
    """The request of a completion or response."""
    return get_trace().requests.get(re.sub("^(chatcmpl-|resp_)", "", prefixed))


def ended(request_id: str) -> RequestTrace:
    def has_ended() -> bool:
        known = get_trace().requests.knows(request_id)
        return known and get_trace().requests.get(request_id).finished_at is not None

    wait_until(has_ended)
    return get_trace().requests.get(request_id)


def test_a_picture_its_answer_and_what_follows(client: OpenAI, controller: OpenAIServer, photo: Path) -> None:
    controller.script = {"plan": [{"tasks": [EDGES | {"args": {"image": "image-1.png"}}]}], "respond": DRAWN}
    messages = [{"role": "system", "content": "Be kind."}, *user("Draw the edges.", picture(photo))]
    answer, thoughts, ids, usage = "", "", set(), None
    sent: Any = {"model": MODEL, "messages": messages, "stream": True, "temperature": 0, "tools": []}
    for chunk in client.chat.completions.create(**sent, stream_options={"include_usage": True}):
        ids.add(chunk.id)
        usage = chunk.usage or usage
        for choice in chunk.choices:
            answer += choice.delta.content or ""
            thoughts += getattr(choice.delta, "reasoning_content", None) or ""
    story = of(ids.pop())
    assert not ids and (story.text, story.door, story.status) == ("Draw the edges.", "openai", RequestStatus.COMPLETED)
    assert usage is not None and usage.prompt_tokens == story.totals.prompt_tokens > 0
    lines = thoughts.splitlines()
    assert len(lines) == len(set(lines))
    assert "Planned: 0 · canny-control" in lines and "Planning" in lines and DRAWN not in thoughts
    link = re.fullmatch(rf"{re.escape(DRAWN)}\n\n!\[image-1-edges\.png\]\((\S+)\)", answer)
    assert link is not None, answer
    shown = httpx.get(link[1])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    assert "Be kind." not in str(controller.calls)

    controller.script = {"plan": [{"tasks": [EDGES | {"args": {"image": "turn1-0.png"}}]}], "respond": "Once more."}
    messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": "And the edges of these?"}]
    again = client.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]
    assert (again.choices[0].message.content or "").startswith("Once more.")
    following = of(again.id)
    assert following.conversation_id == story.conversation_id
    assert [resource.name for resource in following.resources] == ["turn1-0.png", "image-1.png"]  # none of its own
    assert following.options["history"] == []

    controller.script = {"respond": "Elsewhere."}
    elsewhere = of(client.chat.completions.create(model=MODEL, messages=messages).id)  # type: ignore[arg-type]
    assert elsewhere.conversation_id != story.conversation_id  # which has gone on since then
    assert elsewhere.options["history"] == [{"request": "Draw the edges.", "answer": f"{DRAWN}\n\nimage-1-edges.png"}]
    assert "image-1.png" in str(controller.calls[-1].request) and DRAWN in str(controller.calls[-1].request)


def test_a_conversation_that_began_by_another_way_goes_on(
    client: OpenAI,
    here: Installation,
    key: str,
    controller: OpenAIServer,
    photo: Path,
) -> None:
    form = {"request": "Draw it.", "options": json.dumps({"plan": [EDGES]})}
    headers = {"Authorization": f"Bearer {key}"}
    controller.script = {"respond": DRAWN}
    with httpx.Client(base_url=f"{here.state['service_url']}/api/v1", headers=headers, timeout=60) as api:
        with photo.open("rb") as file:
            made = api.post("/requests", data=form, files=[("files", ("photo.png", file))]).json()["request_id"]
        ended(made)
    said = [*user("Draw it."), {"role": "assistant", "content": f" {DRAWN} "}, *user("And now?")]
    assert (
        of(client.chat.completions.create(model=MODEL, messages=said).id).conversation_id == ended(made).conversation_id
    )


def test_a_response_has_all_its_events(client: OpenAI, controller: OpenAIServer, photo: Path) -> None:
    controller.script = {"respond": "Two\nlines"}
    part = {"type": "input_image", "image_url": picture(photo)["image_url"]["url"]}
    said = [{"role": "user", "content": [{"type": "input_text", "text": "Draw it."}, part]}]
    plan = with_plan(EDGES | {"args": {"image": "image-1.png"}})
    with client.responses.stream(model=MODEL, input=said, instructions="Be kind.", extra_body=plan) as stream:  # type: ignore[arg-type]
        events = list(stream)
        whole = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:5] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
    ]
    assert kinds[-11:-9] == ["response.output_item.done", "response.output_item.added"], kinds
    assert kinds[-5:] == [
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [item.type for item in whole.output] == ["reasoning", "message"]
    assert whole.output_text.startswith("Two\nlines\n\n![image-1-edges.png](http://")
    story = of(whole.id)
    assert (
        whole.usage is not None
        and whole.usage.total_tokens == story.totals.prompt_tokens + story.totals.completion_tokens
    )
    kept = client.responses.retrieve(whole.id)
    assert (kept.status, kept.output_text.partition("?")[0]) == ("completed", whole.output_text.partition("?")[0])

    plan = with_plan(EDGES | {"args": {"image": "turn1-0.png"}})
    further = client.responses.create(model=MODEL, input="And now?", previous_response_id=whole.id, extra_body=plan)
    assert (further.status, further.previous_response_id) == ("completed", whole.id)
    assert of(further.id).conversation_id == story.conversation_id


def test_a_response_in_the_background_is_polled(client: OpenAI, controller: OpenAIServer) -> None:
    controller.script = {"respond": "It is said."}
    begun = client.responses.create(model=MODEL, input="Say it.", background=True, extra_body=with_plan(SPEECH))
    assert (begun.status, begun.output, begun.background) == ("in_progress", [], True)
    wait_until(lambda: client.responses.retrieve(begun.id).status == "completed")
    text = client.responses.retrieve(begun.id).output_text
    assert re.fullmatch(r"It is said\.\n\n\[speech\.wav\]\(http://\S+\)", text), text

    controller.script = {"plan": hangs()}
    hanging = client.responses.create(model=MODEL, input="Wait.", background=True)
    assert client.responses.cancel(hanging.id).status == "cancelled"
    assert client.responses.cancel(begun.id).status == "completed"


def test_what_keeps_to_no_schema_is_a_refusal(client: OpenAI, controller: OpenAIServer, photo: Path) -> None:
    controller.script = {"respond": "There are some."}
    schema = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
    plan = with_plan(EDGES | {"args": {"image": "image-1.png"}})
    form: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    asked = user("How many?", picture(photo))
    told = client.chat.completions.create(model=MODEL, messages=asked, response_format=form, extra_body=plan)
    message = told.choices[0].message
    assert message.content is None
    assert message.refusal
    again = client.chat.completions.create(
        model=MODEL, messages=asked, response_format=form, extra_body=plan, stream=True
    )
    deltas = [chunk.choices[0].delta for chunk in again]
    assert not any(delta.content for delta in deltas)
    assert any(delta.refusal for delta in deltas)

    text: Any = {"format": {"type": "json_schema", "name": "n", "schema": schema}}
    with client.responses.stream(model=MODEL, input=asked, text=text, extra_body=plan) as events:
        kinds = [event.type for event in events]
        message_item: Any = events.get_final_response().output[-1]
    assert {"response.refusal.delta", "response.refusal.done"} <= {*kinds}
    assert [part.type for part in message_item.content] == ["refusal"]


def test_an_answer_keeps_to_a_schema(client: OpenAI, controller: OpenAIServer, photo: Path) -> None:
    controller.script = {"respond": {"number": 1}}
    schema = {"type": "object", "properties": {"number": {"type": "integer"}}}
    plan = with_plan(EDGES | {"args": {"image": "image-1.png"}})
    form: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    asked = user("How many?", picture(photo))
    told = client.chat.completions.create(model=MODEL, messages=asked, response_format=form, extra_body=plan)
    assert json.loads(told.choices[0].message.content or "") == {"number": 1}
    text: Any = {"format": {"type": "json_schema", "name": "n", "schema": schema}}
    assert json.loads(client.responses.create(model=MODEL, input=asked, text=text, extra_body=plan).output_text) == {
        "number": 1
    }


FILM = {"task": "text-to-video", "id": 0, "dep": [-1], "args": {"text": "a cat"}}


def test_a_failure_is_an_error_with_its_sentence_and_a_part_is_an_answer(
    client: OpenAI,
    controller: OpenAIServer,
    photo: Path,
    tmp_path: Path,
) -> None:
    asked = user("Film it.")
    with pytest.raises(openai.InternalServerError) as told:
        client.chat.completions.create(model=MODEL, messages=asked, extra_body=with_plan(FILM))
    failed = get_trace().requests.get(get_trace().requests.latest(1)[0].request_id)
    assert failed.error is not None and failed.error in told.value.message
    assert told.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(openai.APIError) as streamed:
        list(client.chat.completions.create(model=MODEL, messages=asked, stream=True, extra_body=with_plan(FILM)))
    assert streamed.value.message == failed.error
    *_, last = client.responses.create(model=MODEL, input="Film it.", stream=True, extra_body=with_plan(FILM))
    assert last.type == "response.failed" and last.response.error is not None
    assert last.response.error.message == failed.error
    stored = client.responses.retrieve(last.response.id)
    assert (stored.status, stored.error and stored.error.message) == ("failed", failed.error)

    broken = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    for stream in (False, True):
        with pytest.raises(openai.APIError, match=r"image-1\.png"):
            list(client.chat.completions.create(model=MODEL, messages=user("Draw it.", broken), stream=stream))

    controller.script = {"summarization": wrong_key()}
    with pytest.raises(openai.InternalServerError, match=r"None of the planned tasks .* Not done: the summary\."):
        client.chat.completions.create(model=MODEL, messages=user("Both."), extra_body=with_plan(SUMMARY))

    controller.script = {"respond": "Only that.", "summarization": wrong_key()}
    plan = with_plan(EDGES | {"args": {"image": "image-1.png"}}, SUMMARY | {"id": 1})
    part = client.chat.completions.create(model=MODEL, messages=user("Both.", picture(photo)), extra_body=plan)
    assert (part.choices[0].message.content or "").startswith("Only that.")
    assert of(part.id).status is RequestStatus.PARTIAL


Leave = Callable[[str, str], None]


def leave_a_stream(url: str, key: str) -> None:
    with speaking(url, key) as client:
        stream = client.chat.completions.create(model=MODEL, messages=user("Wait."), stream=True)
        next(iter(stream))
        stream.close()


def leave_a_response(url: str, key: str) -> None:
    async def leave() -> None:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            stream = await client.responses.create(model=MODEL, input="Wait.", stream=True)
            async for event in stream:
                if event.type == "response.reasoning_summary_text.delta":
                    break
            await stream.close()

    asyncio.run(leave())


def leave_without_a_stream(url: str, key: str) -> None:
    with speaking(url, key) as client, pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=3).chat.completions.create(model=MODEL, messages=user("Wait."))


@pytest.mark.parametrize("leave", [leave_a_stream, leave_a_response, leave_without_a_stream])
def test_a_client_that_goes_away_stops_its_request(
    leave: Leave,
    here: Installation,
    key: str,
    controller: OpenAIServer,
) -> None:
    before = {summary.request_id for summary in get_trace().requests.latest()}
    controller.script = {"plan": hangs()}
    leave(here.state["service_url"], key)

    def new() -> list[str]:
        return [one.request_id for one in get_trace().requests.latest() if one.request_id not in before]

    wait_until(lambda: bool(new()))
    assert ended(new()[0]).status is RequestStatus.CANCELLED
