# ruff: noqa: F811 - fixtures of other modules
"""OpenAI's protocol, as its own client speaks it: what is refused and what chat applications ask for themselves."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from apps.http.openai.asked import asked_by, quoted
from apps.http.openai.errors import ParameterError, unusable
from apps.http.openai.housekeeping import housekeeping
from apps.http.openai.messages import Message, read_messages
from apps.http.openai.models import ChatCall
from apps.http.openai.wrapping import unwrapped
from hugginggpt.request import MOST_QUOTED, MOST_QUOTED_CHARS
from hugginggpt.services import get_trace
from tests.apps.test_api import OWNER, put_in_line, url  # noqa: F401
from tests.apps.test_api import client as api

PIXEL = "data:image/png;base64,iVBORw0KGgo="
LINE = "Hello."


def speaking(address: str, key: str = OWNER) -> OpenAI:
    return OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=60)


@pytest.fixture
def owner(url: str) -> Iterator[OpenAI]:
    with speaking(url) as client:
        yield client


def user(*parts: Any) -> list[Any]:
    """A message of the user that consists of these parts."""
    texts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return [{"role": "user", "content": texts}]


def chat(client: OpenAI, messages: Any, **more: Any) -> str:
    completion = client.chat.completions.create(model="hugginggpt", messages=messages, **more)
    return completion.choices[0].message.content or ""


def test_there_is_one_model_for_who_has_a_key(owner: OpenAI, url: str) -> None:
    assert [model.id for model in owner.models.list()] == ["hugginggpt"]
    assert owner.models.retrieve("hugginggpt").owned_by == "hugginggpt"
    for ask in (lambda: owner.models.retrieve("gpt-9"), lambda: owner.responses.create(model="gpt-9", input="Hi")):
        with pytest.raises(openai.NotFoundError, match=r"The model 'gpt-9' does not exist: use hugginggpt\.") as told:
            ask()
        assert (told.value.code, told.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.AuthenticationError, match="This needs a key"):
        speaking(url, "hgpt_wrong").models.list()


IMAGE = {"type": "image_url", "image_url": {"url": PIXEL}}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "has no message of the user"),
        ("Hi", "has to be a list"),
        ([{"role": "system", "content": "Be kind."}], "has no message of the user"),
        ([{"role": "user", "content": ""}], "has no text"),
        ([{"role": "user", "content": []}], "has no text"),
        (user(IMAGE), "has no text"),
        ([{"role": "user", "content": 5}], "has to be a text or a list of parts"),
        ([{"role": "user"}], "has no text"),
        ([{"role": "wizard", "content": "Hi"}], r"'messages\[0\]\.role' has to be one of"),
        (["Hi"], r"'messages\[0\]' has to be an object"),
        (user("Hi", {"type": "hologram"}), "of the type 'hologram', which is not known here"),
        (user("Hi", {"text": "x"}), r"'messages\[0\]\.content\[1\]\.type' is missing"),
        (user("Hi", {"type": "text", "text": 5}), "has to be a text"),
        (user("Hi", {"type": "image_url", "image_url": {"url": "data:image/png;base64,?!"}}), "not valid Base64"),
        (user("Hi", {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}), "is empty"),
        (user("Hi", {"type": "image_url", "image_url": {"url": "/etc/passwd"}}), "is not a file"),
        (user("Hi", {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}), "is not a file"),
        (user("Hi", {"type": "image_url", "image_url": "~/.ssh/id_rsa"}), "is not a file"),
        (user("Hi", {"type": "image_url", "image_url": {}}), r"image_url\.url' is missing"),
        (user("Hi", {"type": "input_audio", "input_audio": {"data": "AAAA"}}), r"input_audio\.format' is missing"),
        (user("Hi", {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "../x"}}), "name of a format"),
        (user("Hi", {"type": "input_audio", "input_audio": {"data": 5, "format": "wav"}}), r"data' has to be a text"),
        (user("Hi", {"type": "file", "file": {}}), "names no file"),
        (user("Hi", {"type": "file", "file": {"file_id": "file-1"}}), "is not a file"),
        (user("Hi", {"type": "file", "file": {"file_data": "AA==", "filename": 5}}), "has to be a text"),
        (user("\x00"), "has no text"),
        (user("Hi\x00"), "a character that is not text"),
    ],
)  # fmt: skip
def test_messages_that_cannot_be_used_are_refused_in_a_sentence(owner: OpenAI, messages: Any, said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as told:
        chat(owner, messages)
    assert told.value.code == "ParameterError" and told.value.type == "invalid_request_error"
    assert set(told.value.body or {}) == {"message", "type", "param", "code"}  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"n": 2}, "'n' has to be 1"),
        ({"stream": "yes"}, "'stream' has to be true or false"),
        ({"stream_options": []}, "'stream_options' has to be an object"),
        ({"response_format": {"type": "json_object"}}, "has to be one of 'text' or 'json_schema'"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}, "has no schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "string"}}}},
            "'response_format' cannot be used: the schema",
        ),
        ({"hugginggpt": {"options": {"history": []}}}, "has no 'history'"),
        ({"hugginggpt": {"webhook": "http://x"}}, "has no 'webhook'"),
        ({"hugginggpt": {"options": {"deadline": -1}}}, "'deadline' cannot be used"),
        ({"hugginggpt": {"options": {"models": {"mind-reading": "a"}}}}, "is neither a kind of task"),
        ({"hugginggpt": 5}, "'hugginggpt' has to be an object"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(owner: OpenAI, more: dict[str, Any], said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=said):
        owner.chat.completions.create(model="hugginggpt", messages=user("Hi"), extra_body=more)


def test_what_is_no_json_object_is_refused(url: str) -> None:
    with api(url, OWNER) as client:
        for body in (b"", b"{", b"[]", b"[" * 100_000):
            answer = client.post(f"{url}/v1/chat/completions", content=body)
            assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_files_of_other_keys_are_not_to_be_had(owner: OpenAI, url: str) -> None:
    with api(url, OWNER) as client:
        stored = client.post("/files", files=[("files", ("a.txt", b"of the owner"))]).json()[0]
    with (
        speaking(url, get_trace().keys.add("laptop")) as laptop,
        pytest.raises(openai.BadRequestError, match="no file"),
    ):
        chat(laptop, user("Read it", {"type": "file", "file": {"file_id": stored["reference"]}}))


def test_a_response_is_seen_and_cancelled_by_who_asked_for_it(owner: OpenAI, url: str) -> None:
    key = get_trace().keys.add("laptop")
    with api(url, key) as laptop:
        request_id = put_in_line(laptop)["request_id"]
    with speaking(url, key) as mine, speaking(url, get_trace().keys.add("other")) as other:
        for name in (f"resp_{request_id}", "resp_nothing", "resp_"):
            with pytest.raises(openai.NotFoundError):
                other.responses.retrieve(name)
            with pytest.raises(openai.NotFoundError):
                other.responses.create(model="hugginggpt", input="Go on", previous_response_id=name)
        with pytest.raises(openai.NotFoundError, match="There is no response"):
            mine.responses.retrieve(f"resp_{request_id[:8]}")
        assert mine.responses.retrieve(f"resp_{request_id}").status == "queued"
        assert mine.responses.cancel(f"resp_{request_id}").status == "cancelled"
        assert owner.responses.retrieve(f"resp_{request_id}").status == "cancelled"


# What chat applications ask for themselves

CHAT = """
### Chat History:
<chat_history>
USER: Draw the edges of this picture, please: it shows a cat.
ASSISTANT: Here they are.
</chat_history>"""
TITLE = f"""### Task:
Generate a concise title summarizing the chat history.
### Output:
JSON format: {{ "title": "your concise title here" }}{CHAT}"""
PLAIN_TITLE = f"""### Task:
Generate a concise, 3-5 word title with an emoji summarizing the chat history.{CHAT}"""
TAGS = f'### Task:\nGenerate 1-3 broad tags.\n### Output:\nJSON format: {{ "tags": ["tag1", "tag2"] }}{CHAT}'
FOLLOW_UPS = f'### Task:\nPredict 3-5 useful messages.\nJSON format: {{ "follow_ups": ["1", "2"] }}{CHAT}'
QUERIES = f'### Task:\nAnalyze the chat history.\n{{\n  "queries": ["query1"]\n}}{CHAT}'
AUTOCOMPLETION = f'### Task:\nYou are an autocompletion system.\n`{{ "text": "" }}`{CHAT}\n<text>Draw</text>'
PICTURE = f'### Task:\nGenerate a detailed prompt\n{{\n "prompt": "Your description"\n}}{CHAT}'
LIBRECHAT = (
    "Provide a concise, 5-word-or-less title for the conversation, using title case conventions. Only return the title "
    "itself.\n\nConversation:\nUser: Draw the edges of this picture\nAI: Here they are."
)
LIBRECHAT_FORM = (
    "Analyze this conversation and provide:\n1. The detected language of the conversation\n2. A concise title in the "
    "detected language (5 words or less, no punctuation or quotation)\n\nUser: Draw the edges of this picture\nAI: Yes."
)
LOBECHAT = (
    "You are a professional conversation summarizer. Generate a concise title that captures the essence of the "
    "conversation.\n\nRules:\n- Output ONLY the title text"
)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (TITLE, {"title": "Draw the edges of this picture"}),
        (TAGS, {"tags": []}),
        (FOLLOW_UPS, {"follow_ups": []}),
        (QUERIES, {"queries": []}),
        (AUTOCOMPLETION, {"text": ""}),
        (PICTURE, {"prompt": "Draw the edges of this picture, please: it shows a cat."}),
        (LIBRECHAT_FORM, {"language": "English", "title": "Draw the edges of this picture"}),
    ],
)
def test_what_an_application_asks_for_itself_is_no_request(owner: OpenAI, asked: str, answer: dict[str, Any]) -> None:
    assert json.loads(chat(owner, user(asked), max_tokens=1000)) == answer
    assert json.loads(owner.responses.create(model="hugginggpt", input=asked).output_text) == answer
    with owner.chat.completions.stream(model="hugginggpt", messages=user(asked)) as stream:
        assert json.loads(stream.get_final_completion().choices[0].message.content or "") == answer
    with owner.responses.stream(model="hugginggpt", input=asked) as told:
        assert json.loads(told.get_final_response().output_text) == answer
    assert get_trace().requests.latest() == []


@pytest.mark.parametrize(
    "messages",
    [
        user(PLAIN_TITLE),
        user(LIBRECHAT),
        [{"role": "system", "content": LOBECHAT}, *user("user: Draw the edges of this picture\nassistant: Yes.")],
    ],
)
def test_a_title_is_plain_where_no_form_is_asked_for(owner: OpenAI, messages: Any) -> None:
    assert chat(owner, messages) == "Draw the edges of this picture"


@pytest.mark.parametrize(
    "text",
    [
        "Generate a concise title summarizing the chat history.",
        "### Task:\nRespond to the user query using the provided context.\n<context>\nx\n</context>\nWho is Ann?",
        "Provide a title for the conversation",
        "### Task:\nRead this aloud.",
    ],
)
def test_a_question_of_the_user_is_one(text: str) -> None:
    assert housekeeping([Message("user", text)]) is None


def data_of(messages: list[Message]) -> list[UploadFile]:
    return [file for message in messages for file in message.files if isinstance(file, UploadFile)]


def test_words_around_which_an_application_put_something_are_themselves_again() -> None:
    newer = '### Task:\nRespond.\n\n<context>\n<source id="1" name="a.pdf">Ann bakes.</source>\n</context>\nWho is Ann?'
    older = "### Task:\nRespond.\n<context>\nAnn bakes.\n</context>\n\n<user_query>\nWho is Ann?\n</user_query>\n"
    attached = """<attached_files>
<file type="file" id="1" url="1" content_type="image/png" name="a.png"/>
</attached_files>

"""
    for text in (newer, older, newer.replace("Who is", f"{attached}Who is")):
        (found,) = unwrapped([Message("user", text)])
        assert found.text == "Who is Ann?"
        assert [(file.filename, file.file.read()) for file in data_of([found])] == [("context.txt", b"Ann bakes.")]
    assert unwrapped([Message("user", f"{attached}Who is Ann?")]) == [Message("user", "Who is Ann?")]
    for text in ("Who is Ann?", "### Task:\nRead it.", "### Task:\n<context>\nx\n</context>\n"):
        assert unwrapped([Message("user", text)]) == [Message("user", text)]


# What is read from messages

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(
    ["text", "input_text", "output_text", "image_url", "input_image", "input_audio", "file", "input_file", "x"]
)
names = st.sampled_from(
    [
        "text",
        "image_url",
        "url",
        "input_audio",
        "data",
        "format",
        "file",
        "filename",
        "file_data",
        "file_url",
        "file_id",
    ]
)
values = anything | st.sampled_from([PIXEL, "data:,x", "https://a.b/c", "AAAA", "wav"])
parts = st.builds(
    lambda kind, fields: {"type": kind, **fields},
    kinds,
    st.dictionaries(names, values | st.dictionaries(names, values, max_size=3), max_size=4),
)
roles = st.sampled_from(["user", "assistant", "system", "developer", "tool", "x"])
odd_messages = st.lists(
    anything | st.fixed_dictionaries({"role": roles | anything, "content": anything | st.lists(parts | anything)})
)


def said_in(given: list[Any]) -> list[Message]:
    try:
        call = ChatCall.model_validate({"messages": given})
    except ValidationError as error:
        raise unusable(error) from None
    return read_messages(call.messages, "messages")


@given(odd_messages)
def test_whatever_is_said_is_read_or_refused_in_a_sentence(given: list[Any]) -> None:
    try:
        messages = said_in(given)
        housekeeping(messages)
        asked = asked_by(unwrapped(messages))
    except ParameterError as error:
        assert error.message.endswith(".") and "\n" not in error.message
        return
    assert asked.request.request.strip() and all(upload.filename for upload in asked.uploads)


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.lists(st.binary(min_size=1, max_size=9))), min_size=1)
)
def test_what_comes_with_messages_arrives_whole_and_under_names_of_its_own(said: list[tuple[str, list[bytes]]]) -> None:
    def part(data: bytes) -> dict[str, Any]:
        uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        return {"type": "image_url", "image_url": {"url": uri}}

    text = {"type": "text", "text": LINE}
    given = [{"role": role, "content": [text, *map(part, data)]} for role, data in [*said, ("user", [])]]
    messages = said_in(given)
    sent = [one for role, data in said if role == "user" for one in data]
    assert [file.filename for file in data_of(messages)] == [
        f"image-{number}.png" for number in range(1, len(sent) + 1)
    ]
    assert [message.text for message in messages] == [LINE] * len(given)
    asked = asked_by(messages)
    assert [upload.file.read() for upload in asked.uploads] == sent


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.sampled_from(["a", "b" * 9000])), max_size=150))
def test_what_is_quoted_is_the_latest_that_fits(said: list[tuple[Any, str]]) -> None:
    exchanges = quoted([Message(role, text) for role, text in said])
    assert len(exchanges) <= MOST_QUOTED
    assert sum(len(one["request"]) + len(one["answer"]) for one in exchanges) <= MOST_QUOTED_CHARS
    if said and said[-1][0] == "user":
        assert exchanges[-1] == {"request": said[-1][1][:4000], "answer": ""}


def test_links_to_our_files_and_thoughts_are_not_quoted() -> None:
    link = "http://127.0.0.1:4200/api/v1/files/00/a\\_b.png?until=1&signature=2"
    answer = f'<details type="reasoning" done="true">\nPlanning\n</details>\nEdges: ![a\\_b.png]({link})\n\n[web](http://x.y)'
    (exchange,) = quoted([Message("user", "Draw it"), Message("assistant", answer)])
    assert exchange["answer"] == "Edges: a\\_b.png\n\n[web](http://x.y)"


def test_files_are_named_by_who_sent_them(tmp_path: Path) -> None:
    pdf = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}
    more = [
        {"type": "input_file", "file_data": "AAAA"},
        {"type": "input_file", "file_url": "https://example.com/b.pdf"},
        {"type": "input_image", "image_url": PIXEL},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]
    asked = asked_by(said_in(user("Read them", pdf, *more)))
    assert [upload.filename for upload in asked.uploads] == ["a.pdf", "file-2", "image-1.png", "recording-1.wav"]
    assert asked.request.files == ("https://example.com/b.pdf",)
