"""What OpenAI-compatible servers do to a client, as their users report it, and what becomes of it."""

import contextlib
import json
import logging
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.controller.call import ControllerCall, Sampling
from hugginggpt.controller.client import Controller
from hugginggpt.controller.error_body import read_error
from hugginggpt.controller.failures import check_reply, lasting_error
from hugginggpt.controller.prompts import render
from hugginggpt.controller.reply import CallFailed, failed, reply_in
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerAuthError, ControllerError, ControllerUnavailableError
from tests.stand_ins.openai_server import (
    DRAFT,
    OpenAIServer,
    Reply,
    answer_in_thoughts,
    at_limit,
    broken_off,
    declined,
    error_in_success,
    hangs,
    listed_error,
    loading,
    only_thinking,
    redirected,
    text_error,
    thinking,
    tool_call,
    unfinished,
)

Connect = Callable[..., Controller]

WORD = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
WAYS = ("tags", "no beginning", "thought tags", "brackets", "channels", "parts", "a field of its own")


def say(controller: Controller, **options: Any) -> str:
    return controller.chat(render("conversational", text="Hello!"), stage="conversational", max_tokens=50, **options)


def fill_in(controller: Controller) -> Any:
    return json.loads(controller.chat(render("conversational", text="?"), stage="word", max_tokens=50, schema=WORD))


@pytest.fixture
def patient(connect: Connect) -> Controller:
    """A controller that tries once, but for what is no failure."""
    return connect(controller_retries=0)


@pytest.mark.parametrize("how", WAYS)
def test_thoughts_are_kept_apart(
    server: OpenAIServer, patient: Controller, calls: list[ControllerCall], how: str
) -> None:
    server.script = {"conversational": thinking("Good day.", how), "word": thinking({"word": "yes"}, how)}
    assert say(patient.recording(calls.append)) == "Good day."
    assert fill_in(patient) == {"word": "yes"}
    assert "First I thought of" in str(calls[0].thoughts) and json.dumps(DRAFT) in str(calls[0].thoughts)


def test_thoughts_that_use_up_the_limit_get_more_room(
    server: OpenAIServer, patient: Controller, calls: list[ControllerCall]
) -> None:
    server.script = {
        "conversational": [only_thinking(), Reply("", finish="length"), "There."],
        "word": [only_thinking(True), '{"word": "yes"}'],
    }
    assert say(patient.recording(calls.append)) == "There."
    assert [call.request["max_tokens"] for call in server.calls] == [50, 200, 800]
    assert calls[0].error == "its thoughts reached the token limit" and calls[0].thoughts
    assert fill_in(patient) == {"word": "yes"}


def test_thoughts_without_end_name_the_setting(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": only_thinking()}
    with pytest.raises(ControllerError, match=r"did not come to an end.*HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS"):
        say(connect(controller_context_tokens=1000))
    assert [call.request["max_tokens"] for call in server.calls][:3] == [50, 200, 800]
    assert len(server.calls) < 6


def test_the_check_lets_a_model_think(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"check": Reply("", finish="length", usage={})}
    connect(controller_retries=0, controller_context_tokens=1000).check()
    server.script = {"check": [unfinished(), "OK"]}
    connect(controller_retries=0).check()


def test_a_model_that_cannot_finish_is_given_more_room(server: OpenAIServer, patient: Controller) -> None:
    server.script = {"word": [unfinished(), '{"word": "yes"}']}
    assert fill_in(patient) == {"word": "yes"}
    first, second = server.calls
    assert second.request["max_tokens"] == 2 * first.request["max_tokens"]
    assert second.structure == "json_schema"


def test_a_text_that_is_cut_off_is_asked_for_again_and_then_carries_a_note(
    server: OpenAIServer, patient: Controller
) -> None:
    server.script = {"conversational": [at_limit("Once upon a"), "Once upon a time."]}
    assert say(patient) == "Once upon a time."
    server.script = {"conversational": at_limit("Once upon a")}
    assert say(patient) == "Once upon a\n\n(The answer was cut off here, at its token limit.)"
    assert len(server.calls) == 4


@pytest.mark.parametrize(
    "reply",
    [
        tool_call({"word": "yes"}),
        Reply(None, beside={"function_call": {"name": "word", "arguments": '{"word": "yes"}'}}),
        Reply("", beside={"tool_calls": [{"function": {"arguments": {"word": "yes"}}}]}),
        tool_call({"word": "yes"}, "I'll call the tool."),
        Reply({"word": "yes"}),
        Reply([{"type": "json", "json": {"word": "yes"}}]),
        answer_in_thoughts({"word": "yes"}),
        Reply("", beside={"reasoning": '```json\n{"word": "yes"}\n```'}),
        Reply([{"type": "text", "text": '{"word": '}, {"type": "text", "text": '"yes"}'}]),
        Reply([{"type": "output_text", "text": '{"word": "yes"}'}]),
    ],
)
def test_where_the_answer_in_a_form_can_be(server: OpenAIServer, patient: Controller, reply: Reply) -> None:
    server.script = {"word": reply}
    assert fill_in(patient) == {"word": "yes"}


@pytest.mark.parametrize(
    "nothing",
    [
        Reply(None),
        Reply([]),
        Reply([{"type": "image"}, None, 3]),
        Reply({}),
        Reply(7),
        tool_call({"word": "no"}),
        answer_in_thoughts({"word": "no"}),
        Reply("<think>Hm.</think>"),
        broken_off(),
        error_in_success(),
        error_in_success(code=None),
        Reply("Half of", finish="insufficient_system_resource"),
        Reply(status=400, code="json_validate_failed", message="Failed to generate JSON."),
        Reply(error={"choices": [{"finish_reason": "error", "error": {"message": "Upstream", "code": 503}}]}),
        Reply(error={"choices": []}),
        Reply(error={"detail": "Not here"}),
        Reply(error={"choices": [None]}),
        listed_error(),
        text_error(),
        Reply(status=500, error=[]),
        Reply(status=502, error="<html><title>Bad Gateway</title></html>"),
    ],
)
def test_what_is_no_answer_is_asked_for_again(server: OpenAIServer, controller: Controller, nothing: Reply) -> None:
    server.script = {"conversational": [nothing, "There you are."], "*": [nothing, "There you are."]}
    assert say(controller) == "There you are."
    assert len(server.calls) == 2


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (declined("I won't."), r'declined to answer: "I won\'t\."'),
        (Reply([{"type": "refusal", "refusal": "I won't."}]), r'declined to answer: "I won\'t\."'),
        (error_in_success("Invalid model id", 400), "Invalid model id"),
        (error_in_success("No credits", "insufficient_quota"), "quota"),
        (error_in_success("Bad input", "invalid_request_error"), "Bad input"),
        (Reply(error=[1, 2]), "not a chat completion"),
        (Reply(error="hello"), "not a chat completion"),
        (Reply(error=None, body=b"\xff\xfe{"), "not a chat completion"),
        (Reply(status=403, message="Your input was flagged by moderation."), r"flagged by moderation.*reword"),
        (Reply(status=403, message="Country not supported."), r"Country not supported.*OPENAI_API_KEY may use"),
        (Reply(status=404, message="No endpoints found matching your data policy."), "matching your data policy"),
        (Reply(status=404, error={"detail": "Not Found"}), r"no controller at .*OPENAI_BASE_URL"),
        (Reply(status=404, error="404 page not found"), r"no controller at .*OPENAI_BASE_URL"),
        (
            Reply(error={"error": "Unexpected endpoint or method. (POST /chat/completions)"}),
            "OPENAI_BASE_URL, which often",
        ),
        (
            Reply(status=404, message="See openrouter.ai/settings/privacy: no endpoints match it."),
            "refused the request",
        ),
        (Reply(error={"error": {"message": "invalid api key"}}), "did not accept the key"),
        (Reply(status=400, message="gpt-9 is not a valid model ID"), "does not know the model"),
        (Reply(status=500, message="model requires more system memory (5 GiB) than there is"), "smaller model"),
        (Reply("", finish="SAFETY"), "filter withheld"),
        (Reply(error={"choices": [{"finish_reason": "content_filter"}]}), "filter withheld"),
        (
            Reply(status=404, message="model 'x' not found, try pulling it first"),
            r"does not know the model.*CONTROLLER_MODEL",
        ),
        (
            Reply(
                status=400,
                error=[
                    {
                        "error": {
                            "code": 400,
                            "message": "API key not valid. Please pass a valid API key.",
                            "status": "INVALID_ARGUMENT",
                        }
                    }
                ],
            ),
            r"did not accept the key.*API key not valid",
        ),
        (
            Reply(status=400, code="content_filter", message="The prompt triggered our content management policy."),
            "reword",
        ),
        (
            Reply(
                status=400,
                message="Provider returned error",
                error={
                    "error": {
                        "message": "Provider returned error",
                        "metadata": {"raw": '{"error": {"message": "Tool use is off"}}'},
                    }
                },
            ),
            "Tool use is off",
        ),
        (
            redirected("https://new.example/v1/chat/completions?key=abcdefgh"),
            r"redirects to https://new\.example/v1/chat/completions; set OPENAI_BASE_URL",
        ),
    ],
)
@pytest.mark.parametrize("structured", [False, True])
def test_what_stays_wrong_is_asked_once_and_said_in_the_servers_words(
    server: OpenAIServer, controller: Controller, trouble: Reply, sentence: str, structured: bool
) -> None:
    server.script = {"*": trouble, "conversational": trouble, "word": trouble}
    with pytest.raises(ControllerError, match=sentence) as caught:
        fill_in(controller) if structured else say(controller)
    assert not isinstance(caught.value, ControllerUnavailableError)
    assert "abcdefgh" not in str(caught.value)
    assert [c.structure for c in server.calls] in ([None], ["json_schema"], ["json_schema", "json_object", None])


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=400, code="context_length_exceeded", message="Too many tokens."),
        Reply(
            status=400,
            message="This model's maximum context length is 4096 tokens. Please reduce the length of the messages.",
        ),
        Reply(
            status=400,
            error={
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size, try increasing it",
                    "type": "exceed_context_size_error",
                    "n_ctx": 2048,
                }
            },
        ),
        Reply(status=500, message="the request exceeds the available context size"),
        Reply(status=400, message="prompt is too long: 210000 tokens > 200000 maximum"),
        Reply(
            status=400,
            error=[{"error": {"message": "The input token count (1200000) exceeds the maximum."}}],
        ),
        Reply(status=413, message="Request too large."),
        Reply(
            status=422, error={"detail": "inputs must have less than 4096 tokens: exceeds the maximum number of tokens"}
        ),
        error_in_success("Input exceeds the context window", 400),
    ],
)
def test_a_context_that_overflows_names_its_setting(
    server: OpenAIServer, controller: Controller, trouble: Reply
) -> None:
    server.script = {"word": trouble}
    with pytest.raises(ControllerError, match=r"longer than the context.*HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS"):
        fill_in(controller)
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("refusal", "without", "with_"),
    [
        (Reply(status=400, message="`temperature` is deprecated for this model."), {"temperature"}, {}),
        (
            Reply(status=400, error={"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
            {"seed"},
            {},
        ),
        (
            Reply(
                status=400,
                message="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            ),
            {"max_tokens"},
            {"max_completion_tokens": 50},
        ),
        (
            Reply(status=400, message="max_tokens is too large: 50. This model supports at most 32 completion tokens."),
            set(),
            {"max_tokens": 32},
        ),
        (Reply(status=500, message="response_format json_schema is not supported"), {"response_format"}, {}),
        (Reply(status=400, message="'response_format.type' must be 'text'"), {"response_format"}, {}),
        (Reply(status=501, message="Failed to parse grammar"), {"response_format"}, {}),
        (Reply(status=400, message="max_tokens: 50 > 32, which is the maximum allowed"), set(), {"max_tokens": 32}),
        (Reply(status=400, message="the valid range of max_tokens is [1, 32]"), set(), {"max_tokens": 32}),
        (
            Reply(status=400, message="`max_tokens` must be less than or equal to `32`, the context_window of it"),
            set(),
            {"max_tokens": 32},
        ),
    ],
)
def test_only_what_a_refusal_is_about_is_left_out(
    server: OpenAIServer, patient: Controller, refusal: Reply, without: set[str], with_: dict[str, Any]
) -> None:
    def answer(call: Any) -> Any:
        refused = without & {*call.request} or any(call.request.get(name) != value for name, value in with_.items())
        return refusal if refused else '{"word": "yes"}'

    server.script = {"*": answer, "word": answer, "conversational": answer}
    prompt, options = render("conversational", text="?"), {"sampling": Sampling(seed=1), "schema": WORD}
    assert patient.chat(prompt, stage="word", max_tokens=50, **options) == '{"word": "yes"}'  # type: ignore[arg-type]
    last, kept = server.calls[-1].request, {"temperature", "seed", "max_tokens", "response_format"} - without
    assert kept <= {*last} and not without & {*last}
    assert with_.items() <= last.items()


def test_a_schema_that_is_refused_stays_one_and_other_calls_keep_theirs(
    server: OpenAIServer, patient: Controller
) -> None:
    def answer(call: Any) -> Any:
        strict = (call.request.get("response_format") or {}).get("json_schema", {}).get("strict")
        return Reply(status=400, message="Invalid schema: 'pattern' is not permitted") if strict else '{"word": "yes"}'

    server.script = {"word": answer, "other": '{"word": "yes"}'}
    assert fill_in(patient) == {"word": "yes"}
    patient.chat(render("conversational", text="?"), stage="other", max_tokens=50, schema=WORD)
    asked = [call.request["response_format"]["json_schema"]["strict"] for call in server.calls]
    assert asked == [True, False, True]


def test_a_limit_of_the_server_is_not_asked_beyond(server: OpenAIServer, patient: Controller) -> None:
    too_large = Reply(status=400, message="max_tokens is too large. This model supports at most 32.")
    server.script = {"word": [too_large, at_limit("{"), at_limit("{")]}
    with pytest.raises(ControllerError, match="did not come to an end within 32 tokens"):
        fill_in(patient)
    assert len(server.calls) == 2


def test_a_server_that_refuses_again_and_again_is_left_alone(server: OpenAIServer, patient: Controller) -> None:
    def refuse(call: Any) -> Reply:
        tokens = call.request.get("max_tokens") or call.request.get("max_completion_tokens") or 10
        return Reply(status=400, message=f"max_tokens may be at most {tokens - 1}")

    server.script = {"conversational": refuse}
    with pytest.raises(ControllerError):
        patient.chat(render("conversational", text="Hello!"), stage="conversational", max_tokens=90)
    assert len(server.calls) < 20


def test_a_text_that_was_cut_off_once_is_asked_for_again_whatever_came_before(
    server: OpenAIServer, controller: Controller
) -> None:
    server.script = {"conversational": [broken_off(), at_limit("Once upon a"), "Once upon a time."]}
    assert say(controller) == "Once upon a time."


def test_a_model_without_a_system_role_gets_one_message(server: OpenAIServer, patient: Controller) -> None:
    server.knows_system = False
    assert say(patient) == "OK."
    (message,) = server.calls[-1].request["messages"]
    assert message["role"] == "user" and message["content"].endswith("Hello!")
    say(patient)
    assert len(server.calls) == 3, "and the next call knows it"


def test_a_server_that_loads_is_waited_for(
    server: OpenAIServer,
    connect: Connect,
    calls: list[ControllerCall],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hugginggpt.controller.tries._LOADING_WAIT", 0.01)
    server.script = {"conversational": [*[loading()] * 6, "There you are."]}
    with caplog.at_level(logging.WARNING):
        assert say(connect(controller_retries=0).recording(calls.append)) == "There you are."
    assert [call.error for call in calls] == ["HTTP 503: Loading model", None]
    assert [record.getMessage() for record in caplog.records] == [f"Waiting for {server.url}: Loading model"]


def test_patience_ends(server: OpenAIServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hugginggpt.controller.tries._LOADING_WAIT", 0.01)
    server.script = {"conversational": loading()}
    with pytest.raises(ControllerUnavailableError, match=r"still loading.*HUGGINGGPT_CONTROLLER_PATIENCE"):
        say(connect(controller_patience=0.1))
    with pytest.raises(ControllerUnavailableError, match="gave no answer"):
        say(connect(), deadline=Deadline(0.2))


def test_a_model_that_cannot_be_loaded_is_not_waited_for(server: OpenAIServer, patient: Controller) -> None:
    server.script = {"conversational": text_error("Error loading model: file is damaged.")}
    with pytest.raises(ControllerUnavailableError, match="file is damaged"):
        say(patient)
    assert len(server.calls) == 1


def test_a_time_out_names_its_setting(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": hangs()}
    with pytest.raises(ControllerUnavailableError, match=r"HUGGINGGPT_CONTROLLER_TIMEOUT \(now 0\.3 seconds\)"):
        say(connect(controller_timeout=0.3, controller_retries=0))


def test_an_endless_answer_is_not_read(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": Reply("a" * 17_000_000)}
    with pytest.raises(ControllerError, match="longer than 16,000,000 bytes"):
        say(controller)
    assert len(server.calls) == 1


def test_the_time_to_wait_is_read_from_the_body(server: OpenAIServer, connect: Connect) -> None:
    message = "Rate limit reached. Please try again in 6m0s."
    server.script = {"conversational": Reply(status=429, code="rate_limit_exceeded", message=message)}
    with pytest.raises(ControllerUnavailableError, match="asks to wait 360 s"):
        say(connect())
    assert len(server.calls) == 1


def test_tokens_that_only_the_total_counts_are_counted(
    server: OpenAIServer, patient: Controller, calls: list[ControllerCall]
) -> None:
    server.script = {
        "conversational": [
            Reply("Yes.", usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}),
            Reply("Yes.", usage={"prompt_tokens": "many", "total_tokens": None}),
            Reply("Yes.", usage=[]),
        ]
    }
    for _ in range(3):
        say(patient.recording(calls.append))
    assert [(call.prompt_tokens, call.completion_tokens, call.estimated) for call in calls[:1]] == [(10, 105, False)]
    assert all(call.prompt_tokens > 10 and call.completion_tokens > 1 and call.estimated for call in calls[1:])


def test_what_nobody_counts_costs_about_what_its_length_costs(
    server: OpenAIServer, connect: Connect, calls: list[ControllerCall]
) -> None:
    server.script = {"conversational": Reply("Yes. " * 700, usage={})}
    say(connect(price_per_million_completion_tokens=1.0).recording(calls.append))
    assert calls[0].estimated and 800 < (calls[0].cost_microdollars or 0) < 1200


def test_what_a_server_says_that_a_call_costs_comes_before_prices(
    server: OpenAIServer, connect: Connect, calls: list[ControllerCall]
) -> None:
    server.script = {"conversational": Reply("Hi.", usage={"prompt_tokens": 9, "completion_tokens": 1, "cost": 0.25})}
    say(connect(price_per_million_prompt_tokens=1.0).recording(calls.append))
    server.script = {"conversational": Reply("Hi.", headers={"x-litellm-response-cost": "0.5"})}
    say(connect().recording(calls.append))
    assert [call.cost_microdollars for call in calls] == [250_000, 500_000]


@pytest.mark.parametrize("how", ["long", "squeezed"])
def test_of_an_endless_error_only_the_beginning_is_read(server: OpenAIServer, patient: Controller, how: Any) -> None:
    server.script = {"conversational": Reply(status=400, message="The seed is bad.", endless=how)}
    tracemalloc.start()
    try:
        with pytest.raises(ControllerError, match="The seed is bad"):
            say(patient)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50e6


def test_the_key_is_not_in_what_a_success_complains_of(server: OpenAIServer, patient: Controller) -> None:
    server.script = {"conversational": error_in_success("Bearer sk-another-secret-1 was refused", 401)}
    with pytest.raises(ControllerAuthError) as caught:
        say(patient)
    assert "another-secret" not in str(caught.value)


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_NAMES = st.sampled_from(
    [
        "choices",
        "message",
        "content",
        "error",
        "code",
        "type",
        "text",
        "thinking",
        "detail",
        "tool_calls",
        "function",
        "arguments",
        "usage",
        "prompt_tokens",
        "total_tokens",
        "finish_reason",
        "refusal",
        "reasoning_content",
        "retryDelay",
        "loc",
        "metadata",
        "raw",
    ]
)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4), max_leaves=15
)


@given(_JSON, st.booleans())
def test_whatever_a_server_sends_is_a_reply_or_a_failure(body: Any, structured: bool) -> None:
    for sent in (body, {"choices": [{"message": body}]}, {"choices": [{"message": {"content": body}}], "usage": body}):
        with contextlib.suppress(CallFailed):
            assert check_reply(reply_in(sent), structured).text


@given(_JSON, st.sampled_from([None, 302, 400, 401, 403, 404, 413, 429, 500, 503]))
def test_whatever_an_error_is_becomes_a_sentence(body: Any, status: int | None) -> None:
    failure = failed(read_error(body), status)
    error = lasting_error(failure, server="s", model="m", has_key=True, context_tokens=1)
    assert failure.detail and "\n" not in str(error or "")
