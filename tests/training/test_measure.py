"""What an answer of the reader is worth."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from hugginggpt.controller.embedded.reader import DOES_NOT_SAY
from training.measure import Outcome, Question, Score, outcome, questions_in
from training.reading.templates import Says


def asked(says: str, *answers: str, text: str = "…") -> Question:
    return Question("letter", text, "…?", list(answers), Says(says))


@pytest.mark.parametrize(
    ("said", "question", "worth"),
    [
        ("2 November 2026", asked("span", "2 November 2026"), "right"),
        ("2 November", asked("span", "Monday, 2 November", "2 November"), "right"),
        ("(2 november 2026).", asked("span", "2 November 2026"), "right"),
        ("on Monday, 2 November 2026", asked("span", "Monday, 2 November 2026"), "right"),  # one word more
        ("3 November 2026", asked("span", "2 November 2026"), "wrong fact"),
        ("November", asked("span", "2 November 2026"), "wrong fact"),
        ("€", asked("span", "€"), "right"),
        ("$", asked("span", "€"), "wrong fact"),
        ("The total due, to be paid in cash, is 1,593.96 EUR.", asked("span", "1,593.96 EUR"), "wrong fact"),
        ("Yes: the whole letter", asked("yes", "the letter"), "right"),
        ("No: the letter", asked("yes", "the letter"), "wrong fact"),
        ("the letter", asked("yes", "the letter"), "wrong fact"),
        (DOES_NOT_SAY, asked("none"), "unsaid"),
        (DOES_NOT_SAY, asked("span", "2 November 2026"), "unsaid"),
        ("2 November 2026", asked("none"), "wrong fact"),
        ('Perhaps 2 November 2026: "Dated 2 November 2026."', asked("span", "2 November 2026"), "right"),
        ('Perhaps 3 November 2026: "Not 2 November 2026."', asked("span", "2 November 2026"), "wrong guess"),
        ('Perhaps no: "It is closed."', asked("no", "It is closed"), "right"),
        ("Northwind Water", asked("no", "closed"), "wrong fact"),
        ("Notice period: 3 months", asked("no", "closed"), "wrong fact"),
        ("Yesterday", asked("yes", "open"), "wrong fact"),
        ('Perhaps none: "There are none."', asked("no", "There are none"), "wrong guess"),
        ("No: closed", asked("no", "closed"), "right"),
        # The text's own word.
        ("Perhaps rain", asked("span", "Perhaps rain", text="Today:\nPerhaps  rain"), "right"),
        ("Perhaps snow", asked("span", "Perhaps rain", text="Perhaps snow"), "wrong fact"),
        ("Perhaps snow", asked("span", "rain", text="snow"), "wrong guess"),
    ],
)
def test_an_answer_is_right_wrong_or_unsaid(said: str, question: Question, worth: Outcome) -> None:
    assert outcome(said, question) == worth


@pytest.mark.parametrize(
    ("first", "second", "worth"),
    [
        (DOES_NOT_SAY, "1932", "right"),
        ("1932", DOES_NOT_SAY, "right"),
        (DOES_NOT_SAY, 'Perhaps 1932: "Built in 1932."', "right"),
        ("80 years", "1932", "right"),
        (DOES_NOT_SAY, "1933", "wrong fact"),
        (DOES_NOT_SAY, 'Perhaps 1933: "Not 1933."', "wrong guess"),
        ('Perhaps 80 years: "80 years"', "1933", "wrong fact"),
        (DOES_NOT_SAY, DOES_NOT_SAY, "unsaid"),
    ],
)
def test_of_a_question_in_parts_one_answer_has_to_be_right(first: str, second: str, worth: Outcome) -> None:
    said = f"How old is the bridge?\n{first}\n\nWhat year was it put up in?\n{second}"
    assert outcome(said, asked("span", "1932")) == worth


@pytest.mark.parametrize(
    ("said", "question", "worth"),
    [
        ("The total due is 1,593.96 EUR.", asked("span", "1,593.96 EUR"), "right"),
        ("The total due is 21,593.96 EUR.", asked("span", "1,593.96 EUR"), "wrong fact"),
        ("The fee:\n\n1,593.96 EUR.", asked("span", "1,593.96 EUR"), "right"),
        ("Perhaps 5.", asked("span", "6"), "wrong fact"),
        ("No, it is closed.", asked("no", "closed"), "right"),
        ("Nobody knows.", asked("no", "closed"), "wrong fact"),
        (DOES_NOT_SAY, asked("none"), "unsaid"),
    ],
)
def test_a_model_words_its_answers_itself(said: str, question: Question, worth: Outcome) -> None:
    assert outcome(said, question, is_worded=True) == worth


def test_the_shares() -> None:
    about = [asked("span", "80"), asked("span", "80"), asked("span", "80"), asked("yes"), asked("no"), asked("none")]
    said = ["80", "Perhaps 80", DOES_NOT_SAY, "Yes: 80", 'Perhaps yes: "80 cars"', DOES_NOT_SAY]
    score = Score.of(about, [outcome(*both) for both in zip(said, about, strict=True)])
    assert (score.right_spans, score.right_yes_or_no, score.recognised_as_not_said) == (200 / 3, 50.0, 100.0)
    assert (score.wrong_as_facts, score.wrong_as_guesses) == (0.0, 100 / 6)


def test_questions_come_from_test_sets_and_from_samples(tmp_path: Path) -> None:
    answers = {"Who?": "Jane", "Is it?": "no: it is not", "When?": "not said"}
    asked = [{"question": question, "answer": answer} for question, answer in answers.items()]
    sample = {"text": "…", "asked": asked, "family": "letter", "held_out": True}
    file = tmp_path / "questions.jsonl"
    row = Question("bill", "…", "What?", ["80"], Says.SPAN)
    file.write_text("".join(json.dumps(line) + "\n" for line in (asdict(row), sample)))
    assert list(questions_in(file)) == [
        row,
        Question("letter", "…", "Who?", ["Jane"], Says.SPAN),
        Question("letter", "…", "Is it?", ["it is not"], Says.NO),
        Question("letter", "…", "When?", [], Says.NOTHING),
    ]
