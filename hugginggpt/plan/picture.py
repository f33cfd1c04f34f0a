"""Draw a plan as a graph: one box for each task, below those that it waits for. The picture is SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from unicodedata import east_asian_width

from hugginggpt.text import one_line, visible

_WIDTH, _HEIGHT = 264, 72
_GAP_X, _GAP_Y = 24, 34
_MARGIN = 12
_INSIDE = 12
"""Between the frame of a box and what is written in it."""
_SIGN = 22
"""What the sign of a box takes of the line of its title."""
_TITLE, _SMALLEST_TITLE, _BELOW, _LINE = 14, 11, 11, 15
"""Sizes of the writing, and the distance of its lines."""
_MOST_READ = 200


@dataclass(frozen=True)
class Box:
    """One task of a picture.

    Attributes:
        title: what it is, in a few words.
        below: how it stands, in a few words.
        state: `planned`, `running`, `done`, `failed` or `skipped`.
        after: the ids of the tasks that it waits for.
    """

    title: str
    below: str = ""
    state: str = "planned"
    after: tuple[int, ...] = ()


_LOOKS: Mapping[str, tuple[str, str, str]] = {
    "planned": ("#f3f4f6", "#9ca3af", "○"),
    "running": ("#dbeafe", "#2563eb", "◐"),
    "done": ("#dcfce7", "#16a34a", "✓"),
    "failed": ("#fee2e2", "#dc2626", "✗"),
    "skipped": ("#f3f4f6", "#9ca3af", "–"),
}
"""The colour of a box and of its line, and its sign, so that nobody has to tell colours apart."""


def draw(boxes: Mapping[int, Box]) -> str:
    """The picture of a plan.

    Args:
        boxes: its tasks by their ids. What a task waits for has to be among them, without circles.
    """
    rows = _rows(boxes)
    columns = max((len(row) for row in rows), default=1)
    width = 2 * _MARGIN + columns * _WIDTH + (columns - 1) * _GAP_X
    height = 2 * _MARGIN + max(1, len(rows)) * _HEIGHT + max(0, len(rows) - 1) * _GAP_Y
    places: dict[int, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        left = (width - len(row) * _WIDTH - (len(row) - 1) * _GAP_X) / 2
        for column, id_ in enumerate(row):
            places[id_] = left + column * (_WIDTH + _GAP_X), _MARGIN + number * (_HEIGHT + _GAP_Y)
    lines = [_edge(places[k], places[id_]) for id_, box in boxes.items() for k in box.after]
    drawn = [_box(places[id_], id_, box) for id_, box in boxes.items()]
    said = escape(visible("; ".join(f"{id_} {box.title}: {box.state}" for id_, box in boxes.items())) or "no tasks")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui,sans-serif"><title>{said}</title>{"".join([*lines, *drawn])}</svg>'
    )


def _rows(boxes: Mapping[int, Box]) -> list[Sequence[int]]:
    """The ids of each row: a task is in the row below the lowest of those that it waits for."""
    depths: dict[int, int] = {}

    def depth(id_: int) -> int:
        if id_ not in depths:
            depths[id_] = 1 + max((depth(k) for k in boxes[id_].after), default=-1)
        return depths[id_]

    rows: list[list[int]] = []
    for id_ in boxes:
        while len(rows) <= depth(id_):
            rows.append([])
        rows[depths[id_]].append(id_)
    # Below what they wait for, as far as that goes: fewer lines cross.
    for above, row in pairwise(rows):
        order = {id_: position for position, id_ in enumerate(above)}
        row.sort(key=lambda id_: (sum(order.get(k, 0) for k in boxes[id_].after) / max(1, len(boxes[id_].after)), id_))
    return [tuple(row) for row in rows]


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + _WIDTH / 2, start[1] + _HEIGHT
    x2, y2 = end[0] + _WIDTH / 2, end[1]
    middle = (y1 + y2) / 2
    return (
        f'<path d="M{x1:g} {y1:g} C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}" fill="none" '
        'stroke="#9ca3af" stroke-width="1.5"/>'
    )


def _box(place: tuple[float, float], id_: int, box: Box) -> str:
    fill, line, sign = _LOOKS[box.state]
    x, y = place
    room = _WIDTH - 2 * _INSIDE
    title = one_line(visible(f"{id_} · {box.title}"), _MOST_READ)
    size = min(_TITLE, max(_SMALLEST_TITLE, (room - _SIGN) / _ems(title)))
    title = escape(_fitting(title, (room - _SIGN) / size))
    below = "".join(
        f'<text x="{x + _INSIDE:g}" y="{y + 42 + number * _LINE:g}" font-size="{_BELOW}" fill="#4b5563">'
        f"{escape(text)}</text>"
        for number, text in enumerate(_two_lines(one_line(visible(box.below), _MOST_READ), room / _BELOW))
    )
    return (
        f'<g><rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="{fill}" stroke="{line}" '
        f'stroke-width="1.5"/><text x="{x + _INSIDE:g}" y="{y + 24:g}" font-size="{size:.3g}" fill="#111827">{title}'
        f'</text><text x="{x + _WIDTH - _INSIDE:g}" y="{y + 24:g}" font-size="{_TITLE}" text-anchor="end" '
        f'fill="{line}">{sign}</text>{below}</g>'
    )


def _two_lines(text: str, ems: float) -> list[str]:
    """A text in at most two lines of a width, broken after a word where that is possible."""
    if _ems(text) <= ems:
        return [text] if text else []
    first = _fitting(text, ems).removesuffix("…")
    end = max(first.rfind(" "), *(first.rfind(mark) + 1 for mark in "-/_")) if text[len(first)] != " " else len(first)
    first = text[: end if end > 0 else len(first)]
    return [first, _fitting(text[len(first) :].lstrip(), ems)]


def _fitting(text: str, ems: float) -> str:
    """A text, or as much of its beginning as has room in a width."""
    if _ems(text) <= ems:
        return text
    end = len(text)
    while end and _ems(text[:end] + "…") > ems:
        end -= 1
    return text[:end] + "…"


def _ems(text: str) -> float:
    """How wide a text is at most, in multiples of its size, whichever of the usual fonts there is."""
    return sum(map(_em, text))


def _em(character: str) -> float:
    if (character > "ɏ" and character != "…") or east_asian_width(character) in "WF":
        return 1.1
    if character in "mwMW@%&…":
        return 1.0
    if character in " !'()*,-./:;I[]fijlrt|·":
        return 0.42
    return 0.76 if character.isupper() else 0.65
