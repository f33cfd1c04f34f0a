"""What OpenAI-compatible servers do to a client, as their users report it, and what becomes of it."""

import contextlib
import json
import logging
import re
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hugginggpt.controller.call import ControllerCall, Sampling
from hugginggpt.controller.client import Controller
from hugginggpt.controller.error_body import read_error
from hugginggpt.controller.failures import check_reply, lasting_embedded_error, lasting_error
from hugginggpt.controller.prompts import render
from hugginggpt.controller.reply import CallFailed, failed, reply_in
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerAuthError, ControllerError, ControllerUnavailableError
from hugginggpt.settings import Settings
from tests.controller.conftest import KEY
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
    tool_calls,
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
        tool_call({"word": "yes"}, "I'll use [word]."),
        tool_call({"word": "yes"}, "{}"),
        tool_calls([("think", {"thought": "Hm."}), ("word", {"word": "yes"})]),
        Reply("", beside={"reasoning_content": 'Hm.\n</think>\n{"word": "yes"}'}),
        Reply('{"word": "yes"}<|im_end|>'),
    ],
)
def test_where_the_answer_in_a_form_can_be(server: OpenAIServer, patient: Controller, reply: Reply) -> None:
    server.script = {"word": reply}
    assert fill_in(patient) == {"word": "yes"}


@pytest.mark.parametrize(
    ("calls_made", "plan"),
    [
        (
            [("image-to-text", {"image": "a.jpg"}), ("functions.text_to_speech", {"text": "<GENERATED>-0"})],
            [
                {"task": "image-to-text", "args": {"image": "a.jpg"}},
                {"task": "text_to_speech", "args": {"text": "<GENERATED>-0"}},
            ],
        ),
        ([("image-to-text", {"image": "a.jpg"})], [{"task": "image-to-text", "args": {"image": "a.jpg"}}]),
        (
            [("add", {"task": "a", "id": 0}), ("add", {"task": "b", "id": 1})],
            [{"task": "a", "id": 0}, {"task": "b", "id": 1}],
        ),
        ([("image-to-text", {"image": "a.jpg"}), ("plan", {"tasks": []})], {"tasks": []}),
    ],
)
def test_several_calls_of_tools_are_the_tasks_of_one_plan(
    server: OpenAIServer, patient: Controller, calls_made: Any, plan: Any
) -> None:
    server.script = {"plan": tool_calls(calls_made, "Let me do that.")}
    schema = {"type": "object", "properties": {"tasks": {"type": "array"}}, "required": ["tasks"]}
    prompt = render("conversational", text="?")
    assert json.loads(patient.chat(prompt, stage="plan", max_tokens=50, schema=schema)) == plan


def test_of_an_answer_in_the_thoughts_only_our_key_is_masked(server: OpenAIServer, patient: Controller) -> None:
    word = "https://example.org/a.png?size=2&page=1 api_key=abcdefgh"
    server.script = {"word": [answer_in_thoughts({"word": word}), answer_in_thoughts({"word": f"my {KEY}"})]}
    assert fill_in(patient) == {"word": word}
    assert fill_in(patient) == {"word": "my ***"}


@pytest.mark.parametrize("key", [None, "none", "ollama", "lm-studio"])
def test_a_word_in_the_place_of_a_key_is_no_secret(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key or "")
    refusal = Reply(status=400, message=f"tool_choice {key or 'none'} is required")
    with OpenAIServer({"word": answer_in_thoughts({"word": key or "none"}), "conversational": refusal}) as server:
        given = Settings(openai_base_url=server.url, openai_api_key=SecretStr(key) if key else None)
        controller = Controller.from_settings(given)
        assert fill_in(controller) == {"word": key or "none"}
        with pytest.raises(ControllerError, match=f"tool_choice {key or 'none'} is required"):
            say(controller)
        controller.close()


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
        Reply(status=400, code="tool_use_failed", message="Tool choice is none, but model called a tool"),
        Reply(status=400, code="output_parse_failed", message="Parsing failed."),
        Reply(status=503, message="The server is overloaded or not ready yet."),
        Reply("<|im_end|>"),
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
        (Reply(None, finish="refusal"), "the model declined to answer; reword"),
        (Reply("I can't help with that.", finish="refusal"), r'declined to answer: "I can\'t help with that\."'),
        (
            Reply(status=404, body=b"<html><head><title>404 Not Found</title></head></html>"),
            r"no controller at this address.*OPENAI_BASE_URL",
        ),
        (
            Reply(status=404, body=b"<!doctype html><title>Oops | ACME</title>"),
            r"no controller at this address.*OPENAI_BASE_URL",
        ),
        (
            Reply(status=500, error={"error": "Model loading was stopped due to insufficient system resources."}),
            "smaller model",
        ),
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
        *(
            Reply(status=status, message=message)
            for status, message in [
                (422, "Input validation error: `inputs` must have less than 1024 tokens. Given: 1532"),
                (413, "Request body too large for gpt-4o model. Max size: 8000 tokens."),
                (400, "Invalid request: Your request exceeded model token limit: 8192"),
                (400, "Prompt exceeds max length"),
                (400, "InternalError.Algo.InvalidParameter: Range of input length should be [1, 6000]"),
                (400, "This model's maximum prompt length is 131072 but the request contains 150000 tokens."),
                (400, "prompt token count of 140000 exceeds the limit of 128000"),
                (400, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"),
                (400, "The number of tokens to keep from the initial prompt is greater than the context length."),
                (400, "Input length 40000 exceeds the maximum length 32768"),
                (400, "Total tokens of image and text exceed max message tokens"),
                (400, "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292"),
                (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000."),
            ]
        ),
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
        (
            Reply(status=400, message="`max_tokens` (50) exceeds the maximum of 32 output tokens for this model"),
            set(),
            {"max_tokens": 32},
        ),
        (
            Reply(
                status=400, message="too many tokens: max tokens must be less than or equal to 32, the maximum output"
            ),
            set(),
            {"max_tokens": 32},
        ),
        (
            Reply(
                status=400,
                message="The maximum tokens you requested exceeds the model limit of 32. Try again with a maximum "
                "tokens value that is lower than 32.",
            ),
            set(),
            {"max_tokens": 31},
        ),
        (
            Reply(status=400, message="The requested max_output_tokens exceeds the maximum output tokens (32)."),
            set(),
            {"max_tokens": 32},
        ),
        (Reply(error={"error": "'response_format.type' must be 'text'"}), {"response_format"}, {}),
        (
            Reply(status=400, message="parameter.enable_thinking must be set to false for non-streaming calls"),
            set(),
            {"enable_thinking": False},
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


def test_a_form_in_which_a_model_cannot_write_is_given_up(server: OpenAIServer, controller: Controller) -> None:
    def answer(call: Any) -> Any:
        bad = Reply(status=400, code="json_validate_failed", message="Failed to validate JSON.")
        return bad if "response_format" in call.request else '{"word": "yes"}'

    server.script = {"*": answer, "word": answer, "conversational": answer}
    assert fill_in(controller) == {"word": "yes"}
    assert [c.structure for c in server.calls] == ["json_schema", "json_schema", "json_object", None]


def test_what_a_model_takes_is_known_to_calls_for_other_purposes(server: OpenAIServer, patient: Controller) -> None:
    def answer(call: Any) -> Any:
        if call.request.get("enable_thinking", True):
            return Reply(status=400, message="parameter.enable_thinking must be set to false for non-streaming calls")
        return '{"word": "yes"}'

    server.script = {"word": answer, "conversational": answer}
    assert fill_in(patient) == {"word": "yes"}
    assert say(patient) == '{"word": "yes"}'
    assert len(server.calls) == 3
    assert server.calls[1].structure == "json_schema"


def test_a_model_that_never_writes_well_is_asked_a_bounded_number_of_times(
    server: OpenAIServer, controller: Controller
) -> None:
    server.script = {"conversational": Reply(status=400, code="tool_use_failed", message="Tool choice is none.")}
    with pytest.raises(ControllerUnavailableError, match="failed 3 times"):
        say(controller)


def test_a_filter_that_refuses_is_asked_once_in_a_form_too(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"word": Reply(status=400, code="content_filter", message="Our content management policy.")}
    with pytest.raises(ControllerError, match="reword"):
        fill_in(controller)
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("trouble", "sentence", "unsaid"),
    [
        (Reply(status=403, message="Country not supported."), "Country not supported", "KEY|MODEL"),
        (Reply(status=403, message="Your IP address is not allowed. Authenticate elsewhere."), "Your IP", "KEY|MODEL"),
        (Reply(status=403, message="This API requires billing to be enabled."), "requires billing", "KEY|MODEL"),
        (Reply(status=403), "refused the request", "KEY|MODEL"),
        (Reply(status=403, message="Key limit exceeded."), "check what OPENAI_API_KEY may use there", "MODEL"),
        (Reply(status=403, message="No access to model x."), "check HUGGINGGPT_CONTROLLER_MODEL", "KEY"),
        (
            Reply(status=404, message="No endpoints found matching your data policy (Free model publication)."),
            "matching your data policy",
            "KEY|MODEL",
        ),
        (Reply(status=404, error={}), "no controller at", "KEY|MODEL"),
    ],
)
def test_a_key_or_a_model_is_spoken_of_only_if_the_server_does(
    server: OpenAIServer, controller: Controller, trouble: Reply, sentence: str, unsaid: str
) -> None:
    server.script = {"conversational": trouble}
    with pytest.raises(ControllerError, match=sentence) as caught:
        say(controller)
    assert not re.search(unsaid, str(caught.value))
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500])
@pytest.mark.parametrize("message", ["No such key.", "Unknown model.", "Prompt is too long.", "Out of memory."])
def test_of_the_embedded_controller_no_setting_of_servers_is_named(status: int, message: str) -> None:
    failure = failed(read_error({"error": {"message": message}}), status)
    error = lasting_embedded_error(failure, model="m", more_room="raise HUGGINGGPT_MODEL_MEMORY")
    assert "OPENAI" not in str(error) and "CONTEXT_TOKENS" not in str(error)


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


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (503, "The model is being loaded"),
        (503, "Model is initializing, please retry later"),
        (503, "Endpoint is scaled to zero, waking up"),
        (503, "Model load in progress"),
        (503, "Model x/y is currently loading"),
        (429, "Model is currently loading, try again"),
        (503, "Error: the model is still loading"),
    ],
)
def test_ways_to_say_that_a_model_loads(
    server: OpenAIServer, patient: Controller, status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hugginggpt.controller.tries._LOADING_WAIT", 0.01)
    server.script = {"conversational": [*[Reply(status=status, message=message)] * 3, "There you are."]}
    assert say(patient) == "There you are."


def test_patience_ends(server: OpenAIServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hugginggpt.controller.tries._LOADING_WAIT", 0.01)
    server.script = {"conversational": loading()}
    with pytest.raises(ControllerUnavailableError, match=r"still loading.*HUGGINGGPT_CONTROLLER_PATIENCE"):
        say(connect(controller_patience=0.1))
    with pytest.raises(ControllerUnavailableError, match="gave no answer"):
        say(connect(), deadline=Deadline(0.2))


@pytest.mark.parametrize(
    "message",
    [
        "Error loading model: file is damaged.",
        "Exception while loading model",
        "Timed out loading model",
        "Model not loaded",
        "Model loading was stopped due to insufficient system resources",
        "The server is overloaded or not ready yet.",
    ],
)
def test_a_model_that_cannot_be_loaded_is_not_waited_for(
    server: OpenAIServer, patient: Controller, message: str
) -> None:
    server.script = {"conversational": text_error(message)}
    with pytest.raises(ControllerError, match=message.rstrip(".")):
        say(patient)
    assert len(server.calls) == 1


def test_a_time_out_names_its_setting(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": hangs()}
    with pytest.raises(ControllerUnavailableError, match=r"HUGGINGGPT_CONTROLLER_TIMEOUT \(now 0\.3 seconds\)"):
        say(connect(controller_timeout=0.3, controller_retries=0))


def test_an_endless_answer_is_not_read(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": Reply("a" * 17_000_000)}
    with pytest.raises(ControllerError, match=r"longer than 16,000,000 bytes.*HUGGINGGPT_CONTROLLER_MODEL"):
        say(controller)
    assert len(server.calls) == 1


def test_the_time_to_wait_is_read_from_the_body(server: OpenAIServer, connect: Connect) -> None:
    message = "Rate limit reached. Please try again in 6m0s."
    server.script = {"conversational": Reply(status=429, code="rate_limit_exceeded", message=message)}
    with pytest.raises(ControllerUnavailableError, match="asks to wait 360 s"):
        say(connect())
    assert len(server.calls) == 1


def test_the_time_to_wait_is_read_from_a_field(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": [listed_error("1.5s"), "There you are."]}
    start = time.monotonic()
    assert say(controller) == "There you are."
    assert time.monotonic() - start >= 1.5


@pytest.mark.parametrize(
    ("usage", "prompt_tokens"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": 11, "completion_tokens": 0, "total_tokens": 11}, 11),
        ({"prompt_tokens": 0, "completion_tokens": 900, "total_tokens": 900}, None),
    ],
)
def test_a_server_that_says_0_does_not_count(
    server: OpenAIServer, connect: Connect, calls: list[ControllerCall], usage: Any, prompt_tokens: int | None
) -> None:
    server.script = {"conversational": Reply("Yes. " * 700, usage=usage)}
    say(connect(price_per_million_completion_tokens=1.0).recording(calls.append))
    assert calls[0].estimated and 800 < (calls[0].cost_microdollars or 0) < 1200
    assert calls[0].prompt_tokens == (prompt_tokens or render("conversational", text="Hello!").tokens)


_USED = {"prompt_tokens": 10, "completion_tokens": 900, "total_tokens": 910}


@pytest.mark.parametrize(
    "failing",
    [
        Reply("Half", finish="error", usage=_USED),
        Reply(None, finish="refusal", usage=_USED),
        Reply(None, beside={"refusal": "No."}, usage=_USED),
        Reply("", finish="length", usage=_USED),
        Reply("", finish="content_filter", usage=_USED),
        Reply(error={"error": {"message": "Upstream failed", "code": 502}, "usage": _USED}),
        Reply(status=500, error={"error": {"message": "Upstream failed"}, "usage": _USED}),
    ],
)
def test_a_reply_that_fails_has_cost_what_it_says(
    server: OpenAIServer, connect: Connect, calls: list[ControllerCall], failing: Reply
) -> None:
    server.script = {"conversational": failing}
    with pytest.raises(ControllerError):
        say(
            connect(
                controller_retries=0, controller_context_tokens=512, price_per_million_completion_tokens=1.0
            ).recording(calls.append)
        )
    assert (calls[0].prompt_tokens, calls[0].completion_tokens, calls[0].cost_microdollars) == (10, 900, 900)
    assert calls[0].error and not calls[0].estimated


def test_a_prompt_that_may_have_been_cut_is_warned_of_once(
    server: OpenAIServer, controller: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    prompt = render("conversational", text="word and more " * 1600)
    server.script = {"conversational": Reply("Fine.", usage={"prompt_tokens": 4096, "completion_tokens": 2})}
    for _ in range(2):
        assert controller.chat(prompt, stage="conversational", max_tokens=50) == "Fine."
    (record,) = caplog.records
    assert "HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS" in record.getMessage() and "4096 of about" in record.getMessage()


def test_a_long_prompt_of_which_next_to_nothing_is_counted_is_estimated(
    server: OpenAIServer, controller: Controller, calls: list[ControllerCall]
) -> None:
    prompt = render("conversational", text="word and more " * 1600)
    server.script = {"conversational": Reply("Fine.", usage={"prompt_tokens": 12, "completion_tokens": 2})}
    controller.recording(calls.append).chat(prompt, stage="conversational", max_tokens=50)
    assert calls[0].prompt_tokens == prompt.tokens and calls[0].estimated


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
