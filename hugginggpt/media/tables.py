"""Tables as CSV: detecting separator and encoding, and writing our own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from hugginggpt.media import texts
from hugginggpt.media.problem import ContentProblem, too_much_memory
from hugginggpt.media.values import Table

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE_ROWS = 50
_SAMPLE_CHARS = 1 << 18
_EMPTY_LINES = re.compile(r"[\r\n]+")
_CELL_BYTES = 64
"""Memory that Python needs for a cell besides its characters; a row needs about as much."""


def read(data: bytes, max_chars: int | None = None, max_bytes: int | None = None) -> Table:
    """A table from CSV; the first row names the columns.

    Args:
        data: the file.
        max_chars: limit on its characters.
        max_bytes: limit on the memory for its rows and columns.

    Raises:
        ContentProblem: it is empty, not CSV, too large, or has rows of unequal width.
    """
    content = texts.read(data, max_chars)
    rows: list[tuple[str, ...]] = []
    taken = 0
    for row in _rows(content, _separator(content)):
        taken += _CELL_BYTES * (len(row) + 1) + sum(map(len, row))
        if max_bytes is not None and taken > max_bytes:
            raise ContentProblem(too_much_memory(taken, max_bytes))
        rows.append(row)
    if not rows:
        raise ContentProblem("holds no rows; give a table with a header")
    columns, *body = rows
    for number, row in enumerate(body, start=2):
        if len(row) != len(columns):
            raise ContentProblem(
                f"has {len(row)} cells in row {number} but {len(columns)} columns; give every row {len(columns)} cells"
            )
    return Table(columns, tuple(body))


def write(table: Table) -> bytes:
    """The table as UTF-8 CSV, every cell quoted so that `read` cannot mistake content for structure."""
    return texts.write(_written(table, csv.QUOTE_ALL))


def render(table: Table) -> str:
    """The table as CSV for people: quoted only where needed."""
    return _written(table, csv.QUOTE_MINIMAL)


def _written(table: Table, quoting: int) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return buffer.getvalue()


def _rows(content: str, separator: str) -> Iterator[tuple[str, ...]]:
    lines = io.StringIO(content, newline="")
    reader = csv.reader(lines, delimiter=separator)
    try:
        for row in reader:
            if row:
                yield tuple(row)
            elif empty := _EMPTY_LINES.match(content, lines.tell()):
                lines.seek(empty.end())  # the reader would skip them one by one
    except csv.Error as error:
        read = lines.tell()
        number = content.count("\n", 0, read) or content.count("\r", 0, read)
        raise ContentProblem(f"cannot be read as CSV: {error} in line {number or 1}") from None


def _separator(content: str) -> str:
    """The first separator under which all rows have the same width, two or more; else the comma.

    `csv.Sniffer` guesses from character counts and mistakes text in quoted cells for structure.
    """
    begin = empty.end() if (empty := _EMPTY_LINES.match(content)) else 0
    sample = content[begin : begin + _SAMPLE_CHARS]
    cut = begin + len(sample) < len(content)
    headers: dict[str, int] = {}
    for separator in _SEPARATORS:
        widths = [len(row) for row in islice(_rows(sample, separator), _SAMPLE_ROWS)]
        if cut and 1 < len(widths) < _SAMPLE_ROWS:
            widths.pop()  # the last row of the sample may be cut off
        if len(set(widths)) == 1 and widths[0] > 1:
            return separator
        headers[separator] = widths[0] if widths else 0
    if headers[","] == 1:
        # Ragged or truncated, but the header still shows which separator was meant.
        return max(_SEPARATORS, key=headers.__getitem__)
    return ","
