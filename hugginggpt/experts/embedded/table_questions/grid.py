"""A table as questions see it: typed columns, the rows that count, and the column that names them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from math import fsum, isclose

from hugginggpt.documents.sheets import SHEET
from hugginggpt.experts.embedded.table_questions.moments import Moment, moments_of, part_of
from hugginggpt.experts.embedded.table_questions.words import FUNCTION_WORDS, concepts_of, stem
from hugginggpt.media import Table
from hugginggpt.media.numbers import is_missing, numeric_columns
from hugginggpt.media.units import SIGNS, unit_of

_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+")
_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_SUMMARY = re.compile(r"(?:(?:grand|sub|overall|net) ?-?)?totals?|sums?|averages?|avg|mean|overall", re.IGNORECASE)
_LAST = re.compile(r"(?:(?:grand|sub|overall) ?-?)?totals?\b.*", re.IGNORECASE)
_DIGITS = re.compile(r"\d(?:[\d.,' \u00a0\u202f\u2019]*\d)?")
_NAMES_OF_IDENTIFIERS = "id ids no nr num number code sku ref reference phone telephone tel mobile email mail fax"
_IDENTIFIERS = frozenset(_NAMES_OF_IDENTIFIERS.split())


_YES, _NO = frozenset({"yes", "y", "true"}), frozenset({"no", "n", "false"})


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        unit: what its cells or its name say that they are measured in, as `unit_of` writes it.
        values: a number for each row, None where there is none; empty if it does not hold numbers.
        moments: the same for dates and times.
        is_derived: it is not in the table, but follows from a column of dates: the month of each.
        note: how its numbers were read, if there is another way.
    """

    at: int
    name: str
    cells: tuple[str, ...]
    values: tuple[float | None, ...] = ()
    moments: tuple[Moment | None, ...] = ()
    unit: str = ""
    note: str = ""
    is_derived: bool = False

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The stems of the words of its name, without units and little words."""
        bare = _IN_BRACKETS.sub(" ", self.name)
        words = [word for word in _WORD.findall(bare) if word.casefold() not in FUNCTION_WORDS] or _WORD.findall(bare)
        return tuple(stem(word) for word in words)

    @cached_property
    def concepts(self) -> frozenset[str]:
        """What its name may mean."""
        found = frozenset(concept for word in self.words for concept in concepts_of(word))
        return found | {"duration"} if self.values and "time" in found else found

    @property
    def is_ordered(self) -> bool:
        """Whether its rows can be compared by it."""
        return bool(self.values or self.moments)

    @cached_property
    def says_yes(self) -> frozenset[int]:
        """The rows that say yes, if the cells are yes and no; else none."""
        said = {cell.strip().casefold() for cell in self.cells} - {""}
        if not said <= _YES | _NO or not said & _YES:
            return frozenset()
        return frozenset(row for row, cell in enumerate(self.cells) if cell.strip().casefold() in _YES)

    def key(self, row: int) -> float | tuple[int, ...] | None:
        """What a row is compared by; None if its cell is missing."""
        if self.values:
            return self.values[row]
        moment = self.moments[row] if self.moments else None
        return None if moment is None else moment.key

    def cell(self, row: int) -> str:
        """The cell of a row, as it stands."""
        return " ".join(self.cells[row].split())

    @cached_property
    def _style(self) -> tuple[str, str, int, str, str]:
        """How the numbers are written: before, after, decimals, grouping and decimal mark."""
        shown = [
            (cell.strip(), value) for cell, value in zip(self.cells, self.values, strict=True) if value is not None
        ]
        point = next((mark for mark in ".," if all(_reads(cell, value, mark) for cell, value in shown)), ".")
        decimals, grouping = 0, ""
        around: list[tuple[str, str]] = []
        for cell, _ in shown:
            match = _DIGITS.search(cell)
            if match is None:
                continue
            whole, _, part = match.group().partition(point)
            decimals = max(decimals, len(part))
            grouping = grouping or "".join(mark for mark in whole if not mark.isdigit())[:1]
            around.append((cell[: match.start()].strip("+-−( "), cell[match.end() :].strip("-) ")))
            if space := re.search(r"[^\s+−(-](\s+)$", cell[: match.start()]):
                around[-1] = (around[-1][0] + space[1], around[-1][1])
            if space := re.match(r"(\s+)[^\s)-]", cell[match.end() :]):
                around[-1] = (around[-1][0], space[1] + around[-1][1])
        before, after = max(around, key=around.count) if around else ("", "")
        named = self._unit_of_name
        if not before.strip() and not after.strip() and named:
            is_sign = re.fullmatch(f"[{SIGNS}]", named) is not None
            before, after = (named, "") if is_sign else ("", named if named == "%" else f" {named}")
        return before, after, decimals, grouping, point

    @property
    def _unit_of_name(self) -> str:
        named = _IN_BRACKETS.search(self.name)
        return named[1].strip() if named and unit_of(named[1].strip()) is not None else ""

    def written(self, number: Decimal, more_decimals: bool = False) -> str:
        """A computed number as the column writes its own.

        Args:
            number: the number.
            more_decimals: show up to two decimals if a whole number would not be exact.
        """
        before, after, decimals, grouping, point = self._style
        if more_decimals and decimals < 2 and number != number.quantize(Decimal(1).scaleb(-decimals)):
            decimals = 2
        rounded = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        sign = "-" if rounded < 0 else ""
        whole, _, part = f"{abs(rounded):,.{decimals}f}".partition(".")
        whole = whole.replace(",", grouping)
        return f"{sign}{before}{whole}{point if part else ''}{part}{after}"


def _reads(cell: str, value: float, point: str) -> bool:
    match = _DIGITS.search(cell)
    if match is None:
        return True
    whole, _, part = match.group().partition(point)
    digits = "".join(filter(str.isdecimal, whole))
    return part.isdecimal() * 1 + (not part) > 0 and isclose(abs(value), float(f"{digits or 0}.{part or 0}"))


@dataclass(frozen=True)
class Grid:
    """A table's columns, and the rows that count.

    Attributes:
        rows: the numbers of the rows that are not empty and sum up no others.
        label: the column that names the rows.
        totals: the row that sums up all others, if there is one.
    """

    columns: tuple[Column, ...]
    rows: tuple[int, ...]
    label: Column
    totals: int | None = None

    @property
    def sheet(self) -> Column | None:
        """The column that tells the sheet of each row, if the rows come from several."""
        return next((column for column in self.columns if column.name == SHEET), None)

    @property
    def numeric(self) -> list[Column]:
        """The columns of numbers."""
        return [column for column in self.columns if column.values]

    def missing(self, column: Column, row: int) -> bool:
        """Whether a row has nothing in a column."""
        return is_missing(column.cells[row])


def grid_of(table: Table) -> Grid:
    """A table's columns, and the rows that count."""
    filled = [row for row in range(len(table.rows)) if not all(map(is_missing, table.rows[row]))]
    summaries = {row for row in filled if _is_summary(table, row, last=row == filled[-1])}
    rows = [row for row in filled if row not in summaries]
    columns = _columns(table, rows)
    if len(rows) > 2 and not summaries and _sums_up(columns, rows):
        summaries = {rows.pop()}
        columns = _columns(table, rows)
    totals = max(summaries, default=None)
    is_total = (
        totals is not None
        and SHEET not in table.columns  # it would be that of the last sheet
        and any(_LAST.fullmatch(cell.strip()) for cell in table.rows[totals])
    )
    label = _with_year(_label(columns, rows), columns)
    return Grid(columns, tuple(rows), label, totals if is_total else None)


def with_part(grid: Grid, part: str) -> Grid:
    """The grid with a column for the month, quarter, weekday or year of its dates, if it has one column of dates.

    Args:
        grid: the table's.
        part: one of `PARTS`.
    """
    dates = [column for column in grid.columns if any(cell is not None and cell.month for cell in column.moments)]
    if len(dates) != 1:
        return grid
    with_year = len({cell.year for cell in dates[0].moments if cell is not None}) > 1
    told = [None if cell is None else part_of(cell, part, with_year) for cell in dates[0].moments]
    if not any(told):
        return grid
    names, moments = zip(*(one or ("", None) for one in told), strict=True)
    column = Column(len(grid.columns), part.capitalize(), names, moments=moments, is_derived=True)
    return replace(grid, columns=(*grid.columns, column))


def _is_summary(table: Table, row: int, last: bool) -> bool:
    label = next((cell.strip().rstrip(":") for cell in table.rows[row] if not is_missing(cell)), "")
    return (_LAST if last else _SUMMARY).fullmatch(label) is not None or _SUMMARY.fullmatch(label) is not None


def _sums_up(columns: Sequence[Column], rows: Sequence[int]) -> bool:
    """Whether the last row has no name and only the sums of the other rows."""
    *others, last = rows
    named = [column for column in columns if not column.values]
    sums = [column for column in columns if column.values and column.values[last] is not None]
    if not named or not sums or not all(is_missing(column.cells[last]) for column in named):
        return False
    return any(
        isclose(fsum(column.values[row] or 0.0 for row in others), column.values[last] or 0.0, abs_tol=0.01)
        for column in sums
    )


def _columns(table: Table, rows: Sequence[int]) -> tuple[Column, ...]:
    """The typed columns, whose numbers and dates are those of some rows only."""
    counting, blank = set(rows), ("",) * len(table.columns)
    body = tuple(cells if row in counting else blank for row, cells in enumerate(table.rows))
    numeric = numeric_columns(Table(table.columns, body))
    found = []
    for at, named in enumerate(table.columns):
        name, cells = " ".join(named.split()), tuple(row[at] for row in table.rows)
        moments = moments_of([row[at] for row in body], name)
        if moments is not None:
            found.append(Column(at, name, cells, moments=tuple(moments)))
        elif at in numeric:
            read = numeric[at]
            # An amount of money has no three decimals.
            note = "" if re.fullmatch(f"[{SIGNS}]", read.unit) else read.note
            bracket = _IN_BRACKETS.search(name)
            unit = read.unit or (unit_of(bracket[1].strip()) if bracket else None) or ""
            found.append(Column(at, name, cells, read.values, unit=unit, note=note))
        else:
            found.append(Column(at, name, cells))
    return tuple(found)


def _label(columns: Sequence[Column], rows: Sequence[int]) -> Column:
    """The first column that tells rows apart by words, else by dates, else the first."""

    def is_identifier(column: Column) -> bool:
        return not _IDENTIFIERS.isdisjoint(column.words)

    def is_unique(column: Column) -> bool:
        there = [column.cell(row).casefold() for row in rows]
        return all(there) and len({*there}) == len(there)

    words = [column for column in columns if not column.values]
    named = [column for column in words if not is_identifier(column)]
    for found in (
        [column for column in named if is_unique(column) and not column.moments],
        [column for column in words if is_unique(column) and not column.moments],
        [column for column in named if is_unique(column)],
        [column for column in named if not column.moments],
        named,
    ):
        if found:
            return found[0]
    return columns[0]


def _with_year(label: Column, columns: Sequence[Column]) -> Column:
    """The column that names rows; of quarters or months in several years, a column that tells their years, too."""
    years = [column for column in columns if _says(column) == {"year"}]
    parts = [column for column in columns if _says(column) in ({"quarter"}, {"month"})]
    if not label.moments or len(years) != 1 or len(parts) != 1 or label not in (*years, *parts):
        return label
    cells = tuple(" ".join(filter(None, (parts[0].cell(row), years[0].cell(row)))) for row in range(len(label.cells)))
    return Column(len(columns), "", cells, is_derived=True)


def _says(column: Column) -> frozenset[str]:
    return next((moment.said for moment in column.moments if moment is not None), frozenset())
