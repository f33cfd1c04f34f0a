"""Pictures cut into overlapping parts in which text is looked for, and the boxes put together again.

Tiles are parts of large pictures that would have to be shrunk too much otherwise. Windows are parts of those, so that
the model needs little memory.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hugginggpt.experts.embedded.reading_order import Box

LONGEST_SIDE = 2000
"""Pictures with a longer side are shrunk before text is looked for in them."""

# Pictures that are longer than a page are cut into pages.
_LONGER_THAN_A_PAGE = 2.0
_PAGE = 1.5
_SHORTEST_TILE = 1600

# A line as high as that is whole in one of two neighbouring tiles or windows.
_OVERLAP = 128

# Lines that are higher may be cut by every window.
_HIGHEST = 96

_WIDEST_WINDOW = 2048

# The sides of the parts are multiples of this, as the detector takes them.
_STEP = 32

# In pixels of the shrunk picture. Boxes of lines are a little higher than the lines.
_SMALLEST_LINE = 18.0


Size = tuple[int, int]
"""A width and a height in pixels."""


@dataclass(frozen=True)
class Tile:
    """A part of a picture, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def tiles(width: int, height: int) -> list[Tile]:
    """The tiles of a picture: one for each page of a long or wide picture, else the whole picture."""
    short, long = sorted((width, height))
    if long <= LONGEST_SIDE or long <= _LONGER_THAN_A_PAGE * short:
        return [Tile(0, 0, width, height)]
    return _cut(width, height, max(_SHORTEST_TILE, round(_PAGE * short)))


def smaller_tiles(width: int, height: int, line: float) -> list[Tile]:
    """Tiles that need not be shrunk, if the lines of the shrunk picture are too small to read, else none.

    Args:
        line: the usual height of the lines that were found, in pixels of the picture; 0 if none were.
    """
    if len(tiles(width, height)) > 1:
        return []
    scale = LONGEST_SIDE / max(width, height)
    return _cut(width, height, LONGEST_SIDE) if scale < 1 and line * scale < _SMALLEST_LINE else []


def windows(width: int, height: int, pixels: int) -> list[Tile]:
    """A picture cut into parts of about as many pixels at most: across the lines only if it is very wide.

    Args:
        width: a multiple of 32, like those of the parts.
        height: another one.
        pixels: of each part.
    """
    columns = list(_spans(width, _WIDEST_WINDOW))
    rows = list(_spans(height, pixels // (columns[0][1] - columns[0][0])))
    return [Tile(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _cut(width: int, height: int, side: int) -> list[Tile]:
    return [
        Tile(left, top, right, bottom) for top, bottom in _spans(height, side) for left, right in _spans(width, side)
    ]


def _spans(length: int, side: int) -> Iterator[tuple[int, int]]:
    """Parts of equal length that overlap."""
    if length <= side:
        yield 0, length
        return
    count = math.ceil((length - _OVERLAP) / (side - _OVERLAP))
    part = min(length, math.ceil((length + (count - 1) * _OVERLAP) / count / _STEP) * _STEP)
    for n in range(count):
        start = min(n * (part - _OVERLAP), length - part)
        yield start, start + part


def put_together(found: Sequence[Sequence[Box]]) -> list[Box]:
    """The boxes of all tiles: what overlaps between tiles is the same line, or the two halves of one.

    Args:
        found: the boxes of each tile, in pixels of the picture.
    """
    whole: list[Box] = []
    for boxes in found:
        old = list(whole)
        for box in boxes:
            while (same := next((other for other in old if _are_one_line(box, other)), None)) is not None:
                old.remove(same)
                whole.remove(same)
                box = _joined(same, box)
            whole.append(box)
    return whole


def cut_lines(found: Sequence[Box]) -> list[Box]:
    """The lines so high that windows may have cut them."""
    return [box for box in found if _height(box) > _HIGHEST]


def seen_whole(cut: Sequence[Box], whole: Sequence[Box]) -> list[Box]:
    """What lines are that were cut, by what is found where the whole picture is seen at once."""
    return [box for box in cut_lines(whole) if any(_are_one_line(box, part) for part in cut)]


def _height(box: Box) -> float:
    return min(math.dist(box[0], box[1]), math.dist(box[0], box[3]))


def _are_one_line(one: Box, other: Box) -> bool:
    """Whether two boxes cover each other where both are, however slanted they are."""
    a, b = _around(one), _around(other)
    upright = a[2] - a[0] >= a[3] - a[1] or b[2] - b[0] >= b[3] - b[1]
    if not upright:
        one, other, a, b = *map(_mirrored, (one, other)), _around(_mirrored(one)), _around(_mirrored(other))
    start, end = max(a[0], b[0]), min(a[2], b[2])
    if start >= end:
        return False
    (top, bottom), (other_top, other_bottom) = (_across(box, (start + end) / 2) for box in (one, other))
    shared = min(bottom, other_bottom) - max(top, other_top)
    return shared > 0.5 * min(bottom - top, other_bottom - other_top)


def _mirrored(box: Box) -> Box:
    return [[y, x] for x, y in box]


def _across(box: Box, x: float) -> tuple[float, float]:
    """Where a box begins and ends, from top to bottom, at a place across."""
    heights = []
    for (left, upper), (right, lower) in zip(box, [*box[1:], box[0]], strict=True):
        if min(left, right) <= x <= max(left, right):
            share = (x - left) / (right - left) if right != left else 0.0
            heights += [upper + share * (lower - upper)] if right != left else [upper, lower]
    return min(heights), max(heights)


def _joined(one: Box, other: Box) -> Box:
    """The larger box if it has the other one within its length, else a box over both."""
    a, b = _around(one), _around(other)
    if a[2] - a[0] >= a[3] - a[1] or b[2] - b[0] >= b[3] - b[1]:
        slack = 0.5 * max(a[3] - a[1], b[3] - b[1])
        within = max(a[2], b[2]) - min(a[0], b[0]) <= max(a[2] - a[0], b[2] - b[0]) + slack
        first, last = (one, other) if a[0] <= b[0] else (other, one)
        joined = [first[0], last[1], last[2], first[3]]
    else:
        slack = 0.5 * max(a[2] - a[0], b[2] - b[0])
        within = max(a[3], b[3]) - min(a[1], b[1]) <= max(a[3] - a[1], b[3] - b[1]) + slack
        first, last = (one, other) if a[1] <= b[1] else (other, one)
        joined = [first[0], first[1], last[2], last[3]]
    return max(one, other, key=_area) if within else joined


def _around(box: Box) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in box], [y for _, y in box]
    return min(xs), min(ys), max(xs), max(ys)


def _area(box: Box) -> float:
    left, top, right, bottom = _around(box)
    return (right - left) * (bottom - top)
