"""Sheets with the same columns, which a question takes as one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hugginggpt.media.values import Table

SHEET = "Sheet"
"""The last column of such a table, which tells the sheet of each row."""


def alike(tables: Sequence[Table]) -> tuple[tuple[int, ...], ...]:
    """The numbers of the tables, from 1, with those that are sheets with the same columns together."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, table in enumerate(tables, start=1):
        alone = not table.name or SHEET in table.columns
        groups[(str(number),) if alone else ("", *map(_plain, table.columns))].append(number)
    return tuple(map(tuple, groups.values()))


def joined(tables: Sequence[Table]) -> Table:
    """The rows of tables with the same columns as one table, each with the name of its table at the end."""
    if len(tables) == 1:
        return tables[0]
    rows = tuple((*row, table.name) for table in tables for row in table.rows)
    return Table((*tables[0].columns, SHEET), rows)


def _plain(column: str) -> str:
    return " ".join(column.split()).casefold()
