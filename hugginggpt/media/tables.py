"""Tables as CSV: reading them however they are written, and writing our own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice

from hugginggpt.media import texts
from hugginggpt.media.csv_dialects import Reader, Record, WrongReading, as_text, header_at, readers
from hugginggpt.media.drawn_tables import drawn_table
from hugginggpt.media.numbers import is_missing, is_number
from hugginggpt.media.problem import ContentProblem, too_much_memory
from hugginggpt.media.values import Table
from hugginggpt.text import counted

_HEAD_ROWS = 50
_CELL_BYTES = 64
"""Memory that Python needs for a cell besides its characters; a row needs about as much."""


class _Uneven(WrongReading):
    """Rows have unequal widths."""


def read(data: bytes, max_chars: int | None = None, max_bytes: int | None = None) -> Table:
    """A table from CSV in any of its dialects, or drawn in a text; the first row that is not a title names the columns.

    Cells keep their text. Empty cells at the ends of rows may be left out, or be too many.

    Args:
        data: the file.
        max_chars: limit on its characters.
        max_bytes: limit on the memory for its rows and columns.

    Raises:
        ContentProblem: it is empty, not CSV, too large, or has rows of unequal width.
    """
    content = texts.read(data, max_chars).removeprefix("\ufeff")
    if (drawn := drawn_table(content)) is not None:
        return _table(partial(iter, drawn), max_bytes)
    problems: list[WrongReading] = []
    for reader in readers(content):
        try:
            return _table(reader, max_bytes)
        except WrongReading as problem:
            problems.append(problem)
    raise next((problem for problem in problems if isinstance(problem, _Uneven)), problems[0])


def write(table: Table) -> bytes:
    """The table as UTF-8 CSV, every cell quoted so that `read` cannot mistake content for structure."""
    return texts.write(_written(table, csv.QUOTE_ALL))


def render(table: Table) -> str:
    """The table as CSV for people: quoted only where needed."""
    return _written(table, csv.QUOTE_MINIMAL)


def _written(table: Table, quoting: int) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerows(map(as_text, row) for row in chain([table.columns], table.rows))
    return buffer.getvalue()


def _table(reader: Reader, max_bytes: int | None) -> Table:
    records = _without_bare_ends(_within(reader(), max_bytes))
    head = list(islice(records, _HEAD_ROWS))
    if not head:
        raise ContentProblem("holds no rows; give a table with a header")
    at = header_at(head)
    header = head[at]
    named = len(header.cells) - header.spare
    width = named
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    for record in chain(head[at + 1 :], records):
        if len(record.cells) > named and any(record.cells[named:]):
            # Only columns without a name at the end of the header can hold these cells.
            width = len(header.cells)
            if any(record.cells[width:]):
                raise _uneven(len(record.cells), record.line, width)
        rows.append(record.cells)
        lines.append(record.line)
    columns = (*header.cells[:width], *("" for _ in range(width - len(header.cells))))
    return Table(columns, tuple(_even(rows, lines, named, width)), _compact(lines))


def _within(records: Iterator[Record], max_bytes: int | None) -> Iterator[Record]:
    taken = 0
    for record in records:
        taken += _CELL_BYTES * (len(record.cells) + 1) + sum(map(len, record.cells))
        if max_bytes is not None and taken > max_bytes:
            raise ContentProblem(too_much_memory(taken, max_bytes))
        yield record


def _without_bare_ends(records: Iterator[Record]) -> Iterator[Record]:
    """The records without those at the beginning and the end whose cells are all empty."""
    held: list[Record] = []
    begun = False
    for record in records:
        if not record.bare:
            yield from held
            held.clear()
            yield record
            begun = True
        elif begun:
            held.append(record)


def _even(rows: Sequence[tuple[str, ...]], lines: Sequence[int], named: int, width: int) -> Iterator[tuple[str, ...]]:
    """The rows with this many cells each."""
    numeric: list[bool | None] | None = None
    for row, line in zip(rows, lines, strict=True):
        if len(row) < named:
            numeric = _numeric(rows, width) if numeric is None else numeric
            if not _lacks_its_end(row, numeric):
                raise _uneven(len(row), line, width)
        yield row if len(row) == width else (*row[:width], *("" for _ in range(width - len(row))))


def _numeric(rows: Sequence[tuple[str, ...]], width: int) -> list[bool | None]:
    """Whether the cells of each column are numbers in all whole rows, or in none; None if neither."""
    whole = [row for row in rows if len(row) >= width]
    found: list[bool | None] = []
    for at in range(width):
        kinds = {is_number(row[at]) for row in whole if not is_missing(row[at])}
        found.append(kinds.pop() if len(kinds) == 1 else None)
    return found


def _lacks_its_end(row: Sequence[str], numeric: Sequence[bool | None]) -> bool:
    """Whether the cells that a short row lacks are its last ones: they cannot be missing anywhere else in it."""
    lacking = len(numeric) - len(row)

    def suits(gap: int) -> bool:
        places = [*range(gap), *range(gap + lacking, len(numeric))]
        return all(
            is_missing(cell) or numeric[at] in (None, is_number(cell)) for cell, at in zip(row, places, strict=True)
        )

    return suits(len(row)) and not any(suits(gap) for gap in range(len(row)))


def _uneven(cells: int, line: int, width: int) -> _Uneven:
    return _Uneven(
        f"has {counted(cells, 'cell')} in line {line} but {counted(width, 'column')}; give every row "
        f"{counted(width, 'cell')}"
    )


def _compact(lines: list[int]) -> Sequence[int]:
    """The same numbers, in little memory if they follow each other."""
    if not lines or lines[-1] - lines[0] + 1 != len(lines):
        return tuple(lines)
    return range(lines[0], lines[-1] + 1)
