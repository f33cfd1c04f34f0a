"""Pipeline notation: what is written can be read again, and what cannot be read is said."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
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
        "invoice.png > read > summarize > speak",
        "a.wav > hear > translate to=German from=Dutch",
        "a.wav > hear > summarize\na.wav > hear > speak",
        'scan.png > read > answer text="When is the \\"rent\\" due?"',
        '"Why is the sky blue?" > answer > speak',
        '"Good morning" > compare text2="Hello there"',
        '"Pay now" > label labels="urgent", "can wait"',
        "room.jpg > edit text=(note.wav > hear)",
        "scan.png > read > speak rate=0.75 volume=2",
        '"a red car" > draw guidance_scale=7.5 width=512',
        'photo.jpg > read > write text="a limerick about {}"',
        'a.jpg, "b (1).jpg" > detect > summarize',
        "(a.png > read), (b.wav > hear) > summarize",
        '"https://example.org/a.png?size=2&page=1" > recognize',
    ],
)
def test_what_is_read_is_written_the_same(written: str) -> None:
    plan = read_notation(written)
    assert not plan.repairs
    assert write_notation(plan) == written


def test_names_are_bare_and_texts_are_quoted() -> None:
    plan = read_notation('mail.txt > label labels="urgent"\nmail.txt > rewrite text="shorten: {}"')
    assert (
        write_notation(plan, ["mail.txt"]) == 'mail.txt > label labels="urgent"\nmail.txt > rewrite text="shorten: {}"'
    )
    assert write_notation(plan) == '"mail.txt" > label labels="urgent"\n"mail.txt" > rewrite text="shorten: {}"'


def test_a_kind_may_stand_with_its_own_name() -> None:
    assert read_notation("a.wav > automatic-speech-recognition > translation target_language=German") == read_notation(
        "a.wav > hear > translate to=German"
    )
    words = {capability.word for capability in CAPABILITIES.values()}
    assert "" not in words and len(words | CAPABILITIES.keys()) == 2 * len(CAPABILITIES)


def test_a_list_holds_each_of_its_values_once() -> None:
    assert read_notation("a.png, b.png, a.png > detect").tasks[0].args == {"image": ["a.png", "b.png"]}


def test_the_same_step_on_the_same_inputs_is_one_task() -> None:
    plan = read_notation("a.png > read > summarize\na.png > read > speak")
    assert [(t.task, t.dep) for t in plan.tasks] == [
        ("image-to-text", ()),
        ("summarization", (0,)),
        ("text-to-speech", (0,)),
    ]


def test_a_template_takes_what_is_piped() -> None:
    of_a_file = read_notation('letter.txt > rewrite text="make it shorter: {}"')
    assert of_a_file.tasks[0].args == {"text": "make it shorter: letter.txt"}
    of_a_result = read_notation('a.png > read > write text="an ode to {}"')
    assert of_a_result.tasks[1].args == {"text": "an ode to <GENERATED>-0"}
    written = 'a.txt, b.txt > rewrite text="make it shorter: {}"'
    of_files = read_notation(written)
    assert of_files.tasks[0].args == {"text": ["make it shorter: a.txt", "make it shorter: b.txt"]}
    assert write_notation(of_files, ["a.txt", "b.txt"]) == written


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "empty"),
        ("a.png > make-coffee", "make-coffee"),
        ("a.png >", "the end"),
        ("a.png > edit text=(b.wav > hear", "not closed"),
        ('a.png > look text="What', "cannot be read"),
        ("a.png > look", "text"),
        ("a.wav > draw text=x", "all named"),
        ("> read", "kind or value"),
        ("a.png", "where a > is expected"),
        ("Sure, here is the plan", "expected"),
        ("a.png > read b.png", "where a line should end"),
        ('"\\q" > speak', "not a valid text"),
        ("(" * 5000, "too many parentheses"),
        ('"say <GENERATED>-0" > speak', "reads as a reference to a result"),
        ('"<node-1>" > speak', "reads as a reference to a result"),
        ('"hello" > speak rate=9', r"has a rate of 9: give a number from 0\.25 to 4"),
        ('"hello" > speak volume=loud', "has a volume that is not a number"),
    ],
)
def test_what_cannot_be_read_is_said(written: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        read_notation(written)


@given(graphs())
def test_every_plan_can_be_written_and_read_again(tasks: list[dict[str, Any]]) -> None:
    plan = parse_plan(json.dumps(tasks))
    lists = [value for task in plan.tasks for value in task.args.values() if isinstance(value, list)]
    assume(all(len({*values}) == len(values) for values in lists))
    assert steps_of(read_notation(write_notation(plan))) == steps_of(plan)


@given(
    st.text()
    | st.lists(st.sampled_from([*CAPABILITIES, ">", "a.png", '"x', '"y"', "(", ")", ",", "\n", "text="])).map(" ".join)
)
def test_any_text_gives_a_plan_or_a_plan_error(text: str) -> None:
    try:
        plan = read_notation(text)
    except PlanError as error:
        assert error.problems
    else:
        assert plan.tasks or text.strip() == "none"
