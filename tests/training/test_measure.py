"""What an answer of the reader is worth."""

import pytest

from hugginggpt.controller.embedded.reader import DOES_NOT_SAY
from training.measure import Outcome, Question, Score, outcome


def asked(says: str, *answers: str) -> Question:
    return Question("letter", "…", "…?", list(answers), says)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "question", "worth"),
    [
        ("2 November 2026", asked("span", "2 November 2026"), "right"),
        ("2 November", asked("span", "Monday, 2 November", "2 November"), "right"),
        ("(2 november 2026).", asked("span", "2 November 2026"), "right"),
        ("on Monday, 2 November 2026", asked("span", "Monday, 2 November 2026"), "right"),  # one word more
        ("3 November 2026", asked("span", "2 November 2026"), "wrong"),
        ("November", asked("span", "2 November 2026"), "wrong"),
        ("€", asked("span", "€"), "right"),
        ("$", asked("span", "€"), "wrong"),
        ("The total due is 1,593.96 EUR.", asked("span", "1,593.96 EUR"), "right"),
        ("The total due is 21,593.96 EUR.", asked("span", "1,593.96 EUR"), "wrong"),
        ("Yes: the whole letter", asked("yes", "the letter"), "right"),
        ("No: the letter", asked("yes", "the letter"), "wrong"),
        ("the letter", asked("yes", "the letter"), "wrong"),
        (DOES_NOT_SAY, asked("none"), "unsaid"),
        (DOES_NOT_SAY, asked("span", "2 November 2026"), "unsaid"),
        ("2 November 2026", asked("none"), "wrong"),
    ],
)
def test_an_answer_is_right_wrong_or_unsaid(said: str, question: Question, worth: Outcome) -> None:
    assert outcome(said, question) == worth


def test_the_shares() -> None:
    questions = [asked("span"), asked("span"), asked("span"), asked("span"), asked("yes"), asked("no"), asked("none")]
    score = Score.of(questions, ["right", "right", "right", "unsaid", "right", "wrong", "unsaid"])
    assert (score.right_spans, score.right_yes_or_no, score.recognised_as_not_said) == (75.0, 50.0, 100.0)
    assert score.wrong_as_facts == pytest.approx(100 / 7)
