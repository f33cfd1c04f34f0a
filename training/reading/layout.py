"""How a document is laid out as a page: fonts, margins, columns, and the ways of setting keys, values and tables."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import ImageFont

from training.reading.documents import Block, Document
from training.reading.fonts import Family, drawn_family
from training.reading.page import Page, Piece
from training.reading.traced import Traced

_BESIDE = 0.4  # how often two short stanzas stand side by side
_MOST_BESIDE = 6  # lines in a stanza beside another one
_MARGINALIA = (
    "Page 1 of 1", "Page 1", "1/1", "Please turn over", "Copy", "Form 12-B", "www.printed-on-recycled-paper.example",
    "Confidential", "Please keep this document", "Thank you", "- 1 -", "Original", "DUPLICATE", "Sheet 1 of 2",
)  # fmt: skip


@dataclass(frozen=True)
class _Region:
    """A column of a page, in pixels."""

    left: float
    width: float

    def parts(self, count: int, gap: float) -> list[_Region]:
        width = (self.width - gap * (count - 1)) / count
        return [_Region(self.left + n * (width + gap), width) for n in range(count)]


@dataclass(frozen=True)
class _Style:
    """How one page is set.

    Attributes:
        leading: distance between lines, by the size of the letters.
        space: height of an empty line, likewise.
        pairs: inline, columns, spread, dots, above or below.
        pairs_across: pairs in one row.
        rules: none, rows, head or grid.
    """

    family: Family
    size: int
    leading: float
    space: float
    align: str
    headings: tuple[str, float, bool, bool]  # alignment, scale, bold, in capitals
    pairs: str
    pairs_across: int
    key: tuple[float, bool, bool, str]  # scale, bold, in capitals, what follows it
    bold_values: bool
    rules: str
    full_tables: bool
    amounts_right: bool
    bullet: str
    grey: int


def compose(document: Document, rng: random.Random) -> Page:
    """A page that shows the document in a style of its own."""
    return _Composer(document, rng).page()


def _style(rng: random.Random) -> _Style:
    pairs = rng.choices(("inline", "columns", "spread", "dots", "above", "below"), (30, 26, 13, 6, 22, 3))[0]
    across = {"inline": (1, 1, 1, 2), "columns": (1, 1, 1, 2), "above": (1, 2, 2, 3, 4), "below": (1, 2, 3)}
    return _Style(
        family=drawn_family(rng),
        size=rng.choice((15, 16, 16, 18, 18, 20, 22, 24, 28)),
        leading=rng.choice((1.2, 1.3, 1.4, 1.5, 1.7)),
        space=rng.choice((0.5, 0.8, 1.0, 1.4)),
        align=rng.choices(("left", "centre", "right"), (86, 12, 2))[0],
        headings=(
            rng.choices(("left", "centre", "right"), (60, 33, 7))[0],
            rng.choice((1.0, 1.3, 1.6, 2.0, 2.6)),
            rng.random() < 0.75,
            rng.random() < 0.25,
        ),
        pairs=pairs,
        pairs_across=rng.choice(across.get(pairs, (1,))),
        key=(
            rng.choice((0.75, 0.85, 1.0) if pairs in ("above", "below") else (1.0, 1.0, 0.9)),
            rng.random() < 0.3,
            rng.random() < 0.12,
            rng.choices((":", "", " :", "."), (60, 36, 2, 2))[0] if pairs != "above" else rng.choice(("", "", ":")),
        ),
        bold_values=rng.random() < 0.2,
        rules=rng.choices(("none", "rows", "head", "grid"), (40, 22, 14, 24))[0],
        full_tables=rng.random() < 0.6,
        amounts_right=rng.random() < 0.6,
        bullet=rng.choice(("- ", "- ", "• ", "• ", "• ", "– ", "* ", "")),
        grey=rng.choice((0, 0, 20, 34, 51, 70)),
    )


class _Composer:
    """Sets one page."""

    def __init__(self, document: Document, rng: random.Random) -> None:
        self._document, self._rng, self._style = document, rng, _style(rng)
        self._margin = rng.choice((16, 24, 40, 60, 80))
        longest = max(len(cell) for cell in document.cells)
        letters = rng.choice((34, 45, 60, 75, 90) if longest > 60 else (30, 38, 45, 60, 75))
        self._page = Page(width=round(max(360, letters * self._style.size * 0.52)) + 2 * self._margin)

    def page(self) -> Page:
        """The whole page."""
        rng, style = self._rng, self._style
        region = _Region(self._margin, self._page.width - 2 * self._margin)
        top = float(self._margin)
        if rng.random() < 0.12:
            top = self._marginal(region, top) + style.size
        stanzas = list(_stanzas(self._document.blocks, divided=rng.random() < 0.4))
        if len(stanzas) > 3 and rng.random() < 0.09:
            head, stanzas = (stanzas[:1], stanzas[1:]) if rng.random() < 0.7 else ([], stanzas)
            top = self._flow(head, region, top)
            middle = rng.randint(1, len(stanzas) - 1)
            left, right = region.parts(2, 2.0 * style.size)
            top = max(self._flow(stanzas[:middle], left, top), self._flow(stanzas[middle:], right, top))
        else:
            top = self._flow(stanzas, region, top)
        if rng.random() < 0.15:
            top = self._marginal(region, top + 2 * style.size)
        self._page.height = round(top) + self._margin
        return self._page

    def _marginal(self, region: _Region, top: float) -> float:
        """A line at the head or foot of the page that says nothing."""
        line = Traced.foreign(self._rng.choice(_MARGINALIA))
        face = self._style.family.face(max(12, round(self._style.size * 0.75)))
        return self._set(line, region, top, face, self._rng.choice(("left", "centre", "right")))

    def _flow(self, stanzas: Sequence[list[Block]], region: _Region, top: float) -> float:
        """Stanzas below one another, short ones at times beside each other; returns where they end."""
        n = 0
        while n < len(stanzas):
            beside = stanzas[n : n + self._rng.choice((2, 2, 2, 3))]
            parts = region.parts(len(beside), 2.0 * self._style.size)
            if (
                len(beside) > 1
                and self._rng.random() < _BESIDE
                and all(self._fits(stanza, part) for stanza, part in zip(beside, parts, strict=True))
            ):
                last = "right" if self._rng.random() < 0.3 else "left"
                aligns = [*["left"] * (len(beside) - 1), last]
                top = max(map(self._stanza, beside, parts, [top] * len(beside), aligns))
            else:
                beside = stanzas[n : n + 1]
                top = self._stanza(beside[0], region, top, self._style.align)
            n += len(beside)
            top += self._style.space * self._style.size
        return top

    def _fits(self, stanza: list[Block], region: _Region) -> bool:
        """Whether a stanza is short enough to stand beside another one."""
        face = self._style.family.face(self._style.size, bold=True)
        texts = [" ".join(self._document.cells[cell] for cell in block.cells) for block in stanza]
        return len(texts) <= _MOST_BESIDE and all(
            block.form in ("text", "pair") and face.getlength(text) < region.width
            for block, text in zip(stanza, texts, strict=True)
        )

    def _stanza(self, stanza: list[Block], region: _Region, top: float, align: str) -> float:
        style = self._style
        for form, group in itertools.groupby(stanza, key=lambda block: block.form):
            blocks = list(group)
            if form == "heading":
                where, scale, bold, capitals = style.headings
                face = style.family.face(round(style.size * scale), bold)
                for block in blocks:
                    text = self._cell(block.cells[0])
                    top = self._set(text.mapped(_upper) if capitals else text, region, top, face, where)
                    where, face = self._rng.choice((where, style.headings[0])), style.family.face(style.size, bold)
                top += 0.4 * style.size
            elif form == "text":
                for block in blocks:
                    text = self._cell(block.cells[0])
                    if text.text.startswith("- "):
                        text = Traced.joined((Traced.foreign(style.bullet), text[2:]))
                    top = self._set(text, region, top, self._face(), align)
            elif form == "pair":
                top = self._pairs(blocks, region, top)
            else:
                top = self._table(blocks, region, top)
        return top

    def _pairs(self, blocks: Sequence[Block], region: _Region, top: float) -> float:
        """Keys and values, several pairs in a row if the style says so and none is too long."""
        pairs = [(self._key(block.cells[0]), self._cell(block.cells[1])) for block in blocks]
        across = self._style.pairs_across
        face = self._face()
        widest = max(face.getlength(key.text + value.text) for key, value in pairs)
        while across > 1 and widest > 0.9 * region.width / across:
            across -= 1
        for start in range(0, len(pairs), across):
            row = pairs[start : start + across]
            parts = region.parts(across, 1.5 * self._style.size)
            top = max(
                self._pair(key, value, part, top, self._indent(pairs, region))
                for (key, value), part in zip(row, parts, strict=False)
            )
        return top + 0.3 * self._style.size

    def _indent(self, pairs: Sequence[tuple[Traced, Traced]], region: _Region) -> float:
        """How far the values stand from the left if they form a column."""
        widest = max(self._key_face().getlength(key.text) for key, _ in pairs)
        return min(widest + 1.2 * self._style.size, 0.5 * region.width)

    def _pair(self, key: Traced, value: Traced, region: _Region, top: float, indent: float) -> float:
        """One key and its value."""
        style, face, key_face = self._style, self._face(self._style.bold_values), self._key_face()
        pairs = style.pairs if value.text else "inline"
        if pairs == "above":
            top = self._set(key, region, top, key_face, "left")
            return self._set(value, region, top, face, "left") + 0.3 * style.size
        if pairs == "below":
            top = self._set(value, region, top, face, "left")
            return self._set(key, region, top, key_face, "left") + 0.3 * style.size
        room = region.width - key_face.getlength(key.text) - face.getlength(value.text) - style.size
        if pairs in ("spread", "dots") and room > 0:
            if pairs == "dots":
                dots = max(3, int(room / key_face.getlength(".")))
                key = Traced.joined((key, Traced.foreign("." * dots)))
            self._set(key, region, top, key_face, "left")
            return self._set(value, region, top, face, "right")
        if pairs == "columns" and key_face.getlength(key.text) < indent:
            ends = [self._set(key, _Region(region.left, indent), top, key_face, "left")]
            ends.append(self._set(value, _Region(region.left + indent, region.width - indent), top, face, "left"))
            return max(ends)
        if face is key_face:
            return self._set(Traced.joined((key, value), " "), region, top, face, "left")
        self._set(key, region, top, key_face, "left")
        used = key_face.getlength(key.text) + 0.3 * style.size
        if used > 0.6 * region.width:
            return self._set(value, region, top + style.leading * style.size, face, "left")
        return self._set(value, _Region(region.left + used, region.width - used), top, face, "left")

    def _table(self, blocks: Sequence[Block], region: _Region, top: float) -> float:
        """Rows whose cells stand in columns."""
        style, rng = self._style, self._rng
        rows = [[self._cell(cell) for cell in block.cells] for block in blocks]
        count = max(map(len, rows))
        bold_head = rng.random() < 0.6
        gap = rng.choice((0.8, 1.2, 2.0)) * style.size
        widths = self._widths(rows, count, region.width - gap * (count - 1))
        if style.full_tables and sum(widths) < region.width - gap * (count - 1):
            gap = (region.width - sum(widths)) / max(1, count - 1)
        lefts = [region.left + sum(widths[:n]) + gap * n for n in range(count)]
        right = [style.amounts_right and n > 0 and _amounts(rows, n) for n in range(count)]
        first, padding = top, rng.choice((0.0, 0.2, 0.5)) * style.size if style.rules != "grid" else 0.3 * style.size
        end = lefts[-1] + widths[-1]
        for n, row in enumerate(rows):
            if style.rules == "grid" or (style.rules == "rows" and n) or (style.rules == "head" and n == 1):
                self._page.rules.append((region.left - 4, top, end + 4, top))
            face = self._face(bold_head and n == 0)
            top = padding + max(
                self._set(text, _Region(left, width), top + padding, face, "right" if flush else "left")
                for text, left, width, flush in zip(row, lefts, widths, right, strict=False)
            )
        if style.rules == "grid":
            self._page.rules.append((region.left - 4, top, end + 4, top))
            for x in (region.left - 4, *(left - gap / 2 for left in lefts[1:]), end + 4):
                self._page.rules.append((x, first, x, top))
        return top + 0.4 * style.size

    def _widths(self, rows: Sequence[Sequence[Traced]], count: int, most: float) -> list[float]:
        """The widths of a table's columns: the wide ones give way if the table is too wide."""
        face = self._face(bold=True)
        widths = [max((face.getlength(row[n].text) for row in rows if n < len(row)), default=0.0) for n in range(count)]
        while sum(widths) > most and (excess := max(widths)) > 3 * self._style.size:
            widths[widths.index(excess)] = max(0.9 * excess, 3 * self._style.size)
        return [width + 1 for width in widths]

    def _set(self, text: Traced, region: _Region, top: float, face: ImageFont.FreeTypeFont, align: str) -> float:
        """A paragraph, wrapped into a region; returns where it ends."""
        for line in _wrapped(text, face, region.width):
            free = region.width - face.getlength(line.text)
            left = region.left + {"left": 0.0, "centre": free / 2, "right": free}[align]
            self._page.pieces.append(Piece(line, left, top, face, self._style.grey))
            top += self._style.leading * face.size
        return top

    def _cell(self, cell: int) -> Traced:
        return Traced.of_cell(self._document.cells[cell], cell)

    def _key(self, cell: int) -> Traced:
        *_, capitals, end = self._style.key
        key = self._cell(cell)
        closed = key.text[-1] in ":?.!"
        return Traced.joined((key.mapped(_upper) if capitals else key, Traced.foreign("" if closed else end)))

    def _face(self, bold: bool = False) -> ImageFont.FreeTypeFont:
        return self._style.family.face(self._style.size, bold)

    def _key_face(self) -> ImageFont.FreeTypeFont:
        scale, bold, *_ = self._style.key
        return self._style.family.face(round(self._style.size * scale), bold)


def _stanzas(blocks: Sequence[Block], divided: bool) -> Iterator[list[Block]]:
    """The lines between empty lines; divided further where texts and pairs follow each other, if asked."""
    for blank, group in itertools.groupby(blocks, key=lambda block: block.form == "blank"):
        if not blank and divided:
            for _, part in itertools.groupby(group, key=lambda block: block.form):
                yield list(part)
        elif not blank:
            yield list(group)


def _wrapped(text: Traced, face: ImageFont.FreeTypeFont, width: float) -> Iterator[Traced]:
    """The lines of a paragraph that is as wide as that."""
    line: Traced | None = None
    for word in text.words():
        longer = word if line is None else Traced.joined((line, word), " ")
        if line is not None and face.getlength(longer.text) > width:
            yield line
            line = word
        else:
            line = longer
    if line is not None:
        yield line


def _amounts(rows: Sequence[Sequence[Traced]], column: int) -> bool:
    """Whether a column holds numbers."""
    cells = [row[column].text for row in rows[1:] if column < len(row)]
    return bool(cells) and sum(bool(re.search(r"\d", cell)) for cell in cells) > 0.6 * len(cells)


def _upper(sign: str) -> str:
    return sign.upper() if len(sign.upper()) == 1 else sign
