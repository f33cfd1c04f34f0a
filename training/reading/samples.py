"""The reader's training data: texts with questions and answers, drawn without end from one seed.

`python -m training.reading.samples --out FOLDER --samples N --seed S` writes it as JSON lines: `train.jsonl`, and
`held-out.jsonl` from the documents that training never sees. Without `--out` it prints some samples. A sample:

    {"text": ..., "asked": [{"question": ..., "answer": ...}], "family": ..., "held_out": false}

An answer is a run of the text's units (white space as single spaces), "yes: " or "no: " and such a run, or "not said".
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.lines import write_lines
from training.noise import noisy
from training.reading.documents import Asked, Document, filled
from training.reading.layout import compose
from training.reading.mistakes import measured
from training.reading.questions import further
from training.reading.renderings import as_speech, as_text, is_speakable
from training.reading.templates import Says, Template, templates
from training.reading.traced import Traced

NOT_SAID = "not said"

PAGES = Path(__file__).with_name("pages.jsonl")
"""Pages of the documents for training, as OCR has read them."""

_FROM_PAGES = 0.06  # of the samples
_MOST_QUESTIONS = 14
_MOST_WORDS = 420  # of several documents, one after the other
_COMMON = frozenset(
    (
        "what", "which", "when", "where", "does", "there", "that", "this", "with", "have", "from", "will", "must",
        "their", "they", "your", "long", "much", "many", "about", "into", "before", "after", "only", "than", "then",
        "also", "should", "could", "would", "been", "being", "take", "give", "given", "says", "said",
    )
)  # fmt: skip
_AROUND = (
    "Please tell me: {}", "Can you tell me: {}", "According to this document, {}", "I'd like to know: {}", "hi, {}",
    "Look at the document: {}", "{} Please answer briefly.", "From the text: {}", "Quick question: {}", "Tell me, {}",
    "In this picture, {}", "{} I can't find it.",
)  # fmt: skip
_IN = ("In the {}: {}", "In the {}, {}", "{1} (in the {0})", "About the {}: {}")


@dataclass(frozen=True)
class Sample:
    """A text and what is asked about it.

    Attributes:
        family: the document, or the first of several.
    """

    text: str
    asked: tuple[dict[str, str], ...]
    family: str
    held_out: bool


class Samples:
    """Draws samples.

    Args:
        held_out: draw from the documents that are kept from training instead of the others.
    """

    def __init__(self, seed: int, held_out: bool = False, given: Sequence[Template] | None = None) -> None:
        self._rng = random.Random(seed)
        self._templates = [t for t in (templates() if given is None else given) if t.held_out is held_out]
        families = {template.family for template in self._templates}
        rows = map(json.loads, PAGES.read_text(encoding="utf-8").splitlines())
        self._pages = [row for row in rows if row["family"] in families]

    def __iter__(self) -> Iterator[Sample]:
        """Samples without end: every document comes equally often."""
        while True:
            for template in self._rng.sample(self._templates, len(self._templates)):
                if self._pages and self._rng.random() < _FROM_PAGES:
                    yield self._from_page(self._rng.choice(self._pages))
                if (sample := self._sample(template)) is not None:
                    yield sample

    def _from_page(self, row: Mapping[str, Any]) -> Sample:
        """A page that OCR has read."""
        asked = [self._pair(a["wordings"], Says(a["says"]), a["span"]) for a in row["asked"]]
        chosen = self._rng.sample(asked, min(len(asked), _MOST_QUESTIONS))
        return Sample(row["text"], tuple(chosen), row["family"], held_out=False)

    def _sample(self, template: Template) -> Sample | None:
        rng = self._rng
        document = filled(template, rng)
        text, asked = self._text(document), [*document.asked, *further(document, self._templates, rng)]
        several = rng.random() < 0.12
        others = self._others(document, text) if several else []
        if others:
            text, asked = self._between(document, text, others, asked)
        answered = [pair for question in asked if (pair := self._answered(question, text)) is not None]
        answered = rng.sample(answered, min(len(answered), _MOST_QUESTIONS))
        return Sample(text.text, tuple(answered), template.family, template.held_out) if answered else None

    def _text(self, document: Document) -> Traced:
        """One of the texts that a document has in use."""
        rng = self._rng
        roll = rng.random()
        if roll < 0.08 and is_speakable(document):
            return as_speech(document, rng)
        if roll < 0.28:
            return as_text(document, rng)
        return measured().read(compose(document, rng), rng)

    def _others(self, document: Document, text: Traced) -> list[tuple[Document, Traced]]:
        """One or two documents of other types that make no text of more than some hundred words with this one."""
        found: list[tuple[Document, Traced]] = []
        words = len(text.text.split())
        for template in self._rng.sample(self._templates, 2):
            other = filled(template, self._rng)
            read = self._text(other)
            words += len(read.text.split())
            if words < _MOST_WORDS and template.type != document.template.type:
                found.append((other, read))
        return found

    def _between(
        self, document: Document, text: Traced, others: Sequence[tuple[Document, Traced]], asked: Sequence[Asked]
    ) -> tuple[Traced, list[Asked]]:
        """The text among others, with the questions that only this document can be asked."""
        rng = self._rng
        texts = [text, *(Traced.foreign(other.text) for _, other in others)]
        rng.shuffle(texts)
        around = " ".join(other.text for _, other in others).casefold()
        own = text.text.casefold()
        kept = []
        for question in asked:
            wordings = [w for w in question.wordings if question.places and _points_to(w, own, around)]
            if not wordings and len(document.template.type.split()) < 3:
                wordings = [rng.choice(_IN).format(document.template.type, w) for w in question.wordings]
            if wordings:
                kept.append(Asked(tuple(wordings), question.says, question.places))
        return Traced.joined(texts, rng.choice(("\n", "\n\n", "\n\n"))), kept

    def _answered(self, asked: Asked, text: Traced) -> dict[str, str] | None:
        """A question and its answer in the text; None if the answer cannot be read there."""
        span = "" if asked.says is Says.NOTHING else text.span(asked.places)
        return self._pair(asked.wordings, asked.says, span) if span is not None else None

    def _pair(self, wordings: Sequence[str], says: Says, span: str) -> dict[str, str]:
        """A question as somebody types it, and what answers it."""
        answers = {Says.NOTHING: NOT_SAID, Says.SPAN: span}
        return {
            "question": _typed(self._rng.choice(wordings), self._rng),
            "answer": answers.get(says, f"{says}: {span}"),
        }


def _points_to(wording: str, own: str, around: str) -> bool:
    """Whether a question names something that stands in one text only."""
    words = [w for w in re.findall(r"\w{4,}", wording.casefold()) if w not in _COMMON]
    return any(w[:6] in own for w in words) and not any(w[:6] in around for w in words)


def _typed(question: str, rng: random.Random) -> str:
    """A question as somebody types it."""
    if rng.random() < 0.07:
        around = rng.choice(_AROUND)
        inside = ", {}" in around and question[1:2].islower()
        question = around.format(question[0].lower() + question[1:] if inside else question)
    question = noisy(question, rng)
    if rng.random() < 0.15:
        question = question.lower()
    return question.rstrip("?. ") if rng.random() < 0.15 else question


def said_in(answer: str) -> tuple[str | None, bool | None]:
    """Span and verdict of an answer in a file: a span, "yes: span", "no: span", or "not said"."""
    for words, verdict in (("yes: ", True), ("no: ", False)):
        if answer.startswith(words):
            return answer.removeprefix(words), verdict
    return (None if answer == NOT_SAID else answer), None


def write(folder: Path, seed: int, samples: int, tests: int) -> None:
    """Write `held-out.jsonl` and, when all else is there, `train.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, held_out, count in (("held-out", True, tests), ("train", False, samples)):
        drawn = itertools.islice(Samples(seed + held_out, held_out), count)
        write_lines(folder / f"{name}.jsonl", (asdict(sample) for sample in drawn))


def main() -> None:
    """Write the reader's training data, or print some of it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, help="folder to write to; without it samples are printed")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--tests", type=int, default=60, help="samples of the documents kept from training")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.out is not None:
        write(given.out, given.seed, given.samples, given.tests)
        return
    for sample in itertools.islice(Samples(given.seed), given.samples):
        print(f"[{sample.family}]\n{sample.text}\n")
        for row in sample.asked:
            print(f"{row['question']}  ->  {row['answer']}")
        print()


if __name__ == "__main__":
    main()
