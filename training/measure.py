"""Measure how well a controller reads: `python -m training.measure FILE`.

Each line of the file is `{"document", "text", "question", "answers": [spans], "says": "span", "yes", "no" or "none"}`,
or a sample as in the training data, such as those of `held-out.jsonl`.

The questions are asked as the product asks them. An answer is right if it is one of the spans, but for marks at its
ends or a word more or less; what a model words itself is right if it contains one of them. The answer to a yes/no
question is right if it begins so. An answer that begins with "Perhaps" is a guess, and no fact.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY, GUESS, LEAST_CONFIDENCE, SURE, Reader
from hugginggpt.controller.text_tasks import reader_of
from hugginggpt.deadline import Deadline
from hugginggpt.experts.controller import QuestionAnswering
from hugginggpt.media import Text
from hugginggpt.settings import get_settings
from training.reading.samples import said_in

Outcome = Literal["right", "wrong", "unsaid"]
Says = Literal["span", "yes", "no", "none"]

_SECONDS = 120.0  # for one question
_LEAST_F1 = 0.8
_STEPS = 20  # of the table over confidences


@dataclass(frozen=True)
class Question:
    """One line of the file."""

    document: str
    text: str
    question: str
    answers: list[str]
    says: Says


def questions_in(file: Path) -> Iterator[Question]:
    """The questions of a file."""
    with file.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if "asked" not in row:
                yield Question(**row)
            else:
                asked = [one for one in row["asked"] if "question" in one]
                yield from (_of_sample(row["family"], row["text"], **one) for one in asked)


def _of_sample(document: str, text: str, question: str, answer: str) -> Question:
    span, verdict = said_in(answer)
    says: Says = "none" if span is None else "span" if verdict is None else "yes" if verdict else "no"
    return Question(document, text, question, [] if span is None else [span], says)


def outcome(said: str, question: Question) -> Outcome:
    """What an answer is worth, as a fact or as a guess."""
    if said == DOES_NOT_SAY:
        return "unsaid"
    if said.startswith(GUESS):
        said = _guessed(said)
    if question.says in ("yes", "no"):
        return "right" if said.casefold().startswith(question.says) else "wrong"
    span = re.sub(r"\A(?:Yes|No): ", "", said)
    return (
        "right" if any(_f1(span, right) >= _LEAST_F1 or _holds(said, right) for right in question.answers) else "wrong"
    )


def _guessed(said: str) -> str:
    """What a guess says, without the place that it quotes."""
    return re.sub(r': ".*"\Z', "", said.removeprefix(GUESS), flags=re.DOTALL)


def _words(text: str) -> list[str]:
    return [stripped for word in text.casefold().split() if (stripped := re.sub(r"\A\W+|\W+\Z", "", word))]


def _f1(said: str, right: str) -> float:
    """The harmonic mean of precision and recall of the words, or whether the marks are the same if there are none."""
    found, wanted = Counter(_words(said)), Counter(_words(right))
    if not found or not wanted:
        return float(said.strip() == right.strip())
    return 2 * (found & wanted).total() / (found.total() + wanted.total())


def _holds(said: str, right: str) -> bool:
    """Whether a sentence of the model's own contains the span."""
    is_sentence = said.endswith(".") and not right.endswith(".")
    return is_sentence and f" {' '.join(_words(right))} " in f" {' '.join(_words(said))} "


@dataclass(frozen=True)
class Score:
    """Shares of questions, in percent. What is right may be a guess."""

    right_spans: float
    right_yes_or_no: float
    recognised_as_not_said: float
    wrong_as_facts: float
    wrong_as_guesses: float

    @classmethod
    def of(cls, questions: Sequence[Question], said: Sequence[str]) -> Score:
        """The score of the answers to some questions."""
        both = [(asked.says, outcome(answer, asked), answer) for asked, answer in zip(questions, said, strict=True)]

        def share(wanted: Outcome, *says: Says) -> float:
            asked = [found for about, found, _ in both if about in says]
            return 100 * asked.count(wanted) / max(1, len(asked))

        guessed = [answer.startswith(GUESS) for _, found, answer in both if found == "wrong"]
        return cls(
            share("right", "span"),
            share("right", "yes", "no"),
            share("unsaid", "none"),
            *(100 * guessed.count(kind) / max(1, len(both)) for kind in (False, True)),
        )

    def __str__(self) -> str:
        return (
            f"right spans {self.right_spans:.1f} %, right yes or no {self.right_yes_or_no:.1f} %, "
            f"recognised as not said {self.recognised_as_not_said:.1f} %, wrong as facts {self.wrong_as_facts:.1f} %, "
            f"wrong as guesses {self.wrong_as_guesses:.1f} %"
        )


def answers(controller: Controller, questions: Sequence[Question]) -> Iterator[tuple[str, float]]:
    """The answer to each question, as the product gives it, and the seconds that it took."""
    expert = QuestionAnswering()
    for question in questions:
        inputs = expert.prepare({"text": Text(question.question), "context": Text(question.text)})
        start = time.monotonic()
        said = str(expert.run(controller, inputs, Deadline(_SECONDS)))
        yield said, time.monotonic() - start


def by_confidence(reader: Reader, questions: Sequence[Question]) -> Iterator[tuple[float, Score]]:
    """The score for each confidence that could be the least of a fact, if nothing was guessed."""
    readings = [reader.read(asked.question, asked.text, least=0.0) for asked in questions]
    for least in (step / _STEPS for step in range(_STEPS)):
        said = [
            str(replace(found, confidence=1.0)) if found.confidence >= least else DOES_NOT_SAY for found in readings
        ]
        yield least, Score.of(questions, said)


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="JSON lines; the module's docstring says of what")
    parser.add_argument("--confidences", action="store_true", help="show what each least confidence would give")
    parser.add_argument("--misses", action="store_true", help="show every answer that is not right")
    arguments = parser.parse_args()
    questions = list(questions_in(arguments.file))
    controller = Controller.from_settings(get_settings())
    if arguments.confidences:
        if (reader := reader_of(controller)) is None:
            sys.exit("Only the embedded reader says how sure it is.")
        for least, score in by_confidence(reader, questions):
            print(f"{least:.2f}{' *' if least in (LEAST_CONFIDENCE, SURE) else ''}: {score}")
        return
    said, seconds = zip(*answers(controller, questions), strict=True)
    if arguments.misses:
        for answer, question in zip(said, questions, strict=True):
            if outcome(answer, question) != ("unsaid" if question.says == "none" else "right"):
                print(json.dumps([question.document, question.question, question.says, question.answers, answer]))
    print(
        f"{len(questions)} questions on {len({question.text for question in questions})} documents, {controller.name}"
    )
    print(f"{Score.of(questions, said)}, median {statistics.median(seconds):.2f} s a question")


if __name__ == "__main__":
    main()
