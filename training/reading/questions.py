"""Questions that no template has: on keys, on tables, and on what a document does not say."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from training.reading.documents import Asked, Document
from training.reading.templates import Form, Says, Template
from training.reading.traced import Place

_FILE = Path(__file__).with_name("questions.txt")

_MOST_KEY_WORDS, _MOST_VALUE_WORDS = 4, 12
_ON_KEYS = ("What is the {}?", "{}?", "{}?", "What does it say for {}?", "what is the {}", "{}", "Which {} is given?")
_ON_ANY_KEY = ("{}?", "{}?", "{}", "What does it say for {}?", "What stands beside '{}'?", "What is written for {}?")
_ON_CELLS = ("What is the {1} of {0}?", "{1} of {0}?", "{0}: {1}?", "{0} {1}?", "What does the table say for {0}, {1}?")
_VERBAL = re.compile(
    r"\b(pay|bring|call|please|leave|send|return|report|valid|use|store|keep|made|paid|signed|for|from|to|by|in|on|at|of"
    r"|born|is|are|was|were|we|you|your|i|my|who|what|when|where|how|why|if|do|does|\w+ed)\b",
    re.IGNORECASE,
)

# Kinds whose absence is certain if the document has no such slot and nothing that looks like it.
_LOOKS = {
    "phone": r"\d[\d /()-]{5,}\d|phone|call",
    "email": r"@",
    "website": r"\w\.\w{2,}|online|website",
    "iban": r"iban|account",
    "plate": r"plate|registration",
    "percent": r"%|per ?cent",
    "temperature": r"°|degree",
    "weight": r"\d ?(?:k?g|lb|oz)\b",
    "money": r"[€$£¥₹]|\b(?:EUR|USD|GBP|CHF|kr|free|Rs)\b|\d[.,]\d\d\b|cent|euro|pound|dollar",
    "date": r"\d(?:st|nd|rd|th)\b|[./-]\d|day\b|tomorrow|week|month|"
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    "time": r"\d ?[ap]\.?m|\d[:.]\d\d|o'clock|noon|midnight|morning|evening|night|hour|minute",
    "code": r"\d{3}|no\.|number",
}
_SAME = {"price": "money", "hours": "time"}
_ALSO = {"money": ("price",), "date": ("day", "month", "hours", "time"), "time": ("hours", "date"), "code": ("number",)}


def further(document: Document, others: Sequence[Template], rng: random.Random) -> list[Asked]:
    """Some questions on the document that its template does not have.

    Args:
        others: templates to take questions from that the document does not answer.
    """
    said = [*_on_keys(document), *_on_tables(document), *_on_kinds(document)]
    unsaid = [*_on_absent_words(document)]
    chosen = rng.sample(said, min(len(said), rng.choice((1, 2, 3, 4))))
    chosen += rng.sample(unsaid, min(len(unsaid), rng.choice((0, 1, 1))))
    if rng.random() < 0.6:
        chosen += _of_others(document, others, rng)
    return chosen


def _on_keys(document: Document) -> Iterator[Asked]:
    pairs = [block.cells for block in document.blocks if block.form is Form.PAIR]
    keys = [document.cells[key].casefold() for key, _ in pairs]
    for (key, value), folded in zip(pairs, keys, strict=True):
        name, text = document.cells[key].rstrip(" :?."), document.cells[value]
        if keys.count(folded) > 1 or not text or not re.search(r"\w", name):
            continue
        if len(name.split()) > _MOST_KEY_WORDS or len(text.split()) > _MOST_VALUE_WORDS:
            continue
        shown = name if name.isupper() or not name[1:].islower() else name[0].lower() + name[1:]
        ways = _ON_ANY_KEY if _VERBAL.search(name) else _ON_KEYS
        wordings = [way.format(name if way.startswith("{}") else shown) for way in ways]
        yield Asked((*wordings,), Says.SPAN, (Place(value, 0, len(text)),))


def _on_tables(document: Document) -> Iterator[Asked]:
    for form, group in itertools.groupby(document.blocks, key=lambda block: block.form):
        rows = [block.cells for block in group] if form is Form.ROW else []
        if len(rows) < 2 or len(rows[0]) < 2:
            continue
        head = [document.cells[cell] for cell in rows[0]]
        labels = [document.cells[row[0]].casefold() for row in rows]
        with_head = not re.search(r"\d", " ".join(head)) and all(head[1:]) and len(set(head)) == len(head)
        for row, label in zip(rows, labels, strict=True):
            name = document.cells[row[0]]
            if labels.count(label) > 1 or not re.search(r"[^\W\d]{3}", name) or len(name.split()) > 5:
                continue
            if len(head) == 2 and not with_head and len(row) == 2 and document.cells[row[1]]:
                yield Asked((f"{name}?", name, f"What does it say for {name}?"), Says.SPAN, (_whole(document, row[1]),))
            elif with_head and len(head) > 2 and row is not rows[0] and len(row) == len(head):
                for title, cell in zip(head[1:], row[1:], strict=True):
                    if document.cells[cell].strip(" -–"):
                        wordings = tuple(way.format(name, title.lower()) for way in _ON_CELLS)
                        yield Asked(wordings, Says.SPAN, (_whole(document, cell),))


def _whole(document: Document, cell: int) -> Place:
    return Place(cell, 0, len(document.cells[cell]))


@dataclass(frozen=True)
class _Section:
    kind: str
    words: tuple[str, ...]
    wordings: tuple[str, ...]


@cache
def _sections() -> tuple[_Section, ...]:
    text = "\n".join(line for line in _FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    found = []
    for head, body in re.findall(r"^\[(.*)\]\n((?:[^\[\n].*\n?)+)", text, re.MULTILINE):
        kind, _, words = head.partition(";")
        found.append(_Section(kind.strip(), tuple(words.split()), tuple(body.strip().splitlines())))
    return tuple(found)


def _on_kinds(document: Document) -> Iterator[Asked]:
    for section in _sections():
        values = document.slots.get(section.kind, ())
        if len(values) == 1:
            yield Asked(section.wordings, Says.SPAN, values[0])


def _on_absent_words(document: Document) -> Iterator[Asked]:
    text = " ".join(document.cells).casefold()
    for section in _sections():
        if section.kind not in document.slots and not any(word in text for word in section.words):
            yield Asked(section.wordings, Says.NOTHING)


def _of_others(document: Document, others: Sequence[Template], rng: random.Random) -> list[Asked]:
    """A question of another document, if there is one whose sort of answer this document does not have."""
    text = " ".join(document.cells)
    for _ in range(20):
        other = rng.choice(others)
        question = rng.choice(other.questions)
        slot = other.slots.get(question.answer)
        if slot is None or question.says is not Says.SPAN or other is document.template:
            continue
        kind = _SAME.get(slot.kind, slot.kind)
        wordings = tuple(w for w in question.wordings if not any(sign in other.slots for sign in w))
        if kind not in _LOOKS or not wordings or any(near in document.slots for near in (kind, *_ALSO.get(kind, ()))):
            continue
        if not re.search(_LOOKS[kind], text, re.IGNORECASE):
            return [Asked(wordings, Says.NOTHING)]
    return []
