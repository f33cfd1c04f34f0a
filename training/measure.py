"""Measure how well a controller reads: `python -m training.measure FILE`.

Each line of the file is `{"document", "text", "question", "answers": [spans], "says": "span", "yes", "no" or "none"}`,
or a sample as in the training data, such as those of `held-out.jsonl`.

The questions are asked as the product asks them. An answer is right if it is one of the spans, but for marks at its
ends or a word more or less; a sentence that a model words itself is right if it contains one of them. The answer to a
yes/no question is right if it begins so. The reader's guesses begin with "Perhaps" and are no facts. It answers a
question in parts part by part: one of the answers has to be right.
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
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY, GUESS, LEAST_SAID, SURE, Reader
from hugginggpt.controller.text_tasks import reader_of
from hugginggpt.deadline import Deadline
from hugginggpt.experts.controller import QuestionAnswering
from hugginggpt.media import Text
from hugginggpt.settings import get_settings
from training.reading.samples import said_in
from training.reading.templates import Says

Outcome = Literal["right", "wrong fact", "wrong guess", "unsaid"]

_WORTH: tuple[Outcome, ...] = ("right", "wrong fact", "wrong guess", "unsaid")
"""Of several answers to one question, what stands first here counts."""

_SECONDS = 120.0  # for one question
_LEAST_F1 = 0.8
_LIMITS = [step / 20 for step in range(17)] + [step / 100 for step in range(82, 100, 2)]
_CHOSEN = (("confidence", SURE), ("said", LEAST_SAID))


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
                yield Question(**{**row, "says": Says(row["says"])})
            else:
                yield from (_of_sample(row["family"], row["text"], **one) for one in row["asked"])


def _of_sample(document: str, text: str, question: str, answer: str) -> Question:
    span, verdict = said_in(answer)
    says = Says.NOTHING if span is None else {None: Says.SPAN, True: Says.YES, False: Says.NO}[verdict]
    return Question(document, text, question, [] if span is None else [span], says)


def outcome(said: str, question: Question, *, is_worded: bool = False) -> Outcome:
    """What an answer is worth, as a fact or as a guess.

    Args:
        said: the answer.
        question: the question.
        is_worded: a model has worded the answer; else it is the reader's.
    """
    if said == DOES_NOT_SAY:
        return "unsaid"
    if is_worded:
        return "right" if _is_right(said, question, is_worded=True) else "wrong fact"
    # Each of the reader's answers is one line; of several, each comes after its question.
    answers = [part.partition("\n")[2] for part in said.split("\n\n")] if "\n" in said else [said]
    return min((_outcome_of_one(answer, question) for answer in answers), key=_WORTH.index)


def _outcome_of_one(said: str, question: Question) -> Outcome:
    if said == DOES_NOT_SAY:
        return "unsaid"
    # A fact may be the text's own "Perhaps rain".
    is_guess = said.startswith(GUESS) and said not in " ".join(question.text.split())
    if _is_right(_guessed(said) if is_guess else said, question, is_worded=False):
        return "right"
    return "wrong guess" if is_guess else "wrong fact"


def _is_right(said: str, question: Question, *, is_worded: bool) -> bool:
    if question.says in (Says.YES, Says.NO):
        return re.match(rf"{question.says}\b", said, re.IGNORECASE) is not None
    span = re.sub(r"\A(?:Yes|No): ", "", said)
    return any(_f1(span, right) >= _LEAST_F1 or (is_worded and _holds(said, right)) for right in question.answers)


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
    def of(cls, questions: Sequence[Question], outcomes: Sequence[Outcome]) -> Score:
        """The score of some questions."""

        def share(wanted: Outcome, *says: Says) -> float:
            among = [found for asked, found in zip(questions, outcomes, strict=True) if asked.says in says]
            return 100 * among.count(wanted) / max(1, len(among))

        return cls(
            share("right", Says.SPAN),
            share("right", Says.YES, Says.NO),
            share("unsaid", Says.NOTHING),
            share("wrong fact", *Says),
            share("wrong guess", *Says),
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


def by_limit(reader: Reader, questions: Sequence[Question]) -> Iterator[tuple[str, float, Score]]:
    """The scores for each confidence and each chance that the text says something, if each was the limit of facts.

    Yields:
        the name of the limit, the limit and the score. Nothing is guessed.
    """
    readings = [reader.read(asked.question, asked.text) for asked in questions]
    facts = [str(replace(found, confidence=1.0)) for found in readings]
    for name in ("confidence", "said"):
        values = [getattr(found, name) for found in readings]
        for limit in _LIMITS:
            said = [fact if value >= limit else DOES_NOT_SAY for fact, value in zip(facts, values, strict=True)]
            outcomes = [outcome(*both) for both in zip(said, questions, strict=True)]
            yield name, limit, Score.of(questions, outcomes)


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="JSON lines; the module's docstring says of what")
    parser.add_argument("--limits", action="store_true", help="show what each limit of the reader would give")
    parser.add_argument("--misses", action="store_true", help="show every answer that is not right")
    arguments = parser.parse_args()
    questions = list(questions_in(arguments.file))
    controller = Controller.from_settings(get_settings())
    reader = reader_of(controller)
    if arguments.limits:
        if reader is None:
            sys.exit("Only the embedded reader says how sure it is.")
        for name, limit, score in by_limit(reader, questions):
            print(f"{name} {limit:.2f}{' *' if (name, limit) in _CHOSEN else ''}: {score}")
        return
    said, seconds = zip(*answers(controller, questions), strict=True)
    outcomes = [outcome(*both, is_worded=reader is None) for both in zip(said, questions, strict=True)]
    if arguments.misses:
        for answer, found, question in zip(said, outcomes, questions, strict=True):
            if found != ("unsaid" if question.says is Says.NOTHING else "right"):
                print(json.dumps([question.document, question.question, question.says, question.answers, answer]))
    print(
        f"{len(questions)} questions on {len({question.text for question in questions})} documents, {controller.name}"
    )
    print(f"{Score.of(questions, outcomes)}, median {statistics.median(seconds):.2f} s a question")


if __name__ == "__main__":
    main()
