"""Tables from rows of cells: where the header is, and what is only a title above it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from hugginggpt.media.values import Table

_ROWS_ABOVE = 20
"""How far down a header is looked for."""
_NUMBER = re.compile(r"[-+−(]?[^\w\s]{0,3}\s?\d[\d.,'\s]*[%\w€$£¥]{0,3}\)?")
_YEAR = re.compile(r"(?:19|20)\d\d")


def table_from(rows: Sequence[Sequence[str]]) -> tuple[Table | None, tuple[str, ...], bool]:
    """A table from the rows of a grid.

    Args:
        rows: the cells; empty ones, rows and columns are fine.

    Returns:
        The table, or None if there are not two columns and a row besides the header; the titles above it; and whether
        it has a header. Without one, its columns are numbered.
    """
    grid = _without_empty(rows)
    if not grid or len(grid[0]) < 1:
        return None, (), True
    at = _header(grid)
    if at is None:
        first = next((number for number, row in enumerate(grid) if sum(map(bool, row)) > 1), 0)
        titles, body = grid[:first], grid[first:]
        columns = [f"column {number}" for number in range(1, len(grid[0]) + 1)]
    else:
        titles, body = grid[:at], grid[at + 1 :]
        columns = [cell or f"column {number}" for number, cell in enumerate(grid[at], start=1)]
    if not body:
        return None, (), True
    table = Table(tuple(" ".join(column.split()) for column in columns), tuple(map(tuple, body)))
    return table, tuple(" ".join(filter(None, row)) for row in titles), at is not None


def is_number(text: str) -> bool:
    """Whether a cell is a number and not the name of a column, as a year can be."""
    return _NUMBER.fullmatch(text.strip()) is not None and _YEAR.fullmatch(text.strip()) is None


def lines_of(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines of CSV, quoted where needed."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().rstrip("\n")


def piped(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines with " | " between the cells."""
    return "\n".join(" | ".join(" ".join(cell.split()) for cell in row) for row in rows)


def _without_empty(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Rows of one width, without those and those columns that are empty."""
    filled = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    used = [
        number
        for number in range(max(map(len, filled), default=0))
        if any(row[number:] and row[number] for row in filled)
    ]
    return [[row[number] if number < len(row) else "" for number in used] for row in filled]


def _header(grid: Sequence[Sequence[str]]) -> int | None:
    """The first row with a text in every column that matters; the corner above the names of rows may be empty."""
    often = [sum(bool(row[column]) for row in grid) for column in range(len(grid[0]))]
    columns = [column for column, count in enumerate(often) if count > 1] or list(range(len(often)))
    for corner in (columns, columns[1:]):
        for number, row in enumerate(grid[:_ROWS_ABOVE]):
            cells = [row[column] for column in corner]
            if cells and all(cells):
                if any(map(is_number, cells)):
                    break
                return number
    return None
