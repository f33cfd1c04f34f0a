"""The client against a server that misbehaves."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import pytest
from pydantic import SecretStr

from hugginggpt.controller.call import ControllerCall, Sampling
from hugginggpt.controller.client import Controller
from hugginggpt.controller.prompts import Prompt, render
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerAuthError, ControllerError, ControllerUnavailableError
from hugginggpt.settings import Settings
from tests.controller.conftest import KEY
from tests.stand_ins.openai_server import (
    OpenAIServer,
    Reply,
    at_limit,
    broken,
    cut_off,
    hangs,
    out_of_quota,
    rate_limited,
    unknown_model,
    wrong_key,
)

Connect = Callable[..., Controller]
SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}


def hello() -> Prompt:
    return render("conversational", text="Hello!")


def say(controller: Controller, **options: object) -> str:
    return controller.chat(hello(), stage="conversational", max_tokens=50, **options)  # type: ignore[arg-type]


def test_an_answer_comes_back_and_the_call_is_recorded(
    server: OpenAIServer, connect: Connect, calls: list[ControllerCall]
) -> None:
    server.script = {"conversational": " Good day. "}
    controller = connect(price_per_million_prompt_tokens=0.15, price_per_million_completion_tokens=0.6)

    assert say(controller.recording(calls.append), sampling=Sampling(seed=7)) == "Good day."

    (call,) = calls
    assert (call.stage, call.prompt_name, call.attempt, call.error) == ("conversational", "conversational", 1, None)
    assert call.prompt_sha256 == hello().sha256
    assert call.model == server.calls[0].request["model"] == "gpt-4o-mini"
    assert call.prompt_tokens > 0 and call.completion_tokens > 0
    assert call.cost_microdollars == round(call.prompt_tokens * 0.15 + call.completion_tokens * 0.6)
    assert call.started_at.tzinfo is UTC
    assert server.calls[0].request["seed"] == 7


def test_without_prices_there_is_no_cost(controller: Controller, calls: list[ControllerCall]) -> None:
    say(controller.recording(calls.append))
    assert calls[0].cost_microdollars is None


@pytest.mark.parametrize(
    "trouble", [rate_limited(0), broken(), cut_off(), Reply(status=408), Reply(status=409), Reply(""), Reply(None)]
)
def test_what_can_pass_is_tried_again(
    server: OpenAIServer, controller: Controller, calls: list[ControllerCall], trouble: Reply
) -> None:
    server.script = {"*": [trouble, "There you are."], "conversational": [trouble, "There you are."]}

    assert say(controller.recording(calls.append)) == "There you are."

    assert [call.attempt for call in calls] == [1, 2]
    assert calls[0].error and calls[1].error is None


def test_retry_after_is_honoured(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": [rate_limited(1), "There you are."]}
    start = time.monotonic()
    assert say(controller) == "There you are."
    assert time.monotonic() - start >= 1  # a lower bound: nothing here can be too slow


def test_a_longer_wait_than_the_deadline_allows_fails_at_once(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": rate_limited(3600)}
    with pytest.raises(ControllerUnavailableError, match="3600 s"):
        say(controller, deadline=Deadline(30))
    assert len(server.calls) == 1


def test_retries_end(server: OpenAIServer, controller: Controller, calls: list[ControllerCall]) -> None:
    server.script = {"conversational": rate_limited(0)}
    with pytest.raises(ControllerUnavailableError, match="failed 3 times"):
        say(controller.recording(calls.append))
    assert len(calls) == len(server.calls) == 3


def test_a_server_that_hangs_is_given_up(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": hangs()}
    with pytest.raises(ControllerUnavailableError, match=r"no answer within 0\.3 seconds"):
        say(connect(controller_timeout=0.3, controller_retries=0))
    server.abandoned.wait()


def test_cancelling_ends_a_call_and_its_connection(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": hangs()}
    deadline = Deadline(300)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            say(controller, deadline=deadline)
        except ControllerUnavailableError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not server.calls:
        time.sleep(0.01)
    deadline.cancel("The request was not answered within its 4 seconds: raise its deadline.")
    asking.join()
    assert [str(error) for error in failed] == [
        "The request was not answered within its 4 seconds: raise its deadline."
    ]
    server.abandoned.wait()


@pytest.mark.parametrize(
    "trouble", [wrong_key(), Reply(status=403, message="Invalid API key."), out_of_quota(), Reply(status=402)]
)
def test_authentication_and_quota_fail_at_once(server: OpenAIServer, controller: Controller, trouble: Reply) -> None:
    server.script = {"conversational": trouble}
    with pytest.raises(ControllerAuthError, match="OPENAI_API_KEY"):
        say(controller)
    assert len(server.calls) == 1


def test_an_unknown_model_is_named_with_its_setting(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": unknown_model()}
    with pytest.raises(ControllerError, match=r"gpt-9000.*HUGGINGGPT_CONTROLLER_MODEL"):
        say(connect(controller_model="gpt-9000"))
    assert len(server.calls) == 1


def test_a_request_beyond_the_model_names_the_setting(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": Reply(status=400, code="context_length_exceeded", message="Too many tokens.")}
    with pytest.raises(ControllerError, match="HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS"):
        say(controller)


def test_a_server_that_is_none_is_a_plain_sentence(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": Reply(body=b"<html>It works!</html>")}
    with pytest.raises(ControllerError, match="not a chat completion"):
        say(connect(controller_retries=0))


def test_nobody_there(connect: Connect) -> None:
    with pytest.raises(ControllerUnavailableError, match=r"http://127\.0\.0\.1:9/v1"):
        say(connect(openai_base_url="http://127.0.0.1:9/v1", controller_retries=0))


def test_a_declined_answer_is_not_asked_for_again(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": Reply("", finish="content_filter")}
    with pytest.raises(ControllerError, match="filter withheld"):
        say(controller)
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=400, message=f"Bad request with key {KEY}."),
        Reply(status=401, message=f"Incorrect API key provided: {KEY}."),
        Reply(status=429, code="insufficient_quota", message=KEY),
        Reply(status=500, message=f"Authorization: Bearer {KEY} crashed us, and so did sk-another-secret-1."),
    ],
)
def test_the_key_is_in_no_message_and_no_record(
    server: OpenAIServer, connect: Connect, calls: list[ControllerCall], trouble: Reply
) -> None:
    server.script = {"conversational": trouble}
    with pytest.raises(ControllerError) as caught:
        say(connect(controller_retries=0).recording(calls.append))
    said = str(caught.value) + "".join(str(call.error) for call in calls)
    assert KEY not in said and "another-secret" not in said


def test_the_query_of_a_base_url_is_sent_and_in_no_message(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": broken()}
    with pytest.raises(ControllerError) as caught:
        say(connect(openai_base_url=f"{server.url}?version=1&api-key=hunter2hunter2", controller_retries=0))
    assert "hunter2" not in str(caught.value)
    assert server.calls[0].query == "version=1&api-key=hunter2hunter2"


def test_azures_versioned_addresses_get_the_key_in_their_header(
    server: OpenAIServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        say(connect(openai_base_url=f"{server.url}?api-version=2024-06-01"))
        say(connect())
    assert [call.in_api_key for call in server.calls] == [True, False]
    assert caplog.records and KEY not in caplog.text


def test_basic_credentials_that_a_server_echoes_are_masked(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": Reply(status=400, message="Sent: Authorization: Basic YWRhOnNlc2FtZQ==")}
    with pytest.raises(ControllerError) as caught:
        say(connect(controller_retries=0))
    assert "YWRhOnNlc2FtZQ" not in str(caught.value)


def test_a_local_server_needs_no_key() -> None:
    with OpenAIServer() as server:
        controller = Controller.from_settings(Settings(openai_base_url=server.url))
        assert say(controller) == "OK."
        controller.close()


def test_a_server_that_wants_a_key_says_so(server: OpenAIServer, connect: Connect) -> None:
    with pytest.raises(ControllerAuthError, match="asks for a key"):
        say(connect(openai_api_key=None))


@pytest.mark.parametrize(
    ("understood", "asked"),
    [
        (("json_schema", "json_object"), ["json_schema"]),
        (("json_object",), ["json_schema", "json_object"]),
        ((), ["json_schema", "json_object", None]),
    ],
)
def test_structured_output_goes_down_as_far_as_needed_and_is_remembered(
    server: OpenAIServer, controller: Controller, understood: tuple[str, ...], asked: list[str | None]
) -> None:
    server.structures = understood
    server.script = {"*": '{"word": "yes"}', "word": '{"word": "yes"}', "conversational": '{"word": "yes"}'}

    assert controller.chat(hello(), stage="word", max_tokens=50, schema=SCHEMA) == '{"word": "yes"}'
    assert [call.structure for call in server.calls] == asked

    controller.chat(hello(), stage="word", max_tokens=50, schema=SCHEMA)
    assert [call.structure for call in server.calls] == [*asked, asked[-1]]


def test_a_schema_is_strict_only_where_every_property_is_required(server: OpenAIServer, controller: Controller) -> None:
    loose = SCHEMA | {"required": []}
    for schema in (SCHEMA, loose):
        controller.chat(hello(), stage="word", max_tokens=50, schema=schema)
    assert [c.request["response_format"]["json_schema"]["strict"] for c in server.calls] == [True, False]


@pytest.mark.parametrize("refused", ["max_tokens", "temperature", "seed"])
def test_models_that_refuse_a_parameter_are_asked_without_it(
    server: OpenAIServer, controller: Controller, refused: str
) -> None:
    server.refused_parameters = (refused,)
    assert say(controller, sampling=Sampling(seed=1)) == "OK."
    assert refused not in server.calls[-1].request
    if refused == "max_tokens":
        assert server.calls[-1].request["max_completion_tokens"] == 50


def test_a_structured_answer_cut_at_its_limit_gets_more_room(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"word": [at_limit('{"wo'), '{"word": "yes"}']}
    assert controller.chat(hello(), stage="word", max_tokens=50, schema=SCHEMA) == '{"word": "yes"}'
    assert [call.request["max_tokens"] for call in server.calls] == [50, 100]


def test_no_more_calls_at_once_than_the_setting_allows(server: OpenAIServer, connect: Connect) -> None:
    server.script = {"conversational": Reply("Yes.", delay=0.1)}
    controller = connect(controller_concurrency=2)
    threads = [threading.Thread(target=say, args=(controller,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.calls) == 6
    assert server.most_at_once == 2


def test_check(server: OpenAIServer, connect: Connect) -> None:
    connect().check()
    with pytest.raises(ControllerAuthError):
        connect(openai_api_key=SecretStr("sk-wrong-key-123456")).check()


@pytest.mark.parametrize("refusal", [Reply("", finish="content_filter"), Reply(None, beside={"refusal": "I cannot."})])
def test_a_refused_check_does_not_speak_of_a_request(
    server: OpenAIServer, controller: Controller, refusal: Reply
) -> None:
    server.script = {"check": refusal, "*": refusal}
    with pytest.raises(ControllerError, match=r"refuses to answer even with one word .*HUGGINGGPT_CONTROLLER_MODEL"):
        controller.check()


def test_closing_a_recording_controller_leaves_the_connection_open(controller: Controller) -> None:
    controller.recording(lambda call: None).close()
    assert say(controller) == "OK."


def test_a_closed_controller_connects_anew(controller: Controller) -> None:
    assert say(controller) == "OK."
    controller.close()
    assert say(controller) == "OK."


def test_closing_ends_calls_under_way_and_leaves_no_thread(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"conversational": hangs()}
    with ThreadPoolExecutor(max_workers=1) as others:
        answer = others.submit(say, controller)
        while not server.calls:
            time.sleep(0.01)
        controller.close()
        assert "controller" not in [thread.name for thread in threading.enumerate()]
        with pytest.raises(ControllerUnavailableError, match="connection was closed"):
            answer.result()
    server.abandoned.wait()
    assert "controller" not in [thread.name for thread in threading.enumerate()], "nor does the call connect anew"
