"""The order in which the pieces of text on a page are read.

Pieces on one height make a row. Where rows have a gutter in common and both sides of it look like running text, the
left side is read before the right one; everywhere else rows are read across. Cells of tables have " | " between them,
and what only looks like cells a tab.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

from hugginggpt.documents.grids import piped
from hugginggpt.documents.page_tables import Effort, Line, Word, tables_among
from hugginggpt.media.values import Table

SAME_LINE, _SAME_ROW = 0.6, 0.5
"""How much of the lower piece has to be on the height of the other one, to be part of it and to be beside it."""
_GUTTER, _TAB = 0.8, 1.5
"""Narrowest gaps between columns of text and of a table, in heights of a line."""
_FEWEST_ROWS = 3
_MOST_SWITCHES = 0.2
_FULL_WIDTH, _FULL_SHARE, _RUNNING_SHARE = 0.75, 0.6, 0.4
_SHORTEST_LINE, _SHORTEST_IN_ORDER = 20, 10
"""Characters of a usual line of running text: where the file goes across both columns, and down each of them."""
_EMPTY_LINE = 0.5
_WORD_END = re.compile(r"(\w*[^\W\d_]{2,})[-\u00ad\u2010]$")
_WORD_BEGIN = re.compile(r"[^\W\d_]{2,}")
_COMPOUND = re.compile(r"\w+[-\u2010]\w+")


@dataclass
class Piece:
    """A stretch of text without a wide gap, and where it is, with y upwards.

    Attributes:
        words: its characters.
        left, bottom, right, top: its box.
        number: its place in the order of the file.
    """

    words: list[Word]
    left: float
    bottom: float
    right: float
    top: float
    number: int

    @cached_property
    def text(self) -> str:
        """Its words with spaces between them."""
        return " ".join(word.text for word in self.words)

    @property
    def height(self) -> float:
        """From bottom to top."""
        return self.top - self.bottom

    def on_height_of(self, bottom: float, top: float, share: float = _SAME_ROW) -> bool:
        """Whether it is in a row with something else."""
        common = min(self.top, top) - max(self.bottom, bottom)
        return common >= share * min(self.height, top - bottom)


Row = list[Piece]


def read(pieces: Sequence[Piece], effort: Effort) -> tuple[str, list[Table]]:
    """The text of a page, and its tables.

    Args:
        pieces: what is on the page.
        effort: what may be spent on its tables.
    """
    ordered = _in_order(_rows(pieces))
    tables = list(tables_among([_words(row) for row in ordered], effort))
    texts = {table.begin: piped(table.rows) for table in tables}
    inside = {number for table in tables for number in range(table.begin + 1, table.end)}
    gaps = [above[0].bottom - below[0].top for above, below in pairwise(ordered)]
    usual = median([gap for gap in gaps if gap >= -_tallest(ordered[0])] or [0.0]) if gaps else 0.0
    lines: list[str] = []
    above = 0.0
    for number, (row, gap) in enumerate(zip(ordered, [0.0, *gaps], strict=True)):
        height = _tallest(row)
        if number in inside:
            above = height
            continue
        # Where the next row is far above, another column begins.
        if lines and (gap > max(usual, 0.0) + _EMPTY_LINE * height or gap < -max(height, above)):
            lines.append("")
        lines.append(texts[number] if number in texts else _line(row))
        above = height
    return "\n".join(unhyphenated(lines)), [table.table for table in tables]


def unhyphenated(lines: Sequence[str]) -> list[str]:
    """Lines with the words put together that were divided at their ends.

    A hyphen stays where capitals or digits are beside it, and in a compound that the text has elsewhere.
    """
    compounds = {found.casefold() for line in lines for found in _COMPOUND.findall(line)}
    joined: list[str] = []
    for line in lines:
        end = _WORD_END.search(joined[-1]) if joined else None
        begin = _WORD_BEGIN.match(line)
        if end is None or begin is None or not begin[0][0].islower() or end[1].isupper():
            joined.append(line)
            continue
        word, rest = line.split(None, 1) if len(line.split(None, 1)) == 2 else (line, "")
        compound = f"{end[1]}-{begin[0]}".casefold() in compounds
        joined[-1] = f"{joined[-1][: end.end(1)]}{'-' if compound else ''}{word}"
        if rest:
            joined.append(rest)
    return joined


def _rows(pieces: Sequence[Piece]) -> list[Row]:
    rows: list[Row] = []
    for piece in sorted(pieces, key=lambda piece: (-(piece.top + piece.bottom), piece.left)):
        # The tallest piece of a row comes first in it.
        for row in reversed(rows[-3:]):
            if piece.on_height_of(row[0].bottom, row[0].top) and not any(_is_below(piece, other) for other in row):
                row.append(piece)
                if piece.height > row[0].height:
                    row[0], row[-1] = row[-1], row[0]
                break
        else:
            rows.append([piece])
    return rows


def _is_below(piece: Piece, other: Piece) -> bool:
    """Whether a piece is on the next line, although something as tall as both lines stands beside them."""
    across = min(piece.right, other.right) - max(piece.left, other.left)
    return across > 0 and not piece.on_height_of(other.bottom, other.top)


def _in_order(rows: Sequence[Row]) -> list[Row]:
    ordered: list[Row] = []
    # A heading beside a line of the other column does not ask for a wider gutter.
    usual = median(map(_tallest, rows)) if rows else 0.0
    at = 0
    while at < len(rows):
        columns = _columns(rows, at, usual)
        if columns is None:
            ordered.append(rows[at])
            at += 1
        else:
            left, right, at = columns
            ordered += _in_order(left) + _in_order(right)
    return ordered


def _columns(rows: Sequence[Row], at: int, usual: float) -> tuple[list[Row], list[Row], int] | None:
    """The left and the right side of rows with a common gutter that begin here, and where they end.

    Args:
        rows: the rows.
        at: the first of these.
        usual: the height of a usual row.
    """
    across = sorted(rows[at], key=lambda piece: piece.left)
    reach = 0.0
    for before, after in pairwise(across):
        reach = max(reach, before.right)
        if after.left - reach < _GUTTER * min(usual, _tallest(across)):
            continue
        gutters, end = [(reach, after.left)], at + 1
        while end < len(rows) and (narrowed := _narrowed(gutters, rows[end], usual)):
            gutters, end = narrowed, end + 1
        widest = max(gutters, key=lambda gutter: gutter[1] - gutter[0])
        middle = sum(widest) / 2
        sides = [
            [[piece for piece in row if (piece.left > middle) is after] for row in rows[at:end]]
            for after in (False, True)
        ]
        left, right = ([row for row in side if row] for side in sides)
        if _are_columns(left, right):
            return left, right, end
    return None


def _narrowed(gutters: Sequence[tuple[float, float]], row: Row, usual: float) -> list[tuple[float, float]]:
    """What is left of gutters beside another row: a piece inside of one has a gutter on both of its sides."""
    least = _GUTTER * min(usual, _tallest(row))
    for piece in row:
        gutters = [
            part
            for left, right in gutters
            for part in (
                ((left, right),)
                if piece.right <= left or piece.left >= right
                else ((left, piece.left), (piece.right, right))
            )
            if part[1] - part[0] >= least
        ]
    return list(gutters)


def _are_columns(left: list[Row], right: list[Row]) -> bool:
    if min(len(left), len(right)) < _FEWEST_ROWS:
        return False
    shortest = min(median(sum(len(piece.text) for piece in row) for row in side) for side in (left, right))
    numbers = sorted((piece.number, side) for side, rows in enumerate((left, right)) for row in rows for piece in row)
    switches = sum(before[1] != after[1] for before, after in pairwise(numbers))
    if switches <= max(1, _MOST_SWITCHES * min(len(left), len(right))):
        return shortest >= _SHORTEST_IN_ORDER
    return shortest >= _SHORTEST_LINE and all(_is_filled(side) and _runs_on(side) for side in (left, right))


def _is_filled(rows: list[Row]) -> bool:
    """Whether most lines are about as wide as the widest one."""
    widths = [max(piece.right for piece in row) - min(piece.left for piece in row) for row in rows]
    return sum(width >= _FULL_WIDTH * max(widths) for width in widths) >= _FULL_SHARE * len(widths)


def _runs_on(rows: list[Row]) -> bool:
    """Whether enough lines begin within a sentence; those of a table begin anew."""
    begins = [min(row, key=lambda piece: piece.left).text[0] for row in rows]
    return sum(not (begin.isupper() or begin.isdigit()) for begin in begins) >= _RUNNING_SHARE * len(begins)


def _line(row: Row) -> str:
    ordered = sorted(row, key=lambda piece: piece.left)
    right_to_left = _is_right_to_left("".join(piece.text for piece in row))
    if right_to_left:
        ordered.reverse()
    height = _tallest(row)
    line = ordered[0].text
    for before, after in pairwise(ordered):
        gap = before.left - after.right if right_to_left else after.left - before.right
        line += ("\t" if gap >= _TAB * height else " ") + after.text
    return line


def _words(row: Row) -> Line:
    words = sorted((word for piece in row for word in piece.words), key=lambda word: word.left)
    return Line(words, min(piece.bottom for piece in row), max(piece.top for piece in row))


def _is_right_to_left(text: str) -> bool:
    letters = [unicodedata.bidirectional(character) for character in text[:200]]
    return letters.count("R") + letters.count("AL") > letters.count("L")


def _tallest(row: Sequence[Piece]) -> float:
    return max(piece.height for piece in row)
