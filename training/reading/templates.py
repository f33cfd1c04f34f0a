"""The hand-written documents in `training/documents/`, with questions and answers.

A document:

    @ letter, hot water turned off               its type and a few words; the family
    = {company a}                                a heading
    on {date b} the hot water will be off.       a line, which is a whole paragraph
    - Questions | Call us :: {phone a}           a key in one of these wordings, and its value
    | {food a} | {count a} | {money a} |         a row of a table

    ? When will it be off? | which day           a question in several wordings
    > {date b}                                   its answer, as it stands in the document
    ? Is the cold water off as well?
    no > Cold water stays on                     a question answered by yes or no, and where that stands
    ? What does it cost?
    none                                         the document does not say

Slots are `{kind}` or `{kind name}`, and `{one name: this|that}` for alternatives of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from training.phrases import is_held_out
from training.reading.values import KINDS

FOLDER = Path(__file__).parents[1] / "documents"

ANSWER = re.compile(r"(?:(yes|no) )?> *(\S.*)")
"""The line after a question that the document answers."""

_SLOT = re.compile(r"\{([^{}]*)\}")
_BETWEEN = re.compile(r"\s\|\s")
_PAIR = re.compile(r"- (.*?\S) ::(?:\s+(.*))?")
_FIRST_SIGN = 0xE000  # of Unicode's private use area: one sign stands for one slot


class Says(StrEnum):
    """How a document answers a question."""

    SPAN = "span"
    YES = "yes"
    NO = "no"
    NOTHING = "none"


class Form(StrEnum):
    """What a line of a document is."""

    HEADING = "heading"
    TEXT = "text"
    PAIR = "pair"
    ROW = "row"
    BLANK = "blank"


@dataclass(frozen=True)
class Slot:
    """A place for a value.

    Attributes:
        name: what tells it from other slots of its kind in its document.
        choices: the values to choose from, if its kind is "one".
    """

    kind: str
    name: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line of a document.

    Attributes:
        cells: its texts: one, or a key's value, or a row's cells.
        keys: the wordings of the key of a value.
    """

    form: Form
    cells: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A question in several wordings, and the answer's text as it stands in the document."""

    wordings: tuple[str, ...]
    says: Says
    answer: str = ""


@dataclass
class Template:
    """A document with signs of Unicode's private use area in place of its slots.

    Attributes:
        family: its first line, which names it.
        slots: the slot behind each sign.
    """

    family: str
    lines: list[Line] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    slots: dict[str, Slot] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """What sort of document it is, such as "letter"."""
        return self.family.split(",")[0].strip().lower()

    @property
    def held_out(self) -> bool:
        """Whether it is kept from training."""
        return is_held_out(self.family)


def templates(folder: Path = FOLDER) -> list[Template]:
    """Every document of the folder.

    Raises:
        ValueError: a file is malformed; the message names the file and the line.
    """
    found = [template for path in sorted(folder.glob("*.txt")) for template in _Reading(path).templates()]
    seen = set[str]()
    for template in found:
        if template.family in seen:
            raise ValueError(f'{folder.name}: two documents are called "{template.family}"; rename one.')
        seen.add(template.family)
    return found


class _Reading:
    """Reads one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0

    def templates(self) -> Iterator[Template]:
        template: Template | None = None
        wordings: tuple[str, ...] = ()
        for number, line in enumerate(self._path.read_text(encoding="utf-8").splitlines(), 1):
            self._number = number
            if line.startswith("#"):
                continue
            if line.startswith("@"):
                if template is not None:
                    yield self._complete(template, wordings)
                template, wordings = Template(line[1:].strip()), ()
            elif template is None:
                if line.strip():
                    raise self._error("text before the first document")
            elif line.startswith("? "):
                self._expect(not wordings, "the question before has no answer")
                wordings = tuple(_BETWEEN.split(self._signed(line[2:], template).strip()))
            elif wordings:
                template.questions.append(self._question(wordings, line, template))
                wordings = ()
            elif template.questions:
                self._expect(not line.strip(), "neither a question nor an answer")
            else:
                template.lines.append(_line(self._signed(line, template)))
        if template is not None:
            yield self._complete(template, wordings)

    def _complete(self, template: Template, open: tuple[str, ...]) -> Template:
        self._expect(not open, "the last question has no answer")
        self._expect(bool(template.questions), f'"{template.family}" has no questions')
        for slot in template.slots.values():
            self._expect(slot.kind != "one" or bool(slot.choices), f"{{one {slot.name}}} has no alternatives")
        while template.lines and template.lines[-1].form is Form.BLANK:
            template.lines.pop()
        return template

    def _question(self, wordings: tuple[str, ...], line: str, template: Template) -> Question:
        if line.strip() == Says.NOTHING:
            return Question(wordings, Says.NOTHING)
        match = ANSWER.fullmatch(line.strip())
        self._expect(match is not None, "a question needs an answer: a span, yes or no with a span, or none")
        assert match is not None
        question = Question(wordings, Says(match[1] or "span"), _squashed(self._signed(match[2], template)))
        cells = [text for line in template.lines for text in (*line.keys[:1], *line.cells)]
        self._expect(any(question.answer in cell for cell in cells), "the answer stands in no line or cell")
        return question

    def _signed(self, text: str, template: Template) -> str:
        """The text with signs for its slots; new slots are added to the template."""

        def sign(match: re.Match[str]) -> str:
            slot = self._slot(match[1], template)
            for known, sign in ((slot, sign) for sign, slot in template.slots.items()):
                if (known.kind, known.name) == (slot.kind, slot.name):
                    if slot.choices and not known.choices:
                        template.slots[sign] = slot
                    return sign
            new = chr(_FIRST_SIGN + len(template.slots))
            template.slots[new] = slot
            return new

        return _SLOT.sub(sign, text)

    def _slot(self, inside: str, template: Template) -> Slot:
        words, colon, choices = inside.partition(":")
        kind, _, name = words.strip().partition(" ")
        if kind == "one":
            given = tuple(choice.strip() for choice in choices.split("|")) if colon else ()
            return Slot(kind, name.strip() or choices.strip(), given)
        self._expect(kind in KINDS and not colon, f"{{{inside}}} is not a slot")
        return Slot(kind, name.strip())

    def _expect(self, right: bool, wrong: str) -> None:
        if not right:
            raise self._error(wrong)

    def _error(self, wrong: str) -> ValueError:
        return ValueError(f"{self._path.name}, line {self._number}: {wrong}.")


def _line(text: str) -> Line:
    if not text.strip():
        return Line(Form.BLANK)
    if text.startswith("= "):
        return Line(Form.HEADING, (_squashed(text[2:]),))
    if text.startswith("|"):
        cells = text.strip().removeprefix("|").removesuffix("|").split("|")
        return Line(Form.ROW, tuple(_squashed(cell) for cell in cells))
    if pair := _PAIR.fullmatch(text):
        return Line(Form.PAIR, (_squashed(pair[2] or ""),), tuple(map(_squashed, _BETWEEN.split(pair[1]))))
    return Line(Form.TEXT, (_squashed(text),))


def _squashed(text: str) -> str:
    return " ".join(text.split())
