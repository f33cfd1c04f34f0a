"""Counts, shares, and what is most common."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.table_questions.aggregates import Aggregate, computed, summed
from hugginggpt.experts.embedded.table_questions.asked import (
    is_countable,
    listed,
    named_columns,
    noted,
    tells_apart,
)
from hugginggpt.experts.embedded.table_questions.grid import Column
from hugginggpt.experts.embedded.table_questions.question import Question
from hugginggpt.experts.embedded.table_questions.words import PEOPLE, RECORDS, concepts_of, stem

_FEW = 5
_PHRASES = (["how", "many"], ["number", "of"])


def count(question: Question, rows: Sequence[int], *, different: bool) -> str:
    """How many rows or different cells there are, or what a column of numbers adds up to.

    Args:
        question: the question.
        rows: those that it is about.
        different: count different cells.

    Raises:
        ExpertError: it is not clear what to count.
    """
    grid, lows = question.grid, question.lows
    at = next((n + 2 for n in range(len(lows) - 1) if lows[n : n + 2] in _PHRASES), 0)
    noun = lows[at] if at < len(lows) else ""
    is_rows = stem(noun) in RECORDS | PEOPLE
    column = _counted(question, at, is_rows=is_rows and not different)
    question.check_all_understood()
    if column is not None and column.values:
        return amount(column, rows, grid.totals if len(rows) == len(grid.rows) else None)
    is_cell = any(mention.start <= at + 2 and mention.end > at for mention in question.cells)
    is_label = bool(concepts_of(noun) & grid.label.concepts) or any(m.start <= at + 2 for m in question.columns)
    if column is None and not (is_rows or is_cell or is_label or noun in ("are", "have")):
        raise ExpertError(f'The table does not show what "{noun:.40}" are.')
    if column is not None and grid.label.is_derived and column.moments and not different:
        # The first quarters of two years are two quarters.
        by_year = all(cell is None or cell.said == {"year"} for cell in column.moments)
        names = list(dict.fromkeys((column if by_year else grid.label).cell(row) for row in rows))
    elif column is not None and column is not grid.label:
        names = list(dict.fromkeys(column.cell(row) for row in rows if not grid.missing(column, row)))
    else:
        names = [grid.label.cell(row) for row in rows]
        if different or (column is not None and not tells_apart(column, rows)):
            names = list(dict.fromkeys(names))
    shown = f" ({', '.join(names)})" if 0 < len(names) <= _FEW and all(names) else ""
    return f"{len(names)}{shown}"


def _counted(question: Question, at: int, *, is_rows: bool) -> Column | None:
    """The column that is counted or added up, by the noun of the question; None for the rows themselves."""
    label = question.grid.label
    possible = [column for column in named_columns(question) if column.values and is_countable(column)]
    noun = next((mention for mention in question.columns if at <= mention.start <= at + 2), None)
    if noun is None:
        return None if is_rows else next(iter(possible), None)
    numeric = [column for column in noun.columns if column in possible]
    if numeric and not label.concepts & concepts_of(question.lows[noun.start]):
        return numeric[0]
    is_condition = noun.columns[0].values or noun.columns[0] in question.measured
    return None if is_condition else noun.columns[0]


def amount(column: Column, rows: Sequence[int], totals: int | None = None) -> str:
    """The sum of a column; the cell as it stands if there is only one.

    Args:
        column: of numbers.
        rows: those to add up.
        totals: the table's own row of totals, if these are all rows: told if it says otherwise.

    Raises:
        ExpertError: no row has a number there.
    """
    there = [row for row in rows if column.key(row) is not None]
    if len(there) == 1:
        return column.cell(there[0])
    found = summed(column, there)
    if found is None:
        raise ExpertError(f"No row that the question is about has a number in {column.name}.")
    said = column.written(found)
    if totals is not None:
        own = column.cell(totals)
        digits, own_digits = ("".join(filter(str.isdecimal, one)).strip("0") for one in (said, own))
        if own_digits and own_digits != digits:
            said = f"{said} (the table's own total says {own})"
    return noted(said, column)


def commonest(question: Question, rows: Sequence[int], wanted: Sequence[Column]) -> str:
    """The cell that most rows have in a column.

    Raises:
        ExpertError: it is not clear in which column.
    """
    columns = list(dict.fromkeys(wanted or named_columns(question)))
    question.check_all_understood()
    if len(columns) != 1:
        raise ExpertError("The question does not say in which column it wants the most common cell.")
    counts = Counter(columns[0].cell(row) for row in rows if not question.grid.missing(columns[0], row))
    most = max(counts.values(), default=0)
    if not most:
        raise ExpertError(f"The table leaves {columns[0].name} empty.")
    return f"{listed(name for name, times in counts.items() if times == most)} ({most})"


def share(question: Question, rows: Sequence[int]) -> str:
    """What percentage some rows are of all, by their number or by a column.

    Raises:
        ExpertError: it is not clear of which rows or column.
    """
    grid = question.grid
    columns = list(dict.fromkeys(column for column in named_columns(question) if column.values))
    question.check_all_understood()
    if len(rows) == len(grid.rows):
        raise ExpertError("The question does not say of which rows it wants the share.")
    if not columns and "total" in question.lows and len(grid.numeric) == 1:
        columns = grid.numeric
    if len(columns) > 1:
        raise ExpertError("The question does not say which column the share is about.")
    if not columns:
        return f"{_percent(Decimal(len(rows)), Decimal(len(grid.rows)))} ({len(rows)} of {len(grid.rows)})"
    part, whole = summed(columns[0], rows), summed(columns[0], grid.rows)
    if part is None or not whole:
        raise ExpertError(f"The column {columns[0].name} adds up to nothing.")
    said = f"{_percent(part, whole)} ({columns[0].written(part)} of {columns[0].written(whole)})"
    return noted(said, columns[0])


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{100 * part / whole:.1f}".removesuffix(".0") + "%"


def aggregated(question: Question, aggregate: Aggregate, columns: Sequence[Column], rows: Sequence[int]) -> str:
    """A sum, mean, median or range of each of these columns.

    Raises:
        ExpertError: a column has no number there.
    """
    totals = question.grid.totals if len(rows) == len(question.grid.rows) else None
    said = []
    for column in columns:
        if aggregate is Aggregate.SUM:
            said.append(amount(column, rows, totals))
            continue
        found = computed(aggregate, column, rows)
        if found is None:
            raise ExpertError(f"No row that the question is about has a number in {column.name}.")
        text = column.written(found, more_decimals=True)
        if aggregate is Aggregate.RANGE:
            there = sorted((value, row) for row in rows if (value := column.values[row]) is not None)
            text = f"{text} (from {column.cell(there[0][1])} to {column.cell(there[-1][1])})"
        said.append(noted(text, column))
    if len(said) == 1:
        return said[0]
    return "; ".join(f"{column.name}: {one}" for column, one in zip(columns, said, strict=True))
