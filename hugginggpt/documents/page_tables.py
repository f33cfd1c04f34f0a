"""Tables on a page of placed text: lines below each other whose words leave the same gaps free.

A page does not say what is a table. So a block of lines is one only if it begins with names of columns and has a column
of numbers, dates or amounts besides the first: forms, addresses, articles and tables of contents are none.
"""

from __future__ import annotations

import math
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from hugginggpt.documents.grids import is_number, table_from
from hugginggpt.media.values import Table

_GUTTER, _CLEAR = 0.2, 0.6
"""What all lines leave free between two columns, and the usual gap there, in heights of a line."""
_INNER = 0.8
"""Widest gap within a cell, in heights of a line."""
_NEARER = 0.8
"""Least part of a gap within a cell that the gap between this one and the next has."""
_FAR = 2.5
"""Widest gap between two lines, in heights of a line."""
_SPACE = 0.25
_TIGHT = 0.9
"""Lines of one cell are nearer to each other than this share of the distance of rows."""
_FEWEST_ROWS, _FEWEST_VALUES = 3, 3
_FILLED, _VALUES, _LABELS = 0.5, 0.67, 0.3
_MOST_LINES = 500
_MOST_COMPARED, _COMPARED_ON_A_PAGE, _COMPARING = 20_000_000, 50_000, 10
"""Pairs of words and gaps that are compared in one document, which takes some seconds, on each page of it besides, and
as how many it counts that there is a line at all.
"""
_LEADER = re.compile(r"(?:\.\s?){4,}|…{2,}|_{3,}")
_NOTHING = re.compile(r"[-–—.#*]*|n/?a", re.IGNORECASE)
_UNIT = re.compile(r"[^\w\s]{0,3}\s?\d[\d.,]*\s?\S{1,4}")
_IDENTIFIER = re.compile(r"\d{6,}")
_THOUSANDS = re.compile(r"(?<=\d)[.,'\u2019 \u00a0\u202f](?=\d{3}(?!\d))")
_AMOUNT = re.compile(r"[-+−–]?\d+(?:[.,]\d+)?")
_LETTERS = re.compile(r"[^\W\d_]{3,}\.?")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_PAGES = re.compile(r"pages?|p\.|pp\.|seiten?|s\.|page no\.?|[ivxlc]+", re.IGNORECASE)
_LABEL_END = (":", "\uff1a")


@dataclass
class Word:
    """Characters without a space between them, and where they begin and end."""

    text: str
    left: float
    right: float

    def add(self, text: str, left: float, right: float) -> None:
        """Add characters to the end, which in some scripts is on the left."""
        self.text += text
        self.left, self.right = min(self.left, left), max(self.right, right)


@dataclass(frozen=True)
class Line:
    """The words on one height, from left to right, and where that is, with y upwards."""

    words: Sequence[Word]
    bottom: float
    top: float

    @property
    def height(self) -> float:
        """From bottom to top."""
        return self.top - self.bottom


@dataclass(frozen=True)
class PageTable:
    """A table.

    Attributes:
        begin, end: the first of its lines, and the first one after it.
        rows: its cells; the first row names the columns.
        table: the same as a value.
    """

    begin: int
    end: int
    rows: Sequence[Sequence[str]]
    table: Table


_Gap = tuple[float, float]


class Effort:
    """What may still be spent on looking for tables in one document.

    Args:
        pages: how many pages the document has.
    """

    def __init__(self, pages: int = 1) -> None:
        self._left = _MOST_COMPARED + pages * _COMPARED_ON_A_PAGE

    @property
    def is_spent(self) -> bool:
        """Whether it was too much."""
        return self._left < 0

    def spend(self, count: int) -> bool:
        """Spend some of it on comparing words and gaps; false if there is no more."""
        self._left -= count + _COMPARING
        return not self.is_spent


def tables_among(lines: Sequence[Line], effort: Effort) -> Iterator[PageTable]:
    """The tables among the lines of a page, which are in the order of reading."""
    begin = 0
    while begin < len(lines) and not effort.is_spent:
        found = _Block(lines, begin, effort).table()
        if found is not None and not effort.is_spent:
            yield found
        begin = begin + 1 if found is None else found.end


class _Block:
    """Lines from one line on that leave the same gaps free.

    Attributes:
        lines: the lines.
        gutters: what they leave free, with the margins on both sides.
    """

    def __init__(self, lines: Sequence[Line], begin: int, effort: Effort) -> None:
        first = lines[begin]
        self._all, self._begin, self._effort = lines, begin, effort
        self._height = first.height
        self._spanning: set[int] = set()
        self.lines = [first]
        self.gutters = [(-math.inf, first.words[0].left), *_gaps(first, _GUTTER), (first.words[-1].right, math.inf)]
        while len(self.lines) < _MOST_LINES and self._goes_on(begin + len(self.lines)):
            continue

    def table(self) -> PageTable | None:
        """The table that begins with the first of the lines; None if there is none."""
        if len(self.lines) < _FEWEST_ROWS or not (inner := self._clear_gutters()):
            return None
        borders = [sum(gap) / 2 for gap in inner]
        grid = [self._cells(number, borders) for number in range(len(self.lines))]
        if (
            self._is_caption(grid)
            or self._goes_above(inner, borders)
            or any(_LEADER.search(" ".join(cells)) for cells in grid)
        ):
            return None
        if any(self._is_torn(number, borders) for number in range(len(self.lines))):
            return None
        rows, last = self._rows(grid, borders)
        found = None if self._breaks_off(last) else _told_table(rows)
        return None if found is None else PageTable(self._begin, self._begin + last, rows, found)

    def _goes_on(self, number: int) -> bool:
        """Add a line, if it belongs to the block."""
        if number >= len(self._all) or not self._is_near(number):
            return False
        line = self._all[number]
        if not self._effort.spend(len(line.words) * len(self.gutters)):
            return False
        if (narrowed := self._with(line)) is None:
            # A heading within a table goes across columns.
            follows = number + 1 < len(self._all) and self._is_near(number + 1)
            if len(self.lines) < 2 or not follows or _gaps(line, _CLEAR) or self._with(self._all[number + 1]) is None:
                return False
            if line.words[0].left > self.lines[-1].words[0].left + self._height or self._is_prose(line):
                return False
            self._spanning.add(len(self.lines))
        else:
            self.gutters = narrowed
        self.lines.append(line)
        return True

    def _is_near(self, number: int) -> bool:
        above, below = self._all[number - 1], self._all[number]
        return -below.height < above.bottom - below.top < _FAR * min(above.height, below.height)

    def _with(self, line: Line) -> list[_Gap] | None:
        """What is left of the gutters beside another line; None if that closes a clear one."""
        if self._is_prose(line):
            return None
        left: list[_Gap] = []
        for gap in self.gutters:
            parts = _without(gap, line, _GUTTER * self._height)
            if not parts and self._is_clear(gap, self.gutters):
                return None
            left += parts
        return left

    def _is_prose(self, line: Line) -> bool:
        if len(line.words) <= 2 * (len(self.gutters) - 1) or _gaps(line, _CLEAR):
            return False
        left, right = line.words[0].left, line.words[-1].right
        return any(left < gap[0] and gap[1] < right and self._is_clear(gap, self.gutters) for gap in self.gutters[1:-1])

    def _clear_gutters(self) -> list[_Gap]:
        """The gutters besides the margins, without those that are only gaps between words of one column."""
        gutters = list(self.gutters)
        while len(gutters) > 2 and self._effort.spend(len(gutters) * sum(len(line.words) for line in self.lines)):
            # Where no line fills both sides, others have to be joined first.
            widths = {gap: self._usual_width(gap, gutters) or math.inf for gap in gutters[1:-1]}
            least = min(gutters[1:-1], key=lambda gap: widths[gap])
            if widths[least] >= _CLEAR * self._height:
                break
            gutters.remove(least)
        return gutters[1:-1]

    def _is_clear(self, gap: _Gap, gutters: Sequence[_Gap]) -> bool:
        return self._usual_width(gap, gutters) >= _CLEAR * self._height

    def _usual_width(self, gap: _Gap, gutters: Sequence[_Gap]) -> float:
        """How far apart the words on both sides of a gutter usually are, where both columns are filled."""
        at = gutters.index(gap)
        widths: list[float] = []
        left = gutters[at - 1][1] if at else -math.inf
        right = gutters[at + 1][0] if at + 1 < len(gutters) else math.inf
        for number, line in enumerate(self.lines):
            if number in self._spanning:
                continue
            before = [word.right for word in line.words if left <= word.left and word.right <= gap[0]]
            after = [word.left for word in line.words if gap[1] <= word.left and word.right <= right]
            if before and after:
                widths.append(min(after) - max(before))
        return median(widths) if widths else 0.0

    def _is_caption(self, grid: Sequence[Sequence[str]]) -> bool:
        """Whether the first line is a text that happens to be free where columns end, and no names of columns."""
        filled = [sum(map(bool, cells)) for cells in grid]
        is_below_corner = filled[0] == max(filled) - 1 and not grid[0][0]
        return 1 < filled[0] < max(filled) and not is_below_corner and not _gaps(self.lines[0], _CLEAR)

    def _goes_above(self, inner: Sequence[_Gap], borders: Sequence[float]) -> bool:
        """Whether the line above looks like another row, so that the first line names nothing."""
        if not self._begin or not self._is_near(self._begin):
            return False
        above = self._all[self._begin - 1]
        if not _gaps(above, _CLEAR) or not all(_without(gap, above, _GUTTER * self._height) for gap in inner):
            return False
        cells = {bisect(borders, (word.left + word.right) / 2) for word in above.words}
        return len(cells) > max(1.0, len(borders) / 2)

    def _breaks_off(self, last: int) -> bool:
        """Whether the first line that is no part of the block looks like a row whose cells are too near to be told."""
        number = self._begin + len(self.lines)
        if last < len(self.lines) or number >= len(self._all) or not self._is_near(number):
            return False
        words = self._all[number].words
        left = min(line.words[0].left for line in self.lines)
        right = max(line.words[-1].right for line in self.lines)
        return (
            abs(words[0].left - left) < self._height
            and abs(words[-1].right - right) < self._height
            and _is_value(words[-1].text)
        )

    def _cells(self, number: int, borders: Sequence[float]) -> list[str]:
        cells: list[list[str]] = [[] for _ in range(len(borders) + 1)]
        for word in self.lines[number].words:
            at = 0 if number in self._spanning else bisect(borders, (word.left + word.right) / 2)
            cells[at].append(word.text)
        return [" ".join(words) for words in cells]

    def _is_torn(self, number: int, borders: Sequence[float]) -> bool:
        """Whether words of one cell are as far from each other as columns, or further than the next column is."""
        if number in self._spanning:
            return False
        words = [(bisect(borders, (word.left + word.right) / 2), word) for word in self.lines[number].words]
        inner: dict[int, float] = {}
        between: list[tuple[int, int, float]] = []
        for (column, before), (next_column, after) in pairwise(words):
            if column == next_column:
                inner[column] = max(inner.get(column, 0.0), after.left - before.right)
            else:
                between.append((column, next_column, after.left - before.right))
        return max(inner.values(), default=0.0) > _INNER * self._height or any(
            gap < _NEARER * max(inner.get(one, 0.0), inner.get(other, 0.0)) for one, other, gap in between
        )

    def _rows(self, grid: Sequence[Sequence[str]], borders: Sequence[float]) -> tuple[list[list[str]], int]:
        """The rows, each of one or several lines, and the number of lines they are on."""
        most = max(sum(map(bool, cells)) for cells in grid)
        full = [sum(map(bool, cells)) == most for cells in grid]
        steps = [above.top - below.top for above, below in pairwise(self.lines)]
        usual = min((step for step, (a, b) in zip(steps, pairwise(full), strict=True) if a and b), default=max(steps))
        rows: list[list[str]] = []
        ends: list[int] = []
        above: list[str] | None = None
        for number, cells in enumerate(grid):
            up = steps[number - 1] if number else math.inf
            down = steps[number] if number < len(steps) else math.inf
            is_part = not full[number] and number not in self._spanning
            if above is not None:
                rows.append(_joined(above, cells))
                above = None
            elif (
                rows
                and is_part
                and _may_be_joined(rows[-1], cells)
                and ((up < _TIGHT * usual and up <= down) or self._runs_on(number, cells, borders))
            ):
                rows[-1] = _joined(rows[-1], cells)
                ends.pop()
            elif is_part and down < _TIGHT * usual and _may_be_joined(cells, grid[number + 1]):
                above = list(cells)
                continue
            else:
                rows.append(list(cells))
            ends.append(number + 1)
        # Sums below a table have no name in its first column, and a text below it fills only one.
        while rows and (not rows[-1][0] or sum(map(bool, rows[-1])) < 2):
            rows.pop()
            ends.pop()
        return rows, ends[-1] if ends else 0

    def _runs_on(self, number: int, cells: Sequence[str], borders: Sequence[float]) -> bool:
        """Whether the only cell of a line is one whose first word had no room on the line above."""
        filled = [at for at, cell in enumerate(cells) if cell]
        if len(filled) != 1:
            return False

        def within(line: Line) -> list[Word]:
            return [word for word in line.words if bisect(borders, (word.left + word.right) / 2) == filled[0]]

        above, here = within(self.lines[number - 1]), within(self.lines[number])
        right = max(word.right for line in self.lines for word in within(line))
        needed = here[0].right - here[0].left + _SPACE * self._height
        return len(above) > 1 and above[-1].right + needed > right


def _told_table(rows: Sequence[Sequence[str]]) -> Table | None:
    """The table of rows of cells, if their words tell that it is one: see the top of this module."""
    table, titles, has_header = table_from(rows)
    if table is None or titles or not has_header or len(rows) < _FEWEST_ROWS or len(table.columns) < 2:
        return None
    # Headings within a table fill one cell.
    columns = list(zip(*(row for row in table.rows if sum(map(bool, row)) > 1), strict=True))
    if any(sum(map(bool, column)) < _FILLED * len(column) for column in columns):
        return None
    if any(name[0].isdigit() and _is_value(name) and not _YEAR.search(name) for name in table.columns):
        return None
    labels = sum(any(cell.endswith(_LABEL_END) for cell in row) for row in rows)
    if labels > _LABELS * len(rows) or (_PAGES.fullmatch(table.columns[-1]) and _ascends(columns[-1])):
        return None
    if len(columns) == 2:
        told = [cell for cell in columns[1] if not _NOTHING.fullmatch(cell)]
        is_told = len(told) >= _FEWEST_VALUES and not any(map(_IDENTIFIER.search, told))
        return table if is_told and _share_of_values(told) == 1 else None
    return table if any(_share_of_values(column) >= _VALUES for column in columns[1:]) else None


def _share_of_values(column: Sequence[str]) -> float:
    """How many cells of a column are values that are written alike; none if a text is at its top, which names it."""
    told = [cell for cell in column if not _NOTHING.fullmatch(cell)]
    if len(told) < 2 or not _is_value(told[0]):
        return 0.0
    ways = Counter(_LETTERS.sub("a", _AMOUNT.sub("9", _THOUSANDS.sub("", cell))) for cell in told if _is_value(cell))
    return max(ways.values()) / len(told)


def _ascends(column: Sequence[str]) -> bool:
    numbers = [int(cell) for cell in column if cell.isdecimal()]
    return numbers == sorted(numbers)


def _is_value(cell: str) -> bool:
    """Whether a cell is a number, an amount, a date or a time."""
    written = [character for character in cell if not character.isspace()]
    digits = sum(character.isdigit() for character in written)
    if is_number(cell) or _UNIT.fullmatch(cell):
        return True
    return digits >= len(written) / 2 and bool(written) and not written[0].isalpha()


def _may_be_joined(above: Sequence[str], below: Sequence[str]) -> bool:
    """Whether two lines may be one row: two numbers are not in one cell."""
    return not any(_is_value(a) and _is_value(b) for a, b in zip(above, below, strict=True) if a and b)


def _joined(above: Sequence[str], below: Sequence[str]) -> list[str]:
    return [" ".join(filter(None, pair)) for pair in zip(above, below, strict=True)]


def _gaps(line: Line, least: float) -> list[_Gap]:
    """Where a line is free between its words, for at least so many of its heights."""
    found, reach = [], line.words[0].right
    for word in line.words[1:]:
        if word.left - reach >= least * line.height:
            found.append((reach, word.left))
        reach = max(reach, word.right)
    return found


def _without(gap: _Gap, line: Line, least: float) -> list[_Gap]:
    """The parts of a gap that a line leaves free."""
    left, parts = gap[0], []
    for word in line.words:
        if word.right <= left or word.left >= gap[1]:
            continue
        if word.left - left >= least:
            parts.append((left, word.left))
        left = max(left, word.right)
    return [*parts, (left, gap[1])] if gap[1] - left >= least else parts
