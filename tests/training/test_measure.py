"""What an answer of the reader is worth."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from hugginggpt.controller.embedded.reader import DOES_NOT_SAY
from training.measure import Outcome, Question, Score, outcome, questions_in


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
        ('Perhaps 2 November 2026: "Dated 2 November 2026."', asked("span", "2 November 2026"), "right"),
        ('Perhaps 3 November 2026: "Not 2 November 2026."', asked("span", "2 November 2026"), "wrong"),
        ('Perhaps no: "It is closed."', asked("no", "It is closed"), "right"),
    ],
)
def test_an_answer_is_right_wrong_or_unsaid(said: str, question: Question, worth: Outcome) -> None:
    assert outcome(said, question) == worth


def test_the_shares() -> None:
    about = [asked("span", "80"), asked("span", "80"), asked("span", "80"), asked("yes"), asked("no"), asked("none")]
    score = Score.of(about, ["80", "Perhaps 80", DOES_NOT_SAY, "Yes: 80", 'Perhaps yes: "80 cars"', DOES_NOT_SAY])
    assert (score.right_spans, score.right_yes_or_no, score.recognised_as_not_said) == (200 / 3, 50.0, 100.0)
    assert (score.wrong_as_facts, score.wrong_as_guesses) == (0.0, 100 / 6)


def test_questions_come_from_test_sets_and_from_samples(tmp_path: Path) -> None:
    answers = {"Who?": "Jane", "Is it?": "no: it is not", "When?": "not said"}
    asked = [{"question": question, "answer": answer} for question, answer in answers.items()]
    sample = {"text": "…", "asked": [*asked, {"summary": "Jane."}], "family": "letter", "held_out": True}
    file = tmp_path / "questions.jsonl"
    row = Question("bill", "…", "What?", ["80"], "span")
    file.write_text("".join(json.dumps(line) + "\n" for line in (asdict(row), sample)))
    assert list(questions_in(file)) == [
        row,
        Question("letter", "…", "Who?", ["Jane"], "span"),
        Question("letter", "…", "Is it?", ["it is not"], "no"),
        Question("letter", "…", "When?", [], "none"),
    ]
