"""The grammar for one request: it lets every right plan through, and nothing invented."""

import json
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.controller.embedded.grammar import MOST_LINES, MOST_STEPS, plan_grammar
from hugginggpt.plan import parse_plan
from hugginggpt.plan.notation import write_notation
from tests.plan.gbnf import Recogniser
from tests.plan.test_properties import FILES, graphs

REQUEST = 'Read a.png and b.wav, then tell me: "what is it?" In French, please.'
SOURCES = {ValueType.IMAGE: ["a.png"], ValueType.AUDIO: ["b.wav"]}
LETS_THROUGH = Recogniser(plan_grammar(CAPABILITIES, SOURCES, REQUEST))


@pytest.mark.parametrize(
    "plan",
    [
        "none",
        "a.png > read",
        "a.png > detect > read > translate to=French > speak",
        "b.wav > hear > translate to=French from=German",
        "a.png > read\nb.wav > hear",
        "a.png > edit text=(b.wav > hear)",
        'a.png > look text="what is it?"',
        'a.png > read > write text="tell me {}"',
        'a.png > read > rewrite text="tell me: {}"',
        'a.png > match labels="what is", "it"',
        "a.png, a.png > detect",
        "a.png > read > speak rate=0.75",
        "a.png > read > speak rate=2 volume=1.6",
        '"what is it?" > speak',
        "(a.png > read), (b.wav > hear) > summarize",
        "a.png > edit > edit > edit > edit > detect",
        "a.png" + " > edit" * 7 + " > detect",
        "a.png > edit text=((b.wav > hear), (b.wav > clean > hear) > summarize)",
    ],
)
def test_lets_through(plan: str) -> None:
    assert LETS_THROUGH.fullmatch(plan)


@pytest.mark.parametrize("text", ["<GENERATED>-0", "<node-1>", "< resource > - 2"])
def test_no_text_holds_what_plans_call_a_result(text: str) -> None:
    lets_through = Recogniser(plan_grammar(CAPABILITIES, {}, f"Translate: what does {text} mean?"))
    assert lets_through.fullmatch('"what does <" > translate to=French')
    assert not lets_through.fullmatch(f'"{text}" > translate to=French')
    assert not lets_through.fullmatch(f'"what does {text} mean?" > translate to=French')


@pytest.mark.parametrize(
    "plan",
    [
        "",
        "a.png",
        "c.png > read",  # no such file
        "a.png > make-coffee",  # no such kind
        "a.png > hear",  # a picture is no recording
        "a.png > speak",  # nor its name a text
        "French > speak",  # texts are in quotes
        "a.png > image-to-text",  # each kind has its word
        "a.png > read > read",
        "a.png > edit text=(b.wav > clean)",
        "a.png > look",  # a question is needed
        'a.png > look text="what is that?"',  # other words than the request's
        '"say something" > speak',
        "b.wav > hear > translate to=french;x",
        "a.png > read > speak rate=0.9",
        "a.png > read > speak volume=1.6 rate=2",  # in this order
        "a.png > read > speak seed=1",
        "a.png" + " > edit" * 9,
        "\n".join(["a.png > read"] * 9),
        "a.png > edit text=(((b.wav > hear), (b.wav > hear) > summarize), (b.wav > hear) > summarize)",  # too deep
    ],
)
def test_lets_nothing_else_through(plan: str) -> None:
    assert not LETS_THROUGH.fullmatch(plan)


def test_holds_to_the_kinds_that_are_offered() -> None:
    only = Recogniser(plan_grammar(["image-to-text", "summarization"], SOURCES, REQUEST))
    assert only.fullmatch("a.png > read > summarize")
    assert not only.fullmatch("a.png > read > speak")
    assert not only.fullmatch("b.wav > hear")


def test_takes_quotes_line_breaks_and_other_alphabets_as_they_stand() -> None:
    text = 'Sag "Grüß Gott!"\nund\\oder 你好'
    lets_through = Recogniser(plan_grammar(CAPABILITIES, {}, text))
    for words in ('Sag "Grüß Gott!"\nund', "und\\oder", "你好", "Grüß Gott!"):
        assert lets_through.fullmatch(f"{json.dumps(words, ensure_ascii=False)} > speak"), words


def is_small(line: str) -> bool:
    """Whether a pipeline keeps to the limits for steps and parentheses."""
    nested = max(line[:n].count("(") - line[:n].count(")") for n in range(len(line) + 1))
    return nested <= 2 and line.count(" > ") <= (4 if nested else MOST_STEPS)


@settings(max_examples=25)
@given(graphs(), st.lists(st.sampled_from(list(FILES.values())), max_size=3))
def test_every_plan_of_what_is_there_is_let_through(tasks: list[dict[str, Any]], more: list[str]) -> None:
    """Whatever can be planned over the request's files and words can be written."""
    for task in tasks:
        for name in {"target_language", "source_language"} & set(task["args"]):
            task["args"][name] = "French"  # languages and labels are named, never taken from a result
        task["args"].pop("column", None)  # a rule adds it, from the table's header
        if "labels" in task["args"]:
            task["args"]["labels"] = ["some", "some words"]
    written = write_notation(parse_plan(json.dumps(tasks)), list(FILES.values()))
    assume(written.count("\n") < MOST_LINES and all(is_small(line) for line in written.split("\n")))
    sources: dict[ValueType, list[str]] = defaultdict(list)
    for type, name in FILES.items():
        if PurePosixPath(name).suffix:
            sources[type].append(name)
    assert Recogniser(plan_grammar(CAPABILITIES, sources, " ".join(["Please: some words", *more]))).fullmatch(written)
