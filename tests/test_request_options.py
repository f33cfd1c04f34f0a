"""The options of a request."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from hugginggpt.plan import PlannedTask
from hugginggpt.request import MOST_QUOTED, MOST_QUOTED_CHARS, Exchange, RequestOptions

READ = PlannedTask(task="image-to-text", id=0, args={"image": "a.png"})


def test_the_most_exact_name_of_a_model_counts() -> None:
    plan = [{"task": "image-to-text", "id": 0, "args": {"image": "a.png"}, "model": "org/in-plan"}]
    kinds = {"OCR": "org/of-kind"}
    assert RequestOptions().model_for(READ) is None
    assert RequestOptions(models=kinds).model_for(READ) == "org/of-kind"
    assert RequestOptions(models=kinds, plan=plan).model_for(READ) == "org/in-plan"
    assert RequestOptions(models=kinds | {"00": "org/of-task"}, plan=plan).model_for(READ) == "org/of-task"
    assert RequestOptions(models={"1": "org/other"}).model_for(READ) is None


@pytest.mark.parametrize("id", [{}, {"id": "task 0"}, {"task_id": 0}, {"id": 0.0}])
def test_a_model_in_a_plan_counts_however_its_id_is_written(id: dict[str, object]) -> None:
    plan = [{"task": "image-to-text", "args": {"image": "a.png"}, "model": "org/in-plan", **id}]
    assert RequestOptions(plan=plan).model_for(READ) == "org/in-plan"


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"mind-reading": "org/a"}, "'mind-reading' is neither a kind of task "),
        ({"image-to-txt": "org/a"}, "did you mean image-to-text"),
        ({"ocr": "org/a", "image-to-text": "org/b"}, "two models are given for image-to-text"),
        ({"image-to-text": " "}, "is not the name of a model"),
        ({"12345": "org/a"}, "neither a kind"),
    ],
)
def test_a_model_for_nothing_is_refused(models: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RequestOptions(models=models)


@pytest.mark.parametrize(
    "named", [{"model": 5}, {"model": ["a"]}, {"model": {"id": "org/a"}}, {"model": " "}, {"models": "org/a"}]
)
def test_a_model_in_a_plan_that_would_have_no_effect_is_refused(named: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="'model"):
        RequestOptions(plan=[{"task": "image-to-text", "args": {"image": "a.png"}, **named}])


@pytest.mark.parametrize(
    ("schema", "said"),
    [({"type": "string"}, "its type has to be"), ({"type": "object", "minimum": float("nan")}, "NaN")],
)
def test_a_schema_that_cannot_be_kept_to_is_refused(schema: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RequestOptions(answer_schema=schema)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"answer_schema": "{"}, "the schema is not JSON"),
        ({"answer_schema": "[1]"}, "valid dictionary"),
        ({"answer_schema": '{"a":' * 5000}, "the schema is nested deeper than 20 times"),
        ({"answer_schema": {"type": "object", "properties": {"a": {"$ref": "#/b"}}}}, "leads nowhere"),
        ({"plan": "no plan"}, r"the plan is not JSON \(line 1, column 1: expecting value\)"),
        ({"plan": '[{"task": "text-to-speech",\n "id" 0}]'}, r"\(line 2, column 7: expecting ':' delimiter\)"),
        ({"history": "["}, "the history is not JSON"),
        ({"history": [{"request": "Hi", "answer": "Hello", "by": "me"}]}, "not permitted"),
        ({"history": [{"request": "Hi"}]}, "required"),
        ({"history": [{"request": "Hi", "answer": "Hello"}] * (MOST_QUOTED + 1)}, "more than 50 exchanges"),
        ({"history": [{"request": "Hi", "answer": "o" * MOST_QUOTED_CHARS}]}, "more than 100000 characters"),
    ],
)
def test_text_that_is_no_plan_and_no_schema_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RequestOptions(**given)


def test_a_plan_and_a_schema_are_text_where_prefect_would_look_into_them() -> None:
    reference = {"$ref": {"block_document_id": "6a9c8315-720f-4563-820e-7a0f8bc86f5f"}}
    schema = {"type": "object", "properties": {"total": {"type": "string", "default": reference}}}
    plan = [{"task": "image-to-text", "id": 0, "args": {"image": {"__prefect_kind": "jinja", "template": "{{ 1 }}"}}}]
    options = RequestOptions(plan=plan, answer_schema=schema)
    sent = options.model_dump(mode="json")
    assert (json.loads(sent["plan"]), json.loads(sent["answer_schema"])) == (plan, schema)
    assert all(isinstance(sent[name], str) for name in ("plan", "answer_schema"))
    assert RequestOptions(**sent) == RequestOptions.model_validate_json(options.model_dump_json()) == options
    kept = options.model_dump()
    assert (kept["plan"], kept["answer_schema"]) == (plan, schema)
    assert RequestOptions().model_dump(mode="json")["plan"] is None


def test_a_history_is_kept_as_text_and_read_back() -> None:
    options = RequestOptions(history=[{"request": "Who is Ann?", "answer": "A\ud800\x00 baker."}])  # type: ignore[arg-type]
    assert options.quoted == (Exchange(text="Who is Ann?", response="A\ufffd\ufffd baker."),)
    sent = options.model_dump(mode="json")
    assert isinstance(sent["history"], str)
    assert RequestOptions.kept(sent) == RequestOptions.kept(json.loads(json.dumps(options.model_dump()))) == options
