import json
from collections.abc import Callable
from typing import Any

import pytest

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.client import Controller
from hugginggpt.controller.planning import Checks, plan_request
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerUnavailableError, PlanError
from hugginggpt.plan import Plan
from hugginggpt.plan.notation import read_notation
from hugginggpt.request import Exchange
from tests.controller.samples import picture, resource, text_artifact, turn
from tests.stand_ins.openai_server import OpenAIServer, hangs, in_prose, invalid_json

KINDS = ("image-to-text", "text-to-speech", "summarization")
READ = {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "invoice.png"}}
SAY = {"task": "text-to-speech", "id": 1, "dep": [0], "args": {"text": "<GENERATED>-0"}}
SEE = {"task": "object-detection", "id": 0, "dep": [-1], "args": {"image": "invoice.png"}}


def plan(controller: Controller, **changes: Any) -> Plan:
    given: dict[str, Any] = {
        "text": "Read the invoice to me.",
        "resources": [picture("invoice.png")],
        "history": [],
        "kinds": KINDS,
        "deadline": Deadline(60),
        "checks": Checks(),
    }
    return plan_request(controller, **given | changes)


def test_a_plan_comes_out(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"plan": {"tasks": [READ, SAY]}}
    assert plan(controller).to_list() == [READ, SAY]
    assert server.stages() == ["plan"]


def test_the_controller_sees_what_it_can_use_and_what_is_missing(server: OpenAIServer, controller: Controller) -> None:
    notes = resource("notes.txt", text_artifact("Remember the milk." + " And more." * 200))
    past = [Exchange(text="Hello", response="Good day"), Exchange(text="Hm", response="")]
    plan(controller, resources=[picture("invoice.png"), notes], history=past)

    said = server.calls[0].text
    assert "image-to-text(image: image) -> text: Read the text in an image" in said
    assert "- object-detection" not in said and "cannot run here now: " in said
    assert "- invoice.png (image)" in said
    assert "- notes.txt (text)" in said and "Remember the milk." in said and len(said) < 8000
    assert "Good day" in said
    schema = server.calls[0].request["response_format"]["json_schema"]["schema"]
    # A step that cannot run here is planned all the same, so that the user is told.
    kinds = {branch["properties"]["task"]["enum"][0] for branch in schema["properties"]["tasks"]["items"]["anyOf"]}
    assert kinds == {*CAPABILITIES}


@pytest.mark.parametrize(
    ("text", "name", "nearest"),
    [
        ("How much does the plumber want, according to this invoice?", "plumber.png", "How much do we owe the electr"),
        ("What colour is the bird in this photo?", "bird.jpg", "I took this at the harbour. What colour is"),
        ("Keep the outlines of the car and paint it as a spaceship.", "car.jpg", "Keep the outlines of the house"),
    ],
)
def test_the_nearest_demonstration_is_last_and_the_beginning_never_changes(
    server: OpenAIServer, controller: Controller, text: str, name: str, nearest: str
) -> None:
    for asked in (text, "Hello there."):
        plan(controller, text=asked, resources=[picture(name)], kinds=tuple(CAPABILITIES))
    first, second = (call.request["messages"][0]["content"] for call in server.calls if not call.correction)
    assert first.rpartition("Request: ")[2].startswith(nearest)
    assert first.partition("Examples:")[0] == second.partition("Examples:")[0]


def test_the_controller_sees_what_earlier_turns_did_and_may_set_how_speech_sounds(
    server: OpenAIServer, controller: Controller
) -> None:
    done = turn(1, "Read it to me.", read_notation("invoice.png > read > speak"))
    louder = {"task": "text-to-speech", "id": 0, "dep": [-1], "args": {"text": "turn1-0.txt", "volume": 1.6}}
    server.script = {"plan": {"tasks": [louder]}}
    assert plan(controller, text="Louder.", history=[done]).to_list() == [louder]
    said = server.calls[0].text
    assert '{"task": "text-to-speech", "args": {"text": "turn1-0.txt"}, "results": ["turn1-1.wav"]}' in said
    assert "volume?: number from 0.1 to 4, 1 is usual" in said
    schema = server.calls[0].request["response_format"]["json_schema"]["schema"]
    speech = next(b for b in schema["properties"]["tasks"]["items"]["anyOf"] if "volume" in json.dumps(b))
    assert speech["properties"]["args"]["properties"]["volume"] == {"type": "number"}


def test_no_controller_transcribes_what_an_earlier_turn_said(server: OpenAIServer, controller: Controller) -> None:
    """Not even where speech cannot be recognised."""
    done = turn(1, "Read it to me.", read_notation("invoice.png > read > speak"))
    hear = {"task": "automatic-speech-recognition", "id": 0, "dep": [-1], "args": {"audio": "turn1-1.wav"}}
    brief = {"task": "summarization", "id": 1, "dep": [0], "args": {"text": "<GENERATED>-0"}}
    server.script = {"plan": {"tasks": [hear, brief]}}
    made = plan(controller, text="Now in one sentence.", history=[done])
    assert [(t.task, t.dep, t.args) for t in made.tasks] == [("summarization", (), {"text": "turn1-0.txt"})]
    assert "turn1-0.txt" in made.repairs[0]


@pytest.mark.parametrize("structures", [("json_schema",), ("json_object",), ()])
def test_prose_around_a_plan_is_read_whatever_the_server_can(
    server: OpenAIServer, controller: Controller, structures: tuple[str, ...]
) -> None:
    server.structures = structures
    server.script = {"plan": in_prose([READ])}
    assert plan(controller).to_list() == [READ]


@pytest.mark.parametrize("first", [invalid_json(), "I would rather not.", {"tasks": [SEE]}])
def test_a_plan_that_cannot_run_is_sent_back_once_with_its_errors(
    server: OpenAIServer, controller: Controller, first: Any
) -> None:
    server.script = {"plan": [first, {"tasks": [READ]}]}
    assert plan(controller).to_list() == [READ]
    assert [call.correction for call in server.calls] == [False, True]
    assert "This plan cannot run" in server.calls[1].text


def test_the_callers_objections_are_sent_back_too(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"plan": [{"tasks": [READ | {"args": {"image": "other.png"}}]}, {"tasks": [READ]}]}

    def check(found: Plan) -> list[str]:
        return [] if found.tasks[0].args["image"] == "invoice.png" else ["There is no file other.png."]

    assert plan(controller, checks=Checks(check)).to_list() == [READ]
    assert "- There is no file other.png." in server.calls[1].text


def test_two_bad_plans_are_an_error_with_every_problem(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"plan": {"tasks": [SEE, {"task": "mind-reading", "id": 1, "dep": [-1], "args": {}}]}}
    with pytest.raises(PlanError, match="mind-reading"):
        plan(controller)
    assert len(server.calls) == 2


def cannot_see(found: Plan, half: bool) -> list[str]:
    """As the catalog objects where objects cannot be detected."""
    seeing = [task for task in found.tasks if task.task == "object-detection"]
    if half and any(not task.needs for task in found.tasks if task not in seeing):
        return []
    return [f"Task {task.id}: object-detection cannot run here. Set HF_TOKEN." for task in seeing]


def test_half_a_plan_is_better_than_none(server: OpenAIServer, controller: Controller) -> None:
    half = [READ, SEE | {"id": 1}]
    server.script = {"plan": {"tasks": half}}
    kinds = (*KINDS, "zero-shot-object-detection", "image-classification")
    assert plan(controller, kinds=kinds, checks=Checks(obstacles=cannot_see)).to_list() == half
    assert [call.correction for call in server.calls] == [False, True]
    assert "- Task 1: object-detection cannot run here. Set HF_TOKEN." in server.calls[1].text
    assert "- In place of object-detection, image-classification may do nearly the same." in server.calls[1].text


@pytest.mark.parametrize("second", [invalid_json(), {"tasks": [SEE]}])
def test_half_of_the_first_plan_is_better_than_a_second_that_is_none(
    server: OpenAIServer, controller: Controller, second: Any
) -> None:
    server.script = {"plan": [{"tasks": [READ, SEE | {"id": 1}]}, second]}
    assert [task.id for task in plan(controller, checks=Checks(obstacles=cannot_see)).tasks] == [0, 1]


def test_a_second_plan_that_only_leaves_out_what_cannot_run_does_not_count(
    server: OpenAIServer, controller: Controller
) -> None:
    half = [READ, SEE | {"id": 1}]
    kinds = ("image-to-text", "summarization", "translation")
    server.script = {"plan": [{"tasks": half}, {"tasks": [READ]}]}
    assert plan(controller, kinds=kinds, checks=Checks(obstacles=cannot_see)).to_list() == half
    instead = [READ, {"task": "summarization", "id": 1, "dep": [0], "args": {"text": "<GENERATED>-0"}}]
    server.script = {"plan": [{"tasks": half}, {"tasks": instead}]}
    server._given.clear()
    assert plan(controller, kinds=kinds, checks=Checks(obstacles=cannot_see)).to_list() == instead
    server.script = {"plan": [{"tasks": [SEE]}, {"tasks": []}]}
    server._given.clear()
    with pytest.raises(PlanError):
        plan(controller, kinds=kinds, checks=Checks(obstacles=cannot_see))


def test_a_plan_of_which_nothing_can_run_is_none(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"plan": {"tasks": [SEE]}}
    with pytest.raises(PlanError, match="HF_TOKEN"):
        plan(controller, checks=Checks(obstacles=cannot_see))


def test_a_file_that_no_task_uses_is_asked_about_once(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"plan": [{"tasks": []}, {"tasks": [READ]}]}
    assert plan(controller).to_list() == [READ]
    assert "- No task uses invoice.png." in server.calls[1].text
    server.script = {"plan": {"tasks": []}}
    assert plan(controller, text="Hello").to_list() == []
    assert len(server.calls) == 4
    before = picture("invoice.png").model_copy(update={"earlier": True})
    plan(controller, text="Thanks", resources=[before], history=[Exchange(text="Hello", response="Good day")])
    assert len(server.calls) == 5


def test_an_empty_plan_is_one(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"plan": {"tasks": []}}
    assert plan(controller) == Plan()


def test_where_nothing_can_run_nobody_is_asked(server: OpenAIServer, controller: Controller) -> None:
    assert plan(controller, kinds=()) == Plan()
    assert server.calls == []


def test_the_deadline_holds(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"plan": hangs()}
    with pytest.raises(ControllerUnavailableError):
        plan(controller, deadline=Deadline(0.3))


def test_a_long_conversation_fits_the_budget(server: OpenAIServer, connect: Callable[..., Controller]) -> None:
    history = [Exchange(text="x" * 2000, response=f"Turn {n}.") for n in range(50)]
    plan(connect(controller_context_tokens=4096), history=history)
    said = server.calls[0].text
    assert "Turn 49." in said and "Turn 0." not in said
    assert len(said) / 3.5 < 4096


def test_the_answer_may_be_the_bare_list(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"plan": json.dumps([READ, SAY])}
    assert len(plan(controller).tasks) == 2
