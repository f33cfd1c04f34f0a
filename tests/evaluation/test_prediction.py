"""One prediction: what a failure is, and whose."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.client import Controller
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerAuthError, ControllerUnavailableError
from hugginggpt.evaluation.datasets import read_dataset
from hugginggpt.evaluation.prediction import Prediction, predict
from hugginggpt.settings import get_settings
from tests.evaluation.conftest import OWN, READ, SPEAK, Write
from tests.stand_ins.openai_server import OpenAIServer, Reply, broken, hangs, wrong_key

Plan = Callable[[], Prediction]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("HUGGINGGPT_CONTROLLER_RETRIES", "0")
        get_settings.cache_clear()
        yield server


@pytest.fixture
def deadline() -> Deadline:
    return Deadline(30)


@pytest.fixture
def plan(server: OpenAIServer, write: Write, deadline: Deadline) -> Iterator[Plan]:
    controller = Controller.from_settings(get_settings())
    (sample,) = read_dataset(write(OWN)).samples
    yield lambda: predict(controller, sample, deadline=deadline)
    controller.close()


def test_a_plan_over_every_kind_with_what_it_took(server: OpenAIServer, plan: Plan) -> None:
    server.script = {"plan": {"tasks": [READ, SPEAK]}}
    made = plan()
    assert made.plan is not None and made.plan.to_list() == [READ, SPEAK]
    assert (made.position, made.sample_id, made.request) == (0, "a", "Read scan.png aloud")
    assert (made.error, made.error_type, made.calls) == (None, None, 1)
    assert made.seconds > 0 and made.prompt_tokens > 0 and made.completion_tokens > 0
    (call,) = server.calls
    schema = json.dumps(call.request["response_format"])
    assert all(f'["{kind}"]' in schema for kind in CAPABILITIES)
    assert "scan.png" in call.text


def test_no_file_has_to_be_there(server: OpenAIServer, plan: Plan) -> None:
    elsewhere: dict[str, Any] = {**READ, "args": {"image": "nowhere.png"}}
    server.script = {"plan": {"tasks": [elsewhere]}}
    made = plan()
    assert made.plan is not None and made.plan.to_list() == [elsewhere]


def test_what_is_no_plan_twice_is_no_plan(server: OpenAIServer, plan: Plan) -> None:
    server.script = {"plan": {"tasks": [{"task": "image-to-text", "id": 0, "args": {}}]}}
    made = plan()
    assert (made.plan, made.error_type, made.calls) == (None, "PlanError", 2)
    assert made.error is not None and "lacks its argument 'image'" in made.error


def test_what_the_model_declines_is_no_plan(server: OpenAIServer, plan: Plan) -> None:
    server.script = {"plan": Reply("", finish="content_filter")}
    made = plan()
    assert (made.plan, made.error_type) == (None, "ControllerError")
    assert server.stages() == ["plan", "check"]


def test_what_can_pass_is_tried_once_more(server: OpenAIServer, plan: Plan) -> None:
    server.script = {"plan": [broken(), {"tasks": [READ]}]}
    made = plan()
    assert made.plan is not None and made.plan.to_list() == [READ]
    assert (made.error, made.calls, server.stages()) == (None, 2, ["plan", "check", "plan"])


def test_what_does_not_pass_is_no_plan(server: OpenAIServer, plan: Plan) -> None:
    server.script = {"plan": broken()}
    made = plan()
    assert (made.plan, made.error_type, made.calls) == (None, "ControllerUnavailableError", 2)
    assert server.stages() == ["plan", "check", "plan", "check"]


def test_planning_that_takes_all_of_its_time_is_no_plan(server: OpenAIServer, write: Write) -> None:
    server.script = {"plan": hangs()}
    controller = Controller.from_settings(get_settings())
    (sample,) = read_dataset(write(OWN)).samples
    made = predict(controller, sample, deadline=Deadline(3))
    controller.close()
    assert (made.plan, made.error_type) == (None, "ControllerUnavailableError")
    assert server.stages() == ["plan", "check"]


def test_a_check_ends_with_its_sample(server: OpenAIServer, plan: Plan, deadline: Deadline) -> None:
    def cancel(call: object) -> Reply:
        deadline.cancel()
        return hangs()

    server.script = {"plan": broken(), "check": cancel}
    with pytest.raises(ControllerUnavailableError):
        plan()
    assert server.stages() == ["plan", "check"]


def test_a_controller_that_answers_nothing_else_either_is_out_of_order(server: OpenAIServer, plan: Plan) -> None:
    server.script = {"*": wrong_key(), "plan": wrong_key()}
    with pytest.raises(ControllerAuthError):
        plan()


def test_what_is_cancelled_is_no_prediction(server: OpenAIServer, plan: Plan, deadline: Deadline) -> None:
    def cancel(call: object) -> Reply:
        deadline.cancel()
        return hangs()

    server.script = {"plan": cancel}
    with pytest.raises(ControllerUnavailableError):
        plan()
    assert server.stages() == ["plan"]
