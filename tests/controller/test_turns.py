"""Earlier turns in the embedded planner's prompt, and what its grammar lets a follow-up name."""

import json

import pytest

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.planner import planner_prompt, request_grammar, with_passages
from hugginggpt.controller.embedded.turns import shown_request
from hugginggpt.plan import Plan, PlannedTask, parse_plan
from hugginggpt.plan.notation import read_notation
from hugginggpt.request import Exchange
from tests.controller.samples import turn
from tests.plan.gbnf import Recogniser

LETTER = ("letter.png", ValueType.IMAGE)
READ = turn(1, "Read the letter and say it aloud.", read_notation("letter.png > read > speak"))
LONG = "The meeting was moved to Thursday because the hall is being painted. " * 3


def resources(*turns: Exchange, files: tuple[tuple[str, ValueType], ...] = (LETTER,)) -> list[tuple[str, ValueType]]:
    return [*files, *((result.name, result.type) for turn in turns for result in turn.results)]


def prompt(text: str, *turns: Exchange, files: tuple[tuple[str, ValueType], ...] = (LETTER,)) -> str:
    return planner_prompt(shown_request(text, resources(*turns, files=files), turns)).messages[-1]["content"]


def lets_through(plan: str, text: str, *turns: Exchange, files: tuple[tuple[str, ValueType], ...] = (LETTER,)) -> bool:
    return Recogniser(request_grammar(shown_request(text, resources(*turns, files=files), turns))).fullmatch(plan)


def test_a_first_turn_shows_files_and_request() -> None:
    assert prompt("Read it.") == "Files: letter.png (image)\nRequest: Read it."
    assert prompt("Hello", files=()) == "Files: none\nRequest: Hello"
    two = prompt("Read.", files=(LETTER, ("b.wav", ValueType.AUDIO)))
    assert two == "Files: letter.png (image), b.wav (audio)\nRequest: Read."


def test_a_later_turn_shows_what_was_done_and_what_came_of_it() -> None:
    assert prompt("Louder.", READ) == (
        "Before: Read the letter and say it aloud.\n"
        "Did: letter.png > read [turn1-0.txt] > speak [turn1-1.wav]\n"
        "Answer: Here it is.\n"
        "Files: none\n"
        "Request: Louder."
    )


def test_files_that_no_shown_turn_used_are_listed() -> None:
    new = ("bill.png", ValueType.IMAGE)
    assert "Files: bill.png (image)\n" in prompt("Now for this one.", READ, files=(new, LETTER))
    turns = [turn(n, "Read it.", read_notation("letter.png > read")) for n in range(1, 6)]
    shown = prompt("And now?", *turns)
    assert "Files: turn1-0.txt (text), turn2-0.txt (text)\n" in shown and shown.count("Did: ") == 3


@pytest.mark.parametrize(
    ("did", "lines"),
    [
        (
            "a.wav > hear > summarize\na.wav > hear > speak",
            ["a.wav > hear [turn1-0.txt] > summarize [turn1-1.txt]", "turn1-0.txt > speak [turn1-2.wav]"],
        ),
        (
            "a.png > detect > edit\na.png > detect > speak",
            ["a.png > detect [turn1-0.json, turn1-0-2.png] > edit [turn1-1.png]", "turn1-0.json > speak [turn1-2.wav]"],
        ),
        (
            'a.png > read > write text="a poem about {}"',
            ['a.png > read [turn1-0.txt] > write text="a poem about {}" [turn1-1.txt]'],
        ),
        ("a.png > edit text=(b.wav > hear)", ["a.png > edit text=(b.wav > hear [turn1-0.txt]) [turn1-1.png]"]),
        ('"Good morning" > speak rate=0.75', ['"Good morning" > speak rate=0.75 [turn1-0.wav]']),
        ("none", []),
    ],
)
def test_each_step_stands_there_once_with_its_results(did: str, lines: list[str]) -> None:
    files = (("a.png", ValueType.IMAGE), ("a.wav", ValueType.AUDIO), ("b.wav", ValueType.AUDIO))
    done = turn(1, "Do it.", read_notation(did))
    (shown,) = shown_request("And now?", resources(done, files=files), [done]).turns
    assert list(shown.did) == lines


def test_what_failed_has_no_result() -> None:
    done = turn(1, "Read and say it.", read_notation("letter.png > read > speak"))
    failed = done.model_copy(update={"results": done.results[:1]})
    assert "Did: letter.png > read [turn1-0.txt] > speak\n" in prompt("Again?", failed)


def test_a_text_put_together_from_results_names_them() -> None:
    plan = parse_plan(
        '[{"task": "image-to-text", "id": 0, "args": {"image": "letter.png"}},'
        ' {"task": "text-to-speech", "id": 1, "args": {"text": "It says <GENERATED>-0"}}]'
    )
    assert '"It says turn1-0.txt" > speak [turn1-1.wav]' in prompt("Louder.", turn(1, "Say it.", plan))


def test_a_kind_that_is_no_longer_installed_hides_what_was_done() -> None:
    plan = Plan(tasks=(PlannedTask(task="blackening", id=0, args={"text": "x"}),))
    assert "Did:" not in prompt("Again.", Exchange(text="Blacken it.", response="Done.", plan=plan))


def test_a_plan_may_repeat_texts_of_earlier_plans_as_a_whole() -> None:
    asked = turn(1, "What is the total?", read_notation('letter.png > ask text="What is the total?"'))
    new = (("bill.png", ValueType.IMAGE), LETTER)
    assert lets_through('bill.png > ask text="What is the total?"', "Now this one.", asked, files=new)
    assert not lets_through('bill.png > ask text="the total?"', "Now this one.", asked, files=new)
    wrote = turn(1, "A poem about it.", read_notation('letter.png > read > write text="a poem about {}"'))
    assert lets_through('bill.png > read > write text="a poem about {}"', "Now this one.", wrote, files=new)


def test_a_follow_up_may_name_every_result() -> None:
    assert lets_through("turn1-0.txt > translate to=French > speak", "And in French?", READ)
    assert lets_through("turn1-0.txt > speak rate=0.75 volume=1.6", "Louder and slower.", READ)
    assert not lets_through("turn1-0.txt > speak volume=9", "Louder.", READ)
    assert not lets_through("turn2-0.txt > speak", "Louder.", READ)


@pytest.mark.parametrize("asked", [f'Summarise this: "{LONG.strip()}"', "Summarise what I told you."])
def test_a_long_text_of_an_earlier_turn_has_a_name(asked: str) -> None:
    plan = Plan(tasks=(PlannedTask(task="summarization", id=0, args={"text": LONG.strip()}),))
    done = turn(1, asked, plan)
    text = f'Is it the same as "{LONG.replace("Thursday", "Monday").strip()}"?'
    request = shown_request(text, resources(done), [done])
    shown = planner_prompt(request).messages[-1]["content"]
    assert "Did: passage-2 > summarize [turn1-0.txt]\n" in shown and "passage-1 (text)" in shown
    assert "Thursday" not in shown
    assert Recogniser(request_grammar(request)).fullmatch("passage-2 > translate to=French")
    whole = with_passages(read_notation("passage-2 > translate to=French"), request.read)
    assert whole.tasks[0].args["text"] == LONG.strip()


def test_a_long_text_keeps_its_name_through_a_conversation() -> None:
    plans = [
        Plan(tasks=(PlannedTask(task=kind, id=0, args={"text": LONG.strip()}),))
        for kind in ("summarization", "text-to-speech")
    ]
    first, second = (turn(n, "Do it.", plan) for n, plan in enumerate(plans, start=1))
    shown = prompt("Louder.", first, second)
    assert "passage-1 > summarize [turn1-0.txt]" in shown and "passage-1 > speak [turn2-0.wav]" in shown


def test_a_line_is_a_line_whatever_its_text_holds() -> None:
    plan = Plan(tasks=(PlannedTask(task="text-to-speech", id=0, args={"text": "one\u2028two\x85three\nfour"}),))
    assert '\nDid: "one two three four" > speak [turn1-0.wav]\n' in prompt("Louder.", turn(1, "Say it.", plan))


def test_long_conversations_stay_short() -> None:
    steps = [{"task": "image-to-text", "id": n, "args": {"image": "letter.png"}} for n in range(1)]
    many = turn(1, "word " * 900, parse_plan(json.dumps(steps)), answer="word " * 900, items=60)
    shown = prompt("And now?", many, many, many)
    assert len(shown) < 4000 and shown.endswith("Request: And now?")
