"""Which text an earlier turn spoke, and plans that lead back to it."""

import pytest

from hugginggpt.conversation import spoken_texts, without_hearing_ourselves
from hugginggpt.plan import parse_plan
from hugginggpt.plan.notation import read_notation, write_notation
from hugginggpt.request import Exchange
from tests.controller.samples import turn

SPOKEN = turn(1, "Read it, sum it up, say it.", read_notation("a.png > read > summarize > speak"))
NAMES = ["turn1-0.txt", "turn1-1.txt", "letter.txt"]


@pytest.mark.parametrize(
    ("did", "spoken"),
    [
        ("a.png > read > summarize > speak", {"turn1-2.wav": "turn1-1.txt"}),
        ('"Good morning" > speak', {"turn1-0.wav": "Good morning"}),
        ("letter.txt > speak > clean", {"turn1-0.wav": "letter.txt", "turn1-1.wav": "letter.txt"}),
        ("a.png > detect > speak", {"turn1-1.wav": "turn1-0.json"}),
        ("call.wav > clean", {}),
        ("call.wav > hear > summarize", {}),
    ],
)
def test_what_was_spoken(did: str, spoken: dict[str, str]) -> None:
    assert spoken_texts([turn(1, "Do it.", read_notation(did))]) == spoken


def test_each_recording_of_a_list_has_its_own_text() -> None:
    pages = turn(1, "Read them to me.", read_notation("a.png, b.png > read > speak"), items=2)
    assert spoken_texts([pages]) == {"turn1-1.wav": "turn1-0.txt", "turn1-1-2.wav": "turn1-0-2.txt"}
    texts = turn(
        1, "Say them.", parse_plan('[{"task": "text-to-speech", "id": 0, "args": {"text": ["a", "b"]}}]'), items=2
    )
    assert spoken_texts([texts]) == {"turn1-0.wav": "a", "turn1-0-2.wav": "b"}


def test_a_text_that_was_put_together_has_no_name() -> None:
    plan = parse_plan(
        '[{"task": "image-to-text", "id": 0, "args": {"image": "a.png"}},'
        ' {"task": "text-to-speech", "id": 1, "args": {"text": "It says <GENERATED>-0"}}]'
    )
    assert spoken_texts([turn(1, "Say it.", plan)]) == {}


def test_a_turn_without_a_plan_spoke_nothing() -> None:
    assert spoken_texts([Exchange(text="Hello", response="Good day")]) == {}


@pytest.mark.parametrize(
    ("written", "repaired"),
    [
        ("turn1-2.wav > hear > summarize", "turn1-1.txt > summarize"),
        ("turn1-2.wav > hear > translate to=French > speak", "turn1-1.txt > translate to=French > speak"),
        (
            'turn1-2.wav > hear > rewrite text="make it shorter: {}"\nturn1-2.wav > hear > tag',
            'turn1-1.txt > rewrite text="make it shorter: {}"\nturn1-1.txt > tag',
        ),
        ("b.png > look text=(turn1-2.wav > hear)", "b.png > look text=turn1-1.txt"),
        # The transcript itself is wished for.
        ("turn1-2.wav > hear", "turn1-2.wav > hear"),
        ("turn1-2.wav > clean", "turn1-2.wav > clean"),
        ("call.wav > hear > summarize", "call.wav > hear > summarize"),
        ("turn1-2.wav, call.wav > hear > summarize", "turn1-2.wav, call.wav > hear > summarize"),
    ],
)
def test_no_plan_transcribes_what_was_spoken(written: str, repaired: str) -> None:
    plan = without_hearing_ourselves(read_notation(written), [SPOKEN])
    assert write_notation(plan, NAMES) == repaired
    assert bool(plan.repairs) is (written != repaired)


def test_a_repair_says_what_was_spoken() -> None:
    plan = without_hearing_ourselves(
        read_notation("turn1-0.wav > hear > summarize"), [turn(1, "", read_notation('"Hi" > speak'))]
    )
    assert plan.tasks[0].args == {"text": "Hi"} and plan.tasks[0].dep == ()
    assert plan.repairs == (
        "Task 0 (automatic-speech-recognition) took 'turn1-0.wav', which is 'Hi' spoken; the text was taken.",
    )


def test_a_text_input_that_names_a_recording_takes_its_text() -> None:
    plan = parse_plan('[{"task": "summarization", "id": 0, "args": {"text": "turn1-2.wav"}}]')
    assert without_hearing_ourselves(plan, [SPOKEN]).tasks[0].args == {"text": "turn1-1.txt"}


def test_several_recordings_give_several_texts() -> None:
    pages = turn(1, "Read them to me.", read_notation("a.png, b.png > read > speak"), items=2)
    plan = without_hearing_ourselves(read_notation("turn1-1.wav, turn1-1-2.wav > hear > summarize"), [pages])
    assert [task.args for task in plan.tasks] == [{"text": ["turn1-0.txt", "turn1-0-2.txt"]}]
