"""What is said in a plan: the words that the request wants said, and nothing else."""

import pytest

from hugginggpt.controller.embedded.listening import with_speech
from hugginggpt.controller.embedded.questions import unplanned_questions
from hugginggpt.plan.notation import read_notation, write_notation
from tests.controller.test_file_questions import files


def spoken(text: str, notation: str, *names: str) -> str:
    return write_notation(with_speech(read_notation(notation), text, files(*names)), names)


@pytest.mark.parametrize(
    ("request_", "written", "said"),
    [
        ("Say good morning aloud", "Say good morning", "good morning"),
        ("Say good night", "Say good night", "good night"),
        ("Please say hello world out loud", "hello world out loud", "hello world"),
        ("Speak these words: we laughed out loud", "we laughed out loud", "we laughed out loud"),
        ('Say "say cheese" aloud', "say cheese", "say cheese"),
        ("Say cheese", "cheese", "cheese"),
    ],
)
def test_the_words_are_said_without_the_verb_that_asks_for_it(request_: str, written: str, said: str) -> None:
    assert spoken(request_, f'"{written}" > speak') == f'"{said}" > speak'


@pytest.mark.parametrize(
    ("request_", "written", "made"),
    [
        ('Draw a red bicycle and say "hello there" aloud', '"a red bicycle" > draw > read > speak',
         '"a red bicycle" > draw\n"hello there" > speak'),
        ('Draw the edges of a.png, and say "Here it is" aloud', "a.png > canny\na.png > read > speak",
         'a.png > canny\n"Here it is" > speak'),
        ('Read a.png, say "Done" aloud and translate it to French', 'a.png > read > translate to=French > speak',
         'a.png > read > translate to=French\n"Done" > speak'),
        ('Translate "good night" to French and say it', '"good night" > translate to=French > speak',
         '"good night" > translate to=French > speak'),
    ],
)  # fmt: skip
def test_what_is_to_be_said_in_quotes_is_said(request_: str, written: str, made: str) -> None:
    assert spoken(request_, written, "a.png") == made


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        ("Summarise it. Please also tell me the date.", ["Please also tell me the date."]),
        ("Read it. Let me know the phone number", ["Let me know the phone number"]),
        ("Tell me the mood of this text.", []),
        ("Tell me the words on the sign.", []),
        ("Tell me about the date.", []),
    ],
)
def test_what_one_wants_to_be_told_is_a_question(request_: str, left: list[str]) -> None:
    assert unplanned_questions(request_, []) == left
    assert unplanned_questions(request_, ["What is the date and the phone number?"]) == []
