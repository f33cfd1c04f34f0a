"""What a question says about its answer."""

import pytest

from hugginggpt.controller.embedded.answer_types import wanted
from hugginggpt.controller.embedded.reader_tokens import units_of


def fits(question: str, answer: str) -> bool:
    word = wanted(question).word
    return word is None or any(word.fullmatch(unit.group()) for unit in units_of(answer))


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("How much do I have to pay?", "81.99 EUR", "Jane Roe"),
        ("how many invoices are there", "three", "ACME Ltd"),
        ("What is the total?", "81.99", "Total due"),
        ("only the total", "81.99 EUR", "ACME Ltd"),
        ("When is it due?", "by Monday", "ACME Ltd"),
        ("And by when?", "Monday", "Jane Roe"),
        ("What is the due date?", "Monday", "Total due"),
        ("How often does she pay?", "twice a year", "Jane Roe"),
        ("On which day was it sent?", "3 May", "Jane"),
    ],
)
def test_the_answer_is_of_the_kind_that_is_asked_for(question: str, right: str, wrong: str) -> None:
    assert fits(question, right) and not fits(question, wrong)
    assert wanted(question).verdict is False


@pytest.mark.parametrize(
    ("question", "verdict"),
    [
        ("Who pays?", False),
        ("And where?", False),
        ("Is it an invoice?", True),
        ("does she pay", True),
        ("Doesn't she pay?", True),
        ("Can you tell me who pays?", None),
        ("the sender", None),
        ("", None),
        ("?", None),
    ],
)
def test_a_question_asks_for_yes_or_no_or_for_something_else(question: str, verdict: bool | None) -> None:
    assert wanted(question).verdict is verdict


@pytest.mark.parametrize("question", ["Who has to pay, how much?", "What does the total mean?", "Where is the date?"])
def test_a_word_of_another_question_says_nothing(question: str) -> None:
    assert fits(question, "Jane Roe")
