"""Answers in a form of the user's."""

import json
import threading
import time
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.answer_schema import schema_problem
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.answer_form import Given, read_form
from hugginggpt.controller.answer_form import form_problems as problems_among
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.form_reading import filled_from, question_for
from hugginggpt.controller.embedded.reader import Reader, Reading
from hugginggpt.controller.form_check import objections as schema_objections
from hugginggpt.controller.form_plan import plan_for_form
from hugginggpt.controller.planning import Checks
from hugginggpt.controller.response import Response, respond_in_form
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, PlanError, TaskCancelledError
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.resource import Parts, Resource
from hugginggpt.settings import Settings
from tests.controller.samples import INVOICE, done, picture, resource, sound_artifact, text_artifact
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


def form_problems(form: Any, schema: dict[str, Any], texts: list[str]) -> list[str]:
    return problems_among(form, schema, Given(texts, texts))


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
    clause = told.rstrip(".").replace("The answer", "the answer")
    assert made.source == "plain"
    assert made.problems[0].startswith("The controller's answer was not used: ") and clause in made.problems[0]


@pytest.mark.parametrize("trouble", [declined(), Reply(status=401), only_thinking()])
def test_without_a_form_the_results_are_listed(server: OpenAIServer, controller: Controller, trouble: Reply) -> None:
    server.script = {"respond": trouble}
    made = answer(controller)
    assert made.source == "plain" and "Lindgren Architects" in made.text


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def doubling(times: int) -> dict[str, Any]:
    """Schemas of which each applies the next one twice."""
    return {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(times)} | {str(times): {}}


def chain(links: int) -> dict[str, Any]:
    return {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(links)} | {str(links): {}}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = of(a=schema)
    return schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array"}, "its type has to be"),
        ({"type": "object", "properties": 3}, "3 is not of type"),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.com/x.json"}}}, "another document"),
        ({"type": "object", "description": "a" * 30_000}, "longer than"),
        (of(a={"$ref": "#/$defs/none"}), "its reference #/$defs/none leads nowhere"),
        (of(a={"$ref": "#anchor"}), "its reference #anchor leads nowhere"),
        (of(a={"$ref": "#/type"}), "does not lead to a schema"),
        (of(a={"$ref": "#/properties/a"}), "leads back to itself"),
        ({"type": "object", "allOf": [{"$ref": "#"}]}, "leads back to itself"),
        (of(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": {"not": {"$ref": "#/$defs/x"}}}}, "leads back to itself"),
        ({"type": "object", "$defs": doubling(30), "$ref": "#/$defs/0"}, "apply to the same value"),
        (
            {"type": "object", "$defs": {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(99)} | {"99": {}}},
            "lead on more than",
        ),
        ({"type": "object", "enum": [0] * 3000}, "more than 2,000 values"),
        ({"type": "object", "$id": "http://["}, "Invalid IPv6 URL"),
        (of(a={"pattern": "([a"}), "is not a 'regex'"),
        (of(a={"pattern": "a{99999999999999}"}), "the repetition number is too large"),
        (deep(400), "nested too deeply"),
    ],
)
def test_a_schema_that_cannot_be_used(schema: dict[str, Any], problem: str) -> None:
    assert problem in str(schema_problem(schema))


def test_references_inside_a_schema_are_followed() -> None:
    schema = of(a={"$ref": "#/$defs/name"}, b={"$ref": "#tree"}) | {
        "$defs": {
            "name": {"type": "string"},
            "tree": {"$anchor": "tree", "type": "array", "items": {"$ref": "#tree"}},
        },
    }
    assert schema_problem(schema) is None
    assert form_problems({"a": "x", "b": [[], [[]]]}, schema, ["x"]) == []
    assert "is not of type 'string'" in form_problems({"a": 1}, schema, ["1"])[0]
    assert "is not of type 'array'" in form_problems({"b": [[1]]}, schema, ["1"])[0]


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        (of(a={"pattern": "^(a+)+$"}), {"a": "a" * 40 + "!"}),
        ({"type": "object", "patternProperties": {"^(a|a)*$": {}}}, {"a" * 40 + "!": 1}),
        # Each level of the form doubles the work.
        (of(a={"allOf": [{"$ref": "#"}, {"$ref": "#"}]}), json.loads('{"a":' * 40 + "{}" + "}" * 40)),
    ],
)
def test_a_check_without_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, schema: dict[str, Any], form: dict[str, Any]
) -> None:
    assert schema_problem(schema) is None
    monkeypatch.setattr("hugginggpt.controller.form_check.SECONDS", 0.3)
    (problem,) = form_problems(form, schema, [json.dumps(form)])
    assert problem == "The form could not be checked against its schema within 0.3 seconds."


def test_a_check_ends_when_it_is_cancelled() -> None:
    deadline, form = Deadline(60), {"a": "a" * 40 + "!"}
    threading.Timer(0.5, deadline.cancel).start()
    began = time.monotonic()
    with pytest.raises(TaskCancelledError):
        problems_among(form, of(a={"pattern": "^(a+)+$"}), Given(["a"]), deadline)
    assert time.monotonic() - began < 4


def test_a_form_that_cannot_be_checked_is_not_valid(
    server: OpenAIServer, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hugginggpt.controller.form_check.SECONDS", 0.3)
    server.script = {"respond": {"payer": "L" * 40 + "!"}}
    made = answer(controller, of(payer={"pattern": "^(L+)+$"}))
    assert made.source == "plain" and "could not be checked against its schema within 0.3 seconds" in made.problems[0]


@pytest.mark.parametrize(
    ("format", "valid", "wrong"),
    [
        ("date", "2026-11-02", "2 November 2026"),
        ("email", "a@example.com", "example.com"),
        ("ipv4", "10.0.0.1", "10.0.0.999"),
        ("uuid", "6a9c8315-720f-4563-820e-7a0f8bc86f5f", "6a9c8315"),
        ("unheard-of", "anything", None),
    ],
)
def test_formats_are_kept_to(format: str, valid: str, wrong: str | None) -> None:
    schema = of(a={"type": "string", "format": format})
    assert form_problems({"a": valid}, schema, [f"{valid} {wrong}", "2 November 2026"]) == []
    if wrong is not None:
        (problem,) = form_problems({"a": wrong}, schema, [f"{valid} {wrong}", "2 November 2026"])
        assert f"is not a '{format}'" in problem


@pytest.mark.parametrize(
    ("name", "wanted", "results", "spoken_of"),
    [
        ("paid", {}, "Payment is due within 30 days.", False),
        ("paid", {}, "Still unpaid.", True),
        ("isSigned", {}, "The signature is missing.", True),
        ("vat_included", {}, "VAT 20%", False),
        ("vat_included", {}, "VAT is included.", True),
        ("x", {"description": "Whether there is a discount"}, "A discount of 5%", True),
        ("x", {"description": "Whether the invoice is paid"}, "INVOICE", False),
    ],
)
def test_true_and_false_need_words_about_them(name: str, wanted: dict[str, Any], results: str, spoken_of: bool) -> None:
    schema, told = of(**{name: {"type": ["boolean", "null"], **wanted}}), [f"Is it {name}?", results]
    for verdict in (True, False):
        problems = problems_among({name: verdict}, schema, Given(told, [results]))
        assert problems == (
            [] if spoken_of else [f"{name}: the results do not speak of it, so it is neither true nor false."]
        )
    assert problems_among({name: None}, schema, Given(told, [results])) == []
    assert problems_among({name: True}, schema, Given(told, [results], knows_verdicts=True)) == []


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


@pytest.mark.parametrize("reference", ["#/$defs/Party", "#/%24defs/Party", "#party"])
def test_objects_inside_are_filled_through_references(reference: str) -> None:
    schema = {
        "type": "object",
        "properties": {"payer": {"$ref": reference}},
        "$defs": {"Party": {"$anchor": "party", "type": "object", "properties": {"name": {"type": "string"}}}},
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
    # In this process, since the test would otherwise start a hundred.
    with mock.patch("hugginggpt.controller.answer_form.schema_problems", lambda *given: schema_objections(*given[:2])):
        assert all(problem.endswith(".") for problem in form_problems(form, SCHEMA, [TEXT]))


INVOICE_FILE, PHOTO, VOICE = picture("invoice.png"), picture("photo.png"), resource("voice.wav", sound_artifact())
NOTES = resource("notes.txt", text_artifact("Dear Ann"))
LETTER = Resource(
    name="letter.docx",
    source="/home/me/letter.docx",
    artifact=text_artifact("Dear Ann", ValueType.DOCUMENT),
    parts=Parts(),
)
SCAN = LETTER.model_copy(update={"name": "scan.pdf", "parts": Parts(pages=2, pictured=True, unread=True)})
ASK = PlannedTask(
    task="document-question-answering", id=0, args={"image": "invoice.png", "text": "What is the total due?"}
)
READ = PlannedTask(task="image-to-text", id=1, args={"image": "invoice.png"})
SAY = PlannedTask(task="text-to-speech", id=1, dep=(0,), args={"text": "<GENERATED>-0"})
LOOK = PlannedTask(task="object-detection", id=0, args={"image": "photo.png"})


def _not_understood() -> Plan:
    raise PlanError("The request was not understood.")


@pytest.mark.parametrize(
    ("planned", "resources", "tasks"),
    [
        ([ASK], [INVOICE_FILE], ["1 image-to-text invoice.png"]),
        (
            [ASK, SAY],
            [INVOICE_FILE],
            ["0 document-question-answering", "1 text-to-speech", "2 image-to-text invoice.png"],
        ),
        ([READ], [INVOICE_FILE], ["1 image-to-text invoice.png"]),
        ([LOOK], [PHOTO], ["0 object-detection photo.png"]),
        ([], [INVOICE_FILE, VOICE], ["0 image-to-text invoice.png", "1 automatic-speech-recognition voice.wav"]),
        (None, [INVOICE_FILE], ["0 image-to-text invoice.png"]),
        (None, [SCAN, LETTER], ["0 image-to-text scan.pdf"]),
        (None, [LETTER], []),
        (None, [NOTES], []),
    ],
)
def test_for_a_form_documents_are_read_in_full(
    planned: list[PlannedTask] | None, resources: list[Resource], tasks: list[str]
) -> None:
    controller = Controller.from_settings(Settings())
    made = plan_for_form(
        controller, _not_understood if planned is None else lambda: Plan(tasks=tuple(planned)), resources, Checks()
    )
    shown = [f"{task.id} {task.task} {next(iter(task.args.values()))}" for task in made.tasks]
    assert [one[: len(wanted)] for one, wanted in zip(shown, tasks, strict=True)] == tasks


def test_without_a_file_that_can_be_read_the_plan_stands(controller: Controller) -> None:
    small, deaf = Controller.from_settings(Settings()), Checks(obstacles=lambda plan, half: ["No."])
    with pytest.raises(PlanError):
        plan_for_form(small, _not_understood, [], Checks())
    assert plan_for_form(small, lambda: Plan(tasks=(ASK,)), [INVOICE_FILE], deaf) == Plan(tasks=(ASK,))
    assert plan_for_form(controller, lambda: Plan(tasks=(ASK,)), [INVOICE_FILE], Checks()) == Plan(tasks=(ASK,))


@pytest.mark.parametrize(
    ("span", "wanted", "value"),
    [
        ("12 May 2026", {"format": "date"}, "2026-05-12"),
        ("May 12th, 2026", {"format": "date"}, "2026-05-12"),
        ("12.05.2026", {"format": "date"}, "2026-05-12"),
        ("by 31/12/2026", {"format": "date"}, "2026-12-31"),
        ("2026-05-12", {"format": "date"}, "2026-05-12"),
        ("05/06/2026", {"format": "date"}, None),
        ("1 May 2026 to 3 May 2026", {"format": "date"}, None),
        ("31 February 2026", {"format": "date"}, None),
        ("1,593.96 EUR", {"format": "date"}, None),
        ("12 May 2026", {}, "12 May 2026"),
        ("12 May 2026", {"format": "unheard-of"}, "12 May 2026"),
        ("me@example.com", {"format": "email"}, "me@example.com"),
        ("me", {"format": "email"}, None),
    ],
)
def test_what_is_read_is_written_in_its_format(span: str, wanted: dict[str, Any], value: str | None) -> None:
    question = "When is the a?" if wanted.get("format") == "date" else "What is the a?"
    reader = Sure({question: Reading(span, confidence=0.9, said=1.0)})
    assert filled_from("", of(a={"type": ["string", "null"], **wanted}), reader, None) == {"a": value}


def test_a_form_without_end_is_not_filled_in() -> None:
    every = {str(n): {"$ref": "#"} for n in range(100)}
    with pytest.raises(ControllerError, match="more than 500 values"):
        filled_from("", of(**every), Sure({}), None)


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
