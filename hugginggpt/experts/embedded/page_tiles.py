"""Large pictures, cut into overlapping tiles in which text is looked for, and the boxes put together again."""

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

# A line as high as that is whole in one of two neighbouring tiles.
_OVERLAP = 160

# In pixels of the shrunk picture. Boxes of lines are a little higher than the lines.
_SMALLEST_LINE = 18.0


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
    part = math.ceil((length + (count - 1) * _OVERLAP) / count)
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


def _are_one_line(one: Box, other: Box) -> bool:
    a, b = _around(one), _around(other)
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return False
    upright = a[2] - a[0] >= a[3] - a[1] or b[2] - b[0] >= b[3] - b[1]
    shared = down / min(a[3] - a[1], b[3] - b[1]) if upright else across / min(a[2] - a[0], b[2] - b[0])
    return shared > 0.5


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
