"""Which of several plans in a text counts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.plan import PlanError, parse_plan
from tests.plan.test_as_written import CHAIN, SAY

TALK = [{"task": "text-to-speech", "id": 0, "dep": [-1], "args": {"text": "hello"}}]
NOTHING: list[dict[str, Any]] = []


def strict(plan: list[dict[str, Any]]) -> str:
    return json.dumps(plan)


def wrapped(plan: list[dict[str, Any]]) -> str:
    return json.dumps({"tasks": plan})


def in_python(plan: list[dict[str, Any]]) -> str:
    return str({"tasks": plan})


def with_comma(plan: list[dict[str, Any]]) -> str:
    return json.dumps({"tasks": plan})[:-1] + ",}"


def fenced(plan: list[dict[str, Any]]) -> str:
    return f"```json\n{json.dumps({'tasks': plan}, indent=1)}\n```"


WAYS = (strict, wrapped, in_python, with_comma, fenced)
ways = st.sampled_from(WAYS)


@pytest.mark.parametrize(
    "text",
    [
        f"First I thought of {json.dumps([*CHAIN, SAY | {'id': 2}])} but this is enough: {json.dumps(TALK)}",
        f"{json.dumps(TALK)}\nFor example, {json.dumps(CHAIN)} would be another request.",
        f"Example:\n```json\n{json.dumps(CHAIN)}\n```\nPlan:\n```json\n{json.dumps(TALK)}\n```",
        f"```json\n{json.dumps(CHAIN)}\n```\nThat reads the wrong file. Corrected:\n```json\n{json.dumps(TALK)}\n```",
        f"```json\n{json.dumps(TALK)}\n```\nAn example of a longer one:\n```json\n{json.dumps(CHAIN)}\n```",
        f"{json.dumps(CHAIN)} No: {json.dumps(TALK)[:-1]},]",
        f"{json.dumps(TALK)}\nOn second thought:\n{json.dumps(CHAIN)[:-30]}",
        f"As in the example, the plan is: {json.dumps(TALK)}",
        f"Plan for sample.wav: {json.dumps(TALK)}",
        f"{json.dumps(TALK)[:-1]},]\nFor example: {json.dumps(CHAIN)}",
    ],
)
def test_the_last_complete_one_that_is_meant_counts(text: str) -> None:
    assert parse_plan(text).to_list() == TALK


EXAMPLES = (
    "For example, with a file:", "For example, ", "e.g. ", "Example:\n", "EXAMPLE OUTPUT:\n", "**Example:**\n\n",
    "### Example\n\n", "Example from the instructions:\n", "Sample plan for images:\n", "Another example:",
    "An example of a longer one:\n", "To illustrate, another request would give:\n", "Here is an example:\n",
    "If there were a file, the plan would be:\n", "(For comparison, with an image: ", "Zum Beispiel: ",
    "Par exemple : ",
)  # fmt: skip


@given(st.sampled_from(EXAMPLES), ways, ways, st.sampled_from([TALK, NOTHING]), st.booleans())
def test_an_example_never_counts(said: str, one: Any, other: Any, plan: list[dict[str, Any]], first: bool) -> None:
    example, meant = said + other(CHAIN), f"Plan: {one(plan)}"
    text = f"{example}\n\n{meant}" if first else f"{meant}\n\n{example}"
    assert [task | {"dep": [-1]} for task in parse_plan(text).to_list()] == plan


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("said", EXAMPLES)
def test_an_example_alone_is_no_plan(said: str, way: Any) -> None:
    with pytest.raises(PlanError, match="no plan"):
        parse_plan(said + way(CHAIN))


@given(ways, ways)
def test_what_is_given_up_does_not_count(one: Any, other: Any) -> None:
    assert parse_plan(f"At first: {one(CHAIN)}. But no task is needed: {wrapped(NOTHING)}").tasks == ()
    assert parse_plan(f"At first: {one(CHAIN)}\nBetter:\n{other(TALK)}").to_list() == TALK


@pytest.mark.parametrize(
    "request_", ["Request", "User", "Human", "Next request", "Task", "Input", "**Request**", "### Request", "Question"]
)
@given(ways, ways)
def test_what_answers_another_request_does_not_count(request_: str, one: Any, other: Any) -> None:
    text = f"{one(TALK)}\n\n{request_}: Read a.jpg aloud\nResources: a.jpg (image)\nAnswer: {other(CHAIN)}"
    assert parse_plan(text).to_list() == TALK


def test_the_request_may_be_said_again_before_the_plan() -> None:
    text = f"Request: Read a.jpg\nAnswer: {json.dumps(CHAIN)}\n\nRequest: say hello\nAnswer: {json.dumps(TALK)}"
    assert parse_plan(text).to_list() == TALK
