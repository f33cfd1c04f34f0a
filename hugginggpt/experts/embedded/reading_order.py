"""The order in which the pieces of text on a page are read: columns one after the other, tables and forms by rows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

Box = Sequence[Sequence[float]]
"""Four corners (x, y) in pixels, relative to the text: top left, top right, bottom right, bottom left."""

# All in heights of a line.
_GUTTER = 0.7
_NARROWEST_COLUMN = 3.5
_NEW_BLOCK = 0.6
_WIDEST_SPACE = 1.5

_FEWEST_LINES = 3
_SENTENCE_ENDS = (".", ",", ";", "-", "–", "。", "，", "、")


@dataclass(frozen=True)
class _Piece:
    number: int
    left: float
    right: float
    top: float
    bottom: float
    text: str

    @property
    def height(self) -> float:
        return self.bottom - self.top


_Row = list[_Piece]
_Gap = tuple[float, float]


def in_reading_order(found: Sequence[tuple[Box, str]]) -> str:
    """The text of a page, line by line, in the order of `rows_in_order`."""
    return "\n".join(" ".join(found[n][1].strip() for n in row) for row in rows_in_order(found))


def rows_in_order(found: Sequence[tuple[Box, str]]) -> list[list[int]]:
    """The pieces of a page in the order in which they are read: one list of their numbers per line.

    Columns of running text are read one after the other. Everything else is read row by row, from left to right, which
    keeps a label and its amount together, however far apart they are printed. A page that was scanned at an angle is
    straightened first.
    """
    slant = _slant([box for box, _ in found])
    pieces = [_piece(number, box, text, slant) for number, (box, text) in enumerate(found)]
    return [[piece.number for piece in row] for row in _ordered(_rows(pieces))]


def _slant(boxes: Sequence[Box]) -> float:
    """The angle of the lines in radians: the median over the boxes that are long enough."""
    edges = [(b[1][0] - b[0][0], b[1][1] - b[0][1], math.dist(b[0], b[3])) for b in boxes]
    angles = [math.atan2(dy, dx) for dx, dy, height in edges if math.hypot(dx, dy) > 2 * height]
    return median(angles) if angles else 0.0


def _piece(number: int, box: Box, text: str, slant: float) -> _Piece:
    cos, sin = math.cos(-slant), math.sin(-slant)
    xs, ys = [x * cos - y * sin for x, y in box], [x * sin + y * cos for x, y in box]
    return _Piece(number, min(xs), max(xs), min(ys), max(ys), text.strip())


def _rows(pieces: Sequence[_Piece]) -> list[_Row]:
    rows: list[_Row] = []
    for piece in sorted(pieces, key=lambda p: p.top + p.bottom):
        if rows and _same_row(rows[-1], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=lambda p: p.left) for row in rows]


def _same_row(row: _Row, piece: _Piece) -> bool:
    """Whether a piece belongs to a row: they share half the height of the smaller one.

    A piece three times as high is not part of the row but vertical text in the margin.
    """
    top, bottom = fmean(p.top for p in row), fmean(p.bottom for p in row)
    low, high = sorted((piece.height, bottom - top))
    return min(bottom, piece.bottom) - max(top, piece.top) > 0.5 * low and high < 3 * low


def _ordered(rows: list[_Row]) -> list[_Row]:
    """The rows, with columns of running text taken apart."""
    if len(rows) < _FEWEST_LINES:
        return rows
    height = median(piece.height for row in rows for piece in row)
    first, last, gutters = _longest_run(rows, _GUTTER * height)
    if not gutters:
        return rows
    ordered = _ordered(rows[:first])
    for columns, block in _blocks(rows[first:last], gutters, height):
        if not columns:
            ordered += block
        for column in columns:
            ordered += _ordered(_rows(column))
    return ordered + _ordered(rows[last:])


def _longest_run(rows: list[_Row], width: float) -> tuple[int, int, list[_Gap]]:
    """The rows with common gaps between text, the most of both: their begin, their end and the gaps."""
    longest: tuple[int, int, list[_Gap]] = (0, 0, [])
    most = 0
    free = [_gaps(row) for row in rows]
    for first in range(len(rows)):
        gaps: list[_Gap] = [(-math.inf, math.inf)]
        for last in range(first, len(rows) + 1):
            common = _common(gaps, free[last], width) if last < len(rows) else []
            # Gaps only get fewer: it is enough to look where one ends.
            if len(common) < len(gaps) and last - first >= _FEWEST_LINES and (last - first) * len(gaps) > most:
                gutters = _gutters(gaps, rows[first:last])
                if (last - first) * len(gutters) > most:
                    longest, most = (first, last, gutters), (last - first) * len(gutters)
            if not (gaps := common):
                break
    return longest


def _gaps(row: _Row) -> list[_Gap]:
    """Where a row has no text, from left to right."""
    gaps, end = [], -math.inf
    for piece in row:
        if piece.left > end:
            gaps.append((end, piece.left))
        end = max(end, piece.right)
    return [*gaps, (end, math.inf)]


def _common(some: list[_Gap], others: list[_Gap], width: float) -> list[_Gap]:
    both = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return [(start, end) for start, end in both if end - start >= width]


def _gutters(gaps: list[_Gap], rows: list[_Row]) -> list[_Gap]:
    """The gaps that have lines on both sides: several, because one may be a date, or one as the rest of a column."""
    sides = {
        gap: min(sum(row[0].right <= gap[0] for row in rows), sum(row[-1].left >= gap[1] for row in rows))
        for gap in gaps
    }
    fewest = 1 if any(lines > 1 for lines in sides.values()) else 2
    return [gap for gap, lines in sides.items() if lines >= fewest]


def _blocks(rows: list[_Row], gutters: list[_Gap], height: float) -> Iterator[tuple[list[list[_Piece]], list[_Row]]]:
    """The parts of a run: the columns of each, or none if it is read by rows, and its rows.

    Paragraphs that end at the same height in all columns do not end the columns; a table below them does.
    """
    parts: list[list[_Row]] = []
    bottom = math.inf
    for row in rows:
        if min(piece.top for piece in row) - bottom > _NEW_BLOCK * height or not parts:
            parts.append([])
            bottom = -math.inf
        parts[-1].append(row)
        bottom = max(bottom, *(piece.bottom for piece in row))
    group: list[_Row] = []
    for number, part in enumerate(parts):
        if number in (0, len(parts) - 1) and len(part) == len(part[0]) == 1:
            # A heading, a date or a number of the page beside the gutter, not the begin or end of a column.
            yield _columns(group, gutters, height), group
            yield [], part
            group = []
            continue
        if len(part) < _FEWEST_LINES or _columns(part, gutters, height):
            group += part
            continue
        yield _columns(group, gutters, height), group
        yield [], part
        group = []
    yield _columns(group, gutters, height), group


def _columns(rows: list[_Row], gutters: list[_Gap], height: float) -> list[list[_Piece]]:
    """The pieces of each column of running text, or nothing if the rows are not such columns."""
    if not rows:
        return []
    pieces = [piece for row in rows for piece in row]
    gutters = list(gutters)
    columns = _between(pieces, gutters)
    while len(columns) > 1 and (narrow := _narrow(columns, height)) is not None:
        # A narrow column belongs to its nearer neighbour: a number of a list to its text, an amount to its label.
        around = gutters[max(0, narrow - 1) : narrow + 1]
        gutters.remove(min(around, key=lambda gap: gap[1] - gap[0]))
        columns = _between(pieces, gutters)
    if len(columns) < 2:
        return []
    side_by_side = sum(len({_column_of(piece, gutters) for piece in row}) > 1 for row in rows) / len(rows)
    lines = [_rows(column) for column in columns]
    if all(len(column) < _FEWEST_LINES for column in lines):
        return []
    full = [column for column in lines if len(column) >= _FEWEST_LINES]
    if not all(_could_flow(column) for column in full):
        return []
    told = [line for column in lines for line in column[1:]]
    running = sum(_runs_on(line) for line in told) / len(told)
    if running < 0.3 and side_by_side > 0.3 and not all(_fills(column) for column in full):
        return []
    return columns


def _between(pieces: list[_Piece], gutters: list[_Gap]) -> list[list[_Piece]]:
    columns: list[list[_Piece]] = [[] for _ in range(len(gutters) + 1)]
    for piece in pieces:
        columns[_column_of(piece, gutters)].append(piece)
    return columns


def _column_of(piece: _Piece, gutters: list[_Gap]) -> int:
    return sum(piece.left >= end for _, end in gutters)


def _narrow(columns: list[list[_Piece]], height: float) -> int | None:
    """The first column that is empty or too narrow for running text."""
    for number, column in enumerate(columns):
        if not column or max(p.right for p in column) - min(p.left for p in column) < _NARROWEST_COLUMN * height:
            return number
    return None


def _could_flow(lines: list[_Row]) -> bool:
    """Whether lines could be running text: several words each, hardly any cells or amounts, nearly one width."""
    texts = [_text(line) for line in lines]
    if sum(_has_cells(line) for line in lines) >= 0.3 * len(lines):
        return False
    signs = "".join(texts).replace(" ", "")
    if sum(text.endswith((":", "：")) for text in texts) >= 0.3 * len(texts):
        return False
    if sum(sign.isdigit() for sign in signs) > 0.3 * len(signs):
        return False
    several = median(max(len(text.split()), _ideographs(text) / 2) for text in texts) >= 3
    return several and _share_of_long(lines) >= 0.4


def _has_cells(line: _Row) -> bool:
    return any(after.left - before.right > _WIDEST_SPACE * before.height for before, after in pairwise(line))


def _fills(lines: list[_Row]) -> bool:
    return _share_of_long(lines) >= 0.7


def _share_of_long(lines: list[_Row]) -> float:
    widest = max(line[-1].right for line in lines) - min(line[0].left for line in lines)
    return sum(line[-1].right - line[0].left >= 0.7 * widest for line in lines) / len(lines)


def _runs_on(line: _Row) -> bool:
    """Whether a line looks like a part of a sentence."""
    text = _text(line)
    return text[:1].islower() or text.endswith(_SENTENCE_ENDS)


def _text(line: _Row) -> str:
    return " ".join(piece.text for piece in line)


def _ideographs(text: str) -> int:
    return sum("\u3040" <= sign <= "\u9fff" for sign in text)
