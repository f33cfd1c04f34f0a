"""Answers in a form of the user's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.answer_schema import schema_problem
from hugginggpt.controller.answer_form import form_problems, read_form
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.form_reading import filled_from, question_for
from hugginggpt.controller.embedded.reader import Reader, Reading
from hugginggpt.controller.response import Response, respond_in_form
from hugginggpt.deadline import Deadline
from hugginggpt.settings import Settings
from tests.controller.samples import INVOICE, done, text_artifact
from tests.stand_ins.openai_server import OpenAIServer, Reply, declined, in_prose, only_thinking, thinking

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "payer": {"type": "string", "description": "Who has to pay?"},
        "total": {"type": "number"},
        "due": {"type": ["string", "null"], "format": "date"},
        "kind": {"enum": ["invoice", "letter"]},
    },
    "required": ["payer", "total"],
    "additionalProperties": False,
}
TEXT = "INVOICE\nBill to: Lindgren Architects\nTotal due: 1,593.96 EUR\nPayment by 2 November 2026"
FORM = {"payer": "Lindgren Architects", "total": 1593.96, "due": "2026-11-02", "kind": "invoice"}


def answer(controller: Controller, schema: dict[str, Any] = SCHEMA, text: str = TEXT) -> Response:
    outcomes = [done(0, "image-to-text", text_artifact(text))]
    return respond_in_form(controller, text="Fill this in.", outcomes=outcomes, schema=schema, deadline=Deadline(60))


@pytest.mark.parametrize("reply", [FORM, in_prose(FORM), thinking(FORM, "channels")])
def test_the_form_is_the_answer(server: OpenAIServer, controller: Controller, reply: Any) -> None:
    server.script = {"respond": reply, "*": reply}
    made = answer(controller)
    assert (json.loads(made.text), made.source) == (FORM, "form")
    assert server.calls[0].structure == "json_schema"
    assert "Total due: 1,593.96 EUR" in server.calls[0].text and '"payer"' in server.calls[0].text


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (FORM | {"total": "much"}, "total: 'much' is not of type 'number'."),
        ({"payer": "Lindgren Architects"}, "'total' is a required property"),
        (FORM | {"total": 1593.97}, "total: '1593.97' is not in the results."),
        (FORM | {"payer": "Nobody Inc."}, "payer: 'Nobody Inc.' is not in the results."),
        (FORM | {"due": "2026-12-02"}, "due: '2026-12-02' is not in the results."),
        (FORM | {"more": 1}, "Additional properties are not allowed"),
        ([1, 2], "The answer is not a JSON object."),
    ],
)
def test_a_wrong_form_is_sent_back_once(server: OpenAIServer, controller: Controller, wrong: Any, told: str) -> None:
    server.script = {"respond": [wrong, FORM]}
    assert json.loads(answer(controller).text) == FORM
    assert told in server.calls[1].text
    server.script = {"respond": wrong}
    made = answer(controller)
    assert made.source == "plain" and any(told in problem for problem in made.problems)


@pytest.mark.parametrize("trouble", [declined(), Reply(status=401), only_thinking()])
def test_without_a_form_the_results_are_listed(server: OpenAIServer, controller: Controller, trouble: Reply) -> None:
    server.script = {"respond": trouble}
    made = answer(controller)
    assert made.source == "plain" and "Lindgren Architects" in made.text


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array"}, "its type has to be"),
        ({"type": "object", "properties": 3}, "3 is not of type"),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.com/x.json"}}}, "another document"),
        ({"type": "object", "description": "a" * 30_000}, "longer than"),
    ],
)
def test_a_schema_that_cannot_be_used(schema: dict[str, Any], problem: str) -> None:
    assert problem in str(schema_problem(schema))


def test_references_inside_a_schema_are_followed() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/name"}, "b": {"$ref": "#/$defs/missing"}},
        "$defs": {"name": {"type": "string"}},
    }
    assert schema_problem(schema) is None
    assert form_problems({"a": "x"}, schema, ["x"]) == []
    assert "is not of type 'string'" in form_problems({"a": 1}, schema, ["1"])[0]
    assert "cannot be applied" in form_problems({"b": 1}, schema, ["1"])[0]


@pytest.mark.parametrize(
    ("value", "source"),
    [(9, "1995"), (5, "15 pages"), (59, "1,593.96"), (-5, "5 pages"), ("2024-12-31", "due 2024. 12 items. 31 pieces")],
)
def test_a_part_of_a_number_is_no_value(value: Any, source: str) -> None:
    assert form_problems({"a": value}, {"type": "object"}, [source])


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (1593.96, "1.593,96 €"),
        (1234, "1,234 items"),
        (-5, "it was −5 °C"),
        (0.5, "0.50"),
        ("lindgren architects", "LINDGREN\nARCHITECTS AB"),
        ("2026-11-02", "2 Nov. 2026"),
        ("2026-11-02", "02.11.2026"),
        ("2026-02-02", "02/02/26"),
        ("Two words", "words, two"),
        (True, ""),
        (None, ""),
    ],
)
def test_what_is_in_the_results_is_a_value(value: Any, source: str) -> None:
    assert form_problems({"a": value}, {"type": "object"}, [source]) == []


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 10**400])
def test_numbers_that_nobody_can_use(odd: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "number", "multipleOf": 0.01}}}
    assert form_problems({"a": odd}, schema, ["1"])


def test_a_long_form_on_a_long_text_is_checked_at_once() -> None:
    form = {f"v{n}": f"word{n} other" for n in range(1500)}
    assert form_problems(form, {"type": "object"}, ["word other " * 30_000])


class Sure(Reader):
    """A reader that finds what a test says."""

    def __init__(self, answers: dict[str, Reading]) -> None:
        self.answers = answers

    def read(self, question: str, text: str, deadline: Deadline | None = None) -> Reading:
        """The test's answer; otherwise that the text does not say."""
        return self.answers.get(question, Reading(None))


def test_the_reader_is_asked_for_each_value() -> None:
    sure = {"confidence": 0.9, "said": 1.0}
    reader = Sure(
        {
            "Who has to pay?": Reading("Lindgren Architects", **sure),
            "What is the total?": Reading("1.593,96 EUR", **sure),
            "What is the due?": Reading("2 November 2026", confidence=0.2, said=0.9),
            "What is the kind?": Reading("INVOICE", **sure),
        }
    )
    form = filled_from(TEXT, SCHEMA, reader, None)
    assert form == {"payer": "Lindgren Architects", "total": 1593.96, "due": None, "kind": "invoice"}


@pytest.mark.parametrize(
    ("name", "wanted", "question"),
    [
        ("invoiceNumber", {}, "What is the invoice number?"),
        ("due_date", {"title": "The day by which to pay."}, "What is the day by which to pay?"),
        ("IBAN", {}, "What is the iban?"),
        ("paid", {"type": "boolean"}, "Is it paid?"),
        ("x", {"description": "How many are there?"}, "How many are there?"),
        ("x", {"description": "Who signed it"}, "Who signed it?"),
        ("x", {"description": "whether the invoice is paid", "type": "boolean"}, "The invoice is paid?"),
        ("hasDiscount", {"type": "boolean"}, "Does it have discount?"),
        ("größe", {}, "What is the größe?"),
    ],
)
def test_the_question_for_a_value(name: str, wanted: dict[str, Any], question: str) -> None:
    types = frozenset([wanted.get("type", "string")])
    assert question_for(name, wanted, types) == question


@pytest.mark.parametrize(
    ("span", "number"),
    [
        ("1,593.96 EUR", 1593.96), ("1.593,96 €", 1593.96), ("1 593,96", 1593.96), ("1\u00a0593.96", 1593.96),
        ("1’593.96", 1593.96), ("0.125", 0.125), ("0,500", 0.5), ("−5", -5), ("(1,234.50)", -1234.5), ("1,234", 1234),
        ("12", 12), ("12 34 56", None), ("room 5 12 guests", None), ("1.5 million", None), ("none", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_are_meant(span: str, number: float | None) -> None:
    reader = Sure({"What is the n?": Reading(span, confidence=0.9, said=1.0)})
    form = filled_from("", {"type": "object", "properties": {"n": {"type": ["number", "null"]}}}, reader, None)
    assert form == {"n": number}


@pytest.mark.parametrize(
    ("span", "choice"), [("unpaid", "unpaid"), ("Paid.", "paid"), ("it was paid", "paid"), ("repaid", None)]
)
def test_the_choice_that_is_named_whole(span: str, choice: str | None) -> None:
    wanted = {"anyOf": [{"enum": ["paid", "unpaid"]}, {"type": "null"}]}
    reader = Sure({"What is the state?": Reading(span, confidence=0.9, said=1.0)})
    assert filled_from("", {"type": "object", "properties": {"state": wanted}}, reader, None) == {"state": choice}


def test_objects_inside_are_filled_through_references() -> None:
    schema = {
        "type": "object",
        "properties": {"payer": {"$ref": "#/$defs/Party"}},
        "$defs": {"Party": {"type": "object", "properties": {"name": {"type": "string"}}}},
    }
    reader = Sure({"What is the name?": Reading("Lindgren", confidence=0.9, said=1.0)})
    assert filled_from("", schema, reader, None) == {"payer": {"name": "Lindgren"}}


def test_without_a_key_the_form_holds_what_the_reader_is_sure_of() -> None:
    controller = Controller.from_settings(Settings())
    schema = {
        "type": "object",
        "properties": {"total": {"type": ["number", "null"], "description": "What is the total due?"}},
    }
    made = answer(controller, schema, INVOICE)
    assert made.source == "form"
    assert json.loads(made.text) in ({"total": 81.99}, {"total": None})
    needed = schema | {"properties": {"colour": {"type": "string"}}, "required": ["colour"]}
    made = answer(controller, needed, INVOICE)
    assert made.source == "plain" and "'colour' is a required property" in made.problems[0]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["payer", "total", "x"]), inner),
    max_leaves=8,
)


@given(_JSON)
def test_any_form_is_accepted_or_objected_to(form: Any) -> None:
    assert all(problem.endswith(".") for problem in form_problems(form, SCHEMA, [TEXT]))


@pytest.mark.parametrize(
    "answer",
    [
        '{"total": 42}',
        'Draft: {"total": 1} … Final: {"total": 42}',
        "Draft: {'total': 1}\nFinal:\n```json\n{\"total\": 42,}\n```",
        'Form: {"total": 42}\nFor example, {"total": 7} would be another one.',
        'Example:\n{"total": 7}\n\nAnswer:\n{"total": 42}',
        '{"total": 42}\n\nCorrected: {"total": ',
        '{"total": 42}\n\nRequest: fill in the next one\nAnswer: {"total": 7}',
    ],
)
def test_of_several_objects_the_last_that_is_meant_is_the_form(answer: str) -> None:
    assert read_form(answer) == {"total": 42}


def test_an_example_is_no_form() -> None:
    assert read_form('For example: {"total": 7}') is None
