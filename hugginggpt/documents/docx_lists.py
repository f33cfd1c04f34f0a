"""The numbers of lists and the headings in DOCX files, which are not written in the text."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from hugginggpt.documents.office import Element, attribute, children, local, value

_MOST_LEVELS = 9
_MOST_STYLES = 20
"""How far up a chain of styles is followed."""
_PLACE = re.compile(r"%(\d)")
_HEADING = re.compile(r"heading|title|überschrift|titre|título|titel", re.IGNORECASE)
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"))
_ROMAN_ONES = ((9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


@dataclass(frozen=True)
class _Level:
    kind: str
    template: str
    start: int


class Lists:
    """Knows the styles and lists of one document, and counts along.

    Args:
        styles: the root of the part of that name.
        numbering: the root of the part of that name.
    """

    def __init__(self, styles: Element | None, numbering: Element | None) -> None:
        self._styles = {attribute(style, "styleId"): style for style in children(styles)}
        self._levels: dict[str, dict[int, _Level]] = {}
        self._abstract: dict[str, str] = {}
        self._restarts: dict[str, dict[int, int]] = defaultdict(dict)
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        for part in children(numbering):
            if local(part) == "abstractNum":
                self._levels[attribute(part, "abstractNumId")] = _levels(part)
            elif local(part) == "num":
                number = attribute(part, "numId")
                self._abstract[number] = value(part, "abstractNumId")
                for override in part:
                    if local(override) == "lvlOverride" and (start := value(override, "startOverride")).isdecimal():
                        self._restarts[number][_number(attribute(override, "ilvl"))] = int(start)

    def mark(self, paragraph: Element) -> str:
        """What stands before a paragraph of a list, indented by its depth; "" for others."""
        number, depth = self._place(paragraph)
        abstract = self._abstract.get(number, "")
        level = self._levels.get(abstract, {}).get(depth)
        if level is None:
            return ""
        counts = self._counts[abstract]
        restart = self._restarts[number].pop(depth, None)
        counts[depth] = restart if restart is not None else counts[depth] + 1 if depth in counts else level.start
        for deeper in range(depth + 1, _MOST_LEVELS):
            counts.pop(deeper, None)
        indent = "  " * depth
        if level.kind == "bullet":
            return f"{indent}- "
        if level.kind == "none":
            return indent
        shown = _PLACE.sub(lambda place: self._shown(abstract, int(place[1]) - 1), level.template)
        return f"{indent}{shown} " if shown else indent

    def is_heading(self, paragraph: Element) -> bool:
        """Whether a paragraph is a heading."""
        style = self._styles.get(value(paragraph, "pPr", "pStyle"))
        return style is not None and _HEADING.match(value(style, "name")) is not None

    def _place(self, paragraph: Element) -> tuple[str, int]:
        """The list that a paragraph is in, itself or by its style, and its depth there."""
        number, depth = (value(paragraph, "pPr", "numPr", name) for name in ("numId", "ilvl"))
        style_id = value(paragraph, "pPr", "pStyle")
        for _ in range(_MOST_STYLES):
            style = self._styles.get(style_id)
            if number or style is None:
                break
            number = value(style, "pPr", "numPr", "numId")
            depth = depth or value(style, "pPr", "numPr", "ilvl")
            style_id = value(style, "basedOn")
        return number, _number(depth)

    def _shown(self, abstract: str, depth: int) -> str:
        level = self._levels[abstract].get(depth)
        if level is None:
            return ""
        return _formatted(self._counts[abstract].setdefault(depth, level.start), level.kind)


def _levels(abstract: Element) -> dict[int, _Level]:
    return {
        _number(attribute(level, "ilvl")): _Level(
            value(level, "numFmt") or "decimal", value(level, "lvlText"), _number(value(level, "start") or "1")
        )
        for level in abstract
        if local(level) == "lvl"
    }


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0


def _formatted(number: int, kind: str) -> str:
    match kind:
        case "lowerLetter" | "upperLetter" if number > 0:
            letters = chr(ord("a") + (number - 1) % 26) * min(1 + (number - 1) // 26, 9)
            return letters.upper() if kind == "upperLetter" else letters
        case "lowerRoman" | "upperRoman" if 0 < number < 4000:
            roman = ""
            for size, sign in _ROMAN + _ROMAN_ONES:
                roman += sign * (number // size)
                number %= size
            return roman.upper() if kind == "upperRoman" else roman
        case "decimalZero":
            return f"{number:02}"
        case _:
            return str(number)
