"""Text that knows which characters of a document it shows, whatever layout and OCR did to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hugginggpt.controller.embedded.reader_tokens import units_of

_LEAST_LEFT = 56  # percent of an answer's characters, white space included
_MOST_STUCK = 12  # characters of other words that are stuck to an answer


@dataclass(frozen=True)
class Place:
    """A part of one cell of a document: the characters from `start` until before `end`."""

    cell: int
    start: int
    end: int


Origin = tuple[int, int]
"""A cell and an offset in it."""


@dataclass(frozen=True)
class Traced:
    """A text and the origin of each of its characters; None for what layout or OCR put in."""

    text: str
    origins: tuple[Origin | None, ...]

    @classmethod
    def of_cell(cls, text: str, cell: int, start: int = 0) -> Traced:
        """A part of a cell."""
        return cls(text, tuple((cell, start + n) for n in range(len(text))))

    @classmethod
    def foreign(cls, text: str) -> Traced:
        """Text that belongs to no cell."""
        return cls(text, (None,) * len(text))

    @classmethod
    def joined(cls, parts: Iterable[Traced], joint: str = "") -> Traced:
        """The parts, with a joint between them."""
        text, origins = list[str](), list[Origin | None]()
        for n, part in enumerate(parts):
            for piece in (cls.foreign(joint), part) if n and joint else (part,):
                text.append(piece.text)
                origins.extend(piece.origins)
        return cls("".join(text), tuple(origins))

    def __getitem__(self, part: slice) -> Traced:
        return Traced(self.text[part], self.origins[part])

    def stripped(self) -> Traced:
        """Without white space at its ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self[start : max(start, len(self.text.rstrip()))]

    def mapped(self, change: Callable[[str], str]) -> Traced:
        """With every character changed to another one, or left out."""
        kept = [(change(sign), origin) for sign, origin in zip(self.text, self.origins, strict=True)]
        return Traced("".join(sign for sign, _ in kept), tuple(origin for sign, origin in kept for _ in sign))

    def words(self) -> list[Traced]:
        """Its words."""
        return [self[match.start() : match.end()] for match in re.finditer(r"\S+", self.text)]

    def span(self, places: Sequence[Place]) -> str | None:
        """The best run of units that shows one of the places, on one line; None if none is left in one piece."""
        for place in places:
            if (span := self._span(place)) is not None:
                return span
        return None

    def _span(self, place: Place) -> str | None:
        def inside(origin: Origin | None) -> bool:
            return origin is not None and origin[0] == place.cell and place.start <= origin[1] < place.end

        shown = [n for n, origin in enumerate(self.origins) if inside(origin) and not self.text[n].isspace()]
        if not shown or 100 * len(shown) < _LEAST_LEFT * (place.end - place.start):
            return None
        between = range(shown[0], shown[-1] + 1)
        if any(self.origins[n] is not None and not inside(self.origins[n]) for n in between):
            return None
        units = [unit for unit in units_of(self.text) if unit.end() > shown[0] and unit.start() <= shown[-1]]
        if not units:
            return None
        start, end = units[0].start(), units[-1].end()
        if end - start - len(between) > _MOST_STUCK:
            return None
        return " ".join(self.text[start:end].split())
