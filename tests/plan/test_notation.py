"""Pipeline notation: what is written can be read again, and what cannot be read is said."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.plan import Plan, PlanError, parse_plan
from hugginggpt.plan.notation import read_notation, write_notation
from hugginggpt.plan.references import references_in
from tests.plan.test_properties import graphs


def steps_of(plan: Plan) -> set[str]:
    """Every step as kind and arguments, with the referred step in the place of a reference."""
    found: dict[int, object] = {}
    for task in plan.tasks:
        args = {
            name: [found[k] for k in references_in(value)] if references_in(value) else value
            for name, value in task.args.items()
        }
        found[task.id] = (task.task, sorted(args.items()))
    return set(map(repr, found.values()))


@pytest.mark.parametrize(
    "written",
    [
        "none",
        "invoice.png > image-to-text > summarization > text-to-speech",
        "a.wav > automatic-speech-recognition > translation target_language=German source_language=Dutch",
        "a.wav > automatic-speech-recognition > summarization\na.wav > automatic-speech-recognition > text-to-speech",
        'scan.png > image-to-text > question-answering text="When is the \\"rent\\" due?"',
        '"Why is the sky blue?" > question-answering > text-to-speech',
        '"Good morning" > sentence-similarity text2="Hello there"',
        'mail.txt > zero-shot-classification labels=urgent, "can wait"',
        "room.jpg > image-to-image text=(note.wav > automatic-speech-recognition)",
        'photo.jpg > image-to-text > text-generation text="a limerick about {}"',
        'a.jpg, "b (1).jpg" > object-detection > summarization',
        "(a.png > image-to-text), (b.wav > automatic-speech-recognition) > summarization",
        '"https://example.org/a.png?size=2&page=1" > image-classification',
    ],
)
def test_what_is_read_is_written_the_same(written: str) -> None:
    plan = read_notation(written)
    assert not plan.repairs
    assert write_notation(plan) == written


def test_the_same_step_on_the_same_inputs_is_one_task() -> None:
    plan = read_notation("a.png > image-to-text > summarization\na.png > image-to-text > text-to-speech")
    assert [(t.task, t.dep) for t in plan.tasks] == [
        ("image-to-text", ()),
        ("summarization", (0,)),
        ("text-to-speech", (0,)),
    ]


def test_a_template_takes_what_is_piped() -> None:
    of_a_file = read_notation('letter.txt > text2text-generation text="make it shorter: {}"')
    assert of_a_file.tasks[0].args == {"text": "make it shorter: letter.txt"}
    of_a_result = read_notation('a.png > image-to-text > text-generation text="an ode to {}"')
    assert of_a_result.tasks[1].args == {"text": "an ode to <GENERATED>-0"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a.png > make-coffee", "make-coffee"),
        ("a.png >", "the end"),
        ("a.png > image-to-image text=(b.wav > automatic-speech-recognition", "not closed"),
        ('a.png > visual-question-answering text="What', "cannot be read"),
        ("a.png > visual-question-answering", "text"),
        ("a.wav > text-to-image text=x", "all named"),
        ("> image-to-text", "kind or value"),
    ],
)
def test_what_cannot_be_read_is_said(written: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        read_notation(written)


@settings(deadline=None)
@given(graphs())
def test_every_plan_can_be_written_and_read_again(tasks: list[dict[str, Any]]) -> None:
    plan = parse_plan(json.dumps(tasks))
    assert steps_of(read_notation(write_notation(plan))) == steps_of(plan)


@given(
    st.text()
    | st.lists(st.sampled_from([*CAPABILITIES, ">", "a.png", '"x', '"y"', "(", ")", ",", "\n", "text="])).map(" ".join)
)
def test_any_text_gives_a_plan_or_a_plan_error(text: str) -> None:
    try:
        read_notation(text)
    except PlanError as error:
        assert error.problems
