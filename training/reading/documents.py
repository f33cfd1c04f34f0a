"""Documents: templates with values in their slots, whose answers are places in them."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from training.reading.templates import Form, Says, Template
from training.reading.traced import Place
from training.reading.values import values_of


@dataclass(frozen=True)
class Block:
    """A line of a document: its cells by number; a pair's are the key and the value."""

    form: Form
    cells: tuple[int, ...]


@dataclass(frozen=True)
class Asked:
    """A question in several wordings, and where its answer stands: the best place first."""

    wordings: tuple[str, ...]
    says: Says
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Document:
    """A document.

    Attributes:
        cells: its texts.
        slots: where the values of each kind stand: for each value its places.
    """

    template: Template
    cells: tuple[str, ...]
    blocks: tuple[Block, ...]
    asked: tuple[Asked, ...]
    slots: Mapping[str, tuple[tuple[Place, ...], ...]]


def filled(template: Template, rng: random.Random) -> Document:
    """A document of a template, with values drawn for its slots and a wording for each key."""
    return _Filling(template, rng).document()


class _Filling:
    def __init__(self, template: Template, rng: random.Random) -> None:
        self._template = template
        self._values = _drawn(template, rng)
        self._signed: list[str] = []
        self._blocks: list[Block] = []
        for line in template.lines:
            texts = (rng.choice(line.keys), *line.cells) if line.form is Form.PAIR else line.cells
            first = len(self._signed)
            self._signed += texts
            self._blocks.append(Block(line.form, tuple(range(first, len(self._signed)))))

    def document(self) -> Document:
        template = self._template
        slots: dict[str, list[tuple[Place, ...]]] = {}
        for sign, slot in template.slots.items():
            slots.setdefault(slot.kind, []).append(self._places(sign))
        return Document(
            template,
            cells=tuple(map(self._filled, self._signed)),
            blocks=tuple(self._blocks),
            asked=tuple(
                Asked(tuple(map(self._filled, q.wordings)), q.says, self._places(q.answer) if q.answer else ())
                for q in template.questions
            ),
            slots={kind: tuple(places for places in found if places) for kind, found in slots.items()},
        )

    def _filled(self, text: str) -> str:
        return "".join(self._values.get(sign, sign) for sign in text)

    def _places(self, signed: str) -> tuple[Place, ...]:
        """Where a text with signs stands in the cells: cells that hold nothing else come first."""
        start = r"(?<!\w)" if signed[0].isalnum() else ""
        end = r"(?!\w)" if signed[-1].isalnum() else ""
        pattern = re.compile(start + re.escape(signed) + end)
        found: list[tuple[bool, int, Place]] = []
        for cell, text in enumerate(self._signed):
            for match in pattern.finditer(text):
                first = len(self._filled(text[: match.start()]))
                place = Place(cell, first, first + len(self._filled(match.group())))
                found.append((match.group() != text, len(found), place))
        return tuple(place for *_, place in sorted(found))


def _drawn(template: Template, rng: random.Random) -> dict[str, str]:
    """A value for each sign of a template."""
    kinds = {sign: slot for sign, slot in template.slots.items() if slot.kind != "one"}
    values = values_of([(slot.kind, slot.name) for slot in kinds.values()], rng)
    chosen = {sign: rng.choice(slot.choices) for sign, slot in template.slots.items() if slot.kind == "one"}
    return chosen | dict(zip(kinds, values, strict=True))
