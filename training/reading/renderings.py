"""The texts of a document: as a text file, as its page is read, and as speech recognition hears it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from hugginggpt.experts.embedded.reading_order import Box as Corners
from hugginggpt.experts.embedded.reading_order import rows_in_order
from training.reading.documents import Block, Document
from training.reading.templates import Form
from training.reading.traced import Traced

_WIDTH = 76


def in_order(found: Sequence[tuple[Corners, Traced]]) -> Traced:
    """The text of pieces of a page, in the order in which OCR's pieces are read."""
    rows = rows_in_order([(corners, text.text) for corners, text in found])
    return Traced.joined((Traced.joined((found[n][1].stripped() for n in row), " ") for row in rows), "\n")


def as_text(document: Document, rng: random.Random) -> Traced:
    """The document as a text file."""
    return Traced.joined(_TextFile(document, rng).lines(), "\n").stripped()


def as_speech(document: Document, rng: random.Random) -> Traced:
    """The document as speech recognition writes it down, on one line; half of the time without capitals and marks."""
    texts = (Traced.of_cell(text, cell).stripped() for cell, text in enumerate(document.cells))
    said = Traced.joined((text for text in texts if text.text), " ")
    if rng.random() < 0.5:
        return said
    kept = [
        n
        for n, sign in enumerate(said.text)
        if sign.isalnum() or sign in " '&%€$£°@" or re.fullmatch(r"\w.\w", said.text[n - 1 : n + 2])
    ]
    spoken = Traced.joined(said[n : n + 1] for n in kept)
    return Traced.joined(spoken.words(), " ").mapped(lambda sign: sign.lower() if len(sign.lower()) == 1 else sign)


def is_speakable(document: Document) -> bool:
    """Whether the document is prose."""
    forms = [block.form for block in document.blocks]
    return Form.ROW not in forms and forms.count(Form.PAIR) < 2


class _TextFile:
    """Sets a document with nothing but letters."""

    def __init__(self, document: Document, rng: random.Random) -> None:
        self._document = document
        self._wrapped = rng.random() < 0.35
        self._loud, self._underlined = rng.random() < 0.2, rng.random() < 0.12
        self._colon = rng.choice((": ", ": ", ": ", " = ", "\t", ":\n", " - "))
        self._column = rng.choice((None, None, " | ", "\t", ", ", "; ", "  "))
        self._key_column = rng.random() < 0.2
        self._sparse = rng.random() < 0.15

    def lines(self) -> Iterator[Traced]:
        blocks = self._document.blocks
        keys = [len(self._document.cells[block.cells[0]]) for block in blocks if block.form == "pair"]
        rows = [block for block in blocks if block.form == "row"]
        for block in blocks:
            if block.form == "blank":
                if not self._sparse:
                    yield Traced.foreign("")
            elif block.form == "heading":
                yield from self._heading(self._cell(block.cells[0]))
            elif block.form == "pair":
                key, value = map(self._cell, block.cells)
                joint = " " * (max(keys) + 2 - len(key.text)) if self._key_column else self._colon
                yield Traced.joined((key, value), " " if key.text[-1] in ":?" else joint)
            elif block.form == "row":
                yield self._row(block, rows)
            elif self._wrapped:
                yield from _wrapped(self._cell(block.cells[0]))
            else:
                yield self._cell(block.cells[0])

    def _heading(self, text: Traced) -> Iterator[Traced]:
        yield text.mapped(lambda sign: sign.upper() if len(sign.upper()) == 1 else sign) if self._loud else text
        if self._underlined:
            yield Traced.foreign("-" * len(text.text))

    def _row(self, block: Block, rows: Sequence[Block]) -> Traced:
        cells = [self._cell(cell) for cell in block.cells]
        if self._column is not None:
            return Traced.joined(cells, self._column)
        padded = []
        for n, cell in enumerate(cells):
            widths = (len(self._document.cells[row.cells[n]]) for row in rows if n < len(row.cells))
            padded.append(Traced.joined((cell, Traced.foreign(" " * (max(widths) + 2 - len(cell.text))))))
        return Traced.joined(padded).stripped()

    def _cell(self, cell: int) -> Traced:
        return Traced.of_cell(self._document.cells[cell], cell)


def _wrapped(text: Traced) -> Iterator[Traced]:
    line = Traced.foreign("")
    for word in text.words():
        if line.text and len(line.text) + 1 + len(word.text) > _WIDTH:
            yield line
            line = word
        else:
            line = Traced.joined((line, word), " ") if line.text else word
    yield line
