"""Answers to questions about a table, by rule: exact, or declined."""

from collections.abc import Sequence

from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.table_questions import counting
from hugginggpt.experts.embedded.table_questions.aggregates import Aggregate, aggregate_in, difference
from hugginggpt.experts.embedded.table_questions.asked import (
    MOST_LISTED,
    asked_columns,
    head,
    how_column,
    in_sheet,
    listed,
    named_columns,
    number_columns,
    only_number_column,
    tells_apart,
    told,
)
from hugginggpt.experts.embedded.table_questions.conditions import rows_meant
from hugginggpt.experts.embedded.table_questions.grid import Column, grid_of
from hugginggpt.experts.embedded.table_questions.question import Question
from hugginggpt.experts.embedded.table_questions.rankings import ranking
from hugginggpt.experts.embedded.table_questions.superlatives import superlative_in
from hugginggpt.media import Table
from hugginggpt.text import one_line

_MOST_CHARS = 1000
_MOST_COMPUTED = 3
_NOT_ADDED_UP = frozenset({"price", "temperature", "age", "rating", "speed", "height", "wind", "duration", "size"})
_LISTING = frozenset({"list", "show", "all", "names", "everyone", "everybody"})


def answer(question: str, table: Table) -> str:
    """The answer to one question about a table.

    Args:
        question: in English.
        table: with at least one row.

    Raises:
        ExpertError: the question is not understood, or the table does not say; one sentence.
    """
    if len(question) > _MOST_CHARS:
        raise ExpertError("The question about the table is too long to be understood.")
    grid = grid_of(table)
    if not grid.rows:
        raise ExpertError("The table has no rows but totals.")
    return one_line(_answer(Question.of(question, grid)))


def _answer(question: Question) -> str:
    wanted = asked_columns(question)
    aggregate = aggregate_in(question)
    if aggregate is Aggregate.DIFFERENCE:
        return difference(question, lambda: only_number_column(question, "difference"))
    superlative = None if aggregate is Aggregate.COMMONEST else superlative_in(question)
    rows = rows_meant(question)
    if superlative is not None:
        if len(rows) == 1 and any(not m.exact and question.lows[m.start - 1] == "which" for m in question.cells):
            # "Which house" hardly means the only row that has the word in its name.
            raise ExpertError("The table does not show which rows the question is about.")
        return ranking(question, superlative, rows, wanted, aggregate)
    return told(_from_rows(question, rows, wanted, aggregate), _sheet_of(question, rows))


def _sheet_of(question: Question, rows: Sequence[int]) -> str:
    """The sheet that the answer comes from, if there are others."""
    return in_sheet(question.grid, rows) if len(rows) < len(question.grid.rows) else ""


def _from_rows(question: Question, rows: Sequence[int], wanted: list[Column], aggregate: Aggregate | None) -> str:
    """The answer from the rows that the question is about.

    Raises:
        ExpertError: it does not say what it wants of them.
    """
    match aggregate:
        case None:
            return _lookup(question, rows, wanted)
        case Aggregate.COUNT | Aggregate.DISTINCT:
            return counting.count(question, rows, different=aggregate is Aggregate.DISTINCT)
        case Aggregate.COMMONEST:
            return counting.commonest(question, rows, wanted)
        case Aggregate.SHARE:
            return counting.share(question, rows)
    columns = number_columns(question)
    question.check_all_understood()
    if not 0 < len(columns) <= _MOST_COMPUTED:
        raise ExpertError("The question does not say which column of numbers it is about.")
    return counting.aggregated(question, aggregate, columns, rows)


def _lookup(question: Question, rows: Sequence[int], wanted: list[Column]) -> str:
    """Cells of the rows that the question names, or all cells of a column.

    Raises:
        ExpertError: it names no row or no column.
    """
    grid, lows = question.grid, question.lows
    is_filtered = len(rows) < len(grid.rows) or bool(question.cells)
    is_list = not _LISTING.isdisjoint(lows) or "who" in lows or (lows[:1] == ["which"] and is_filtered)
    if not wanted:
        conditions = {mention.columns[0].at for mention in question.cells}
        named = [column for column in named_columns(question) if column.at not in conditions]
        wanted = [column for column in named if column is not grid.label] or named
    if not wanted and (how := how_column(question)) is not None:
        wanted = [how]
    if not wanted and is_filtered and (is_list or not question.cells):
        wanted = [grid.label]
    question.check_all_understood()
    if not wanted:
        raise ExpertError("The question does not say which cells of the table it wants.")
    if not rows:
        raise ExpertError("No row of the table fulfils what the question asks.")
    wanted = list(dict.fromkeys(wanted))
    is_amount = len(wanted) == 1 and bool(wanted[0].values) and _is_added_up(wanted[0])
    if is_amount and ("how" in lows or ("total" in lows and len(rows) > 1)):
        return counting.amount(wanted[0], rows, None if is_filtered else grid.totals)
    if not (is_filtered or is_list or len(rows) == 1 or lows[:3] == ["what", "are", "the"]):
        raise ExpertError("The question names no row of the table.")
    return _cells(question, rows, wanted)


def _is_added_up(column: Column) -> bool:
    """Whether several cells of a column together are one amount: what was spent, but not prices."""
    concepts = column.concepts
    return column.unit != "%" and (not concepts & _NOT_ADDED_UP or "spending" in concepts)


def _cells(question: Question, rows: Sequence[int], wanted: list[Column]) -> str:
    """The cells of these rows, each after the name of its row where there are several."""
    grid, label = question.grid, question.grid.label
    there = [row for row in rows if not all(grid.missing(column, row) for column in wanted)]
    if not there:
        raise ExpertError(f"The table leaves {listed(column.name for column in wanted)} empty there.")
    if len(there) > MOST_LISTED:
        raise ExpertError(f"The answer has {len(there)} rows, which are too many to name.")
    if len(there) == 1 or (len(wanted) == 1 and not wanted[0].values):
        return ", ".join(dict.fromkeys(head(grid, row, wanted) for row in there))
    others = [column for column in wanted if column is not label]
    if not others:
        return ", ".join(label.cell(row) for row in there)
    if label in wanted:
        return ", ".join(told(head(grid, row, [label, *others][:1]), head(grid, row, others)) for row in there)
    alike = not tells_apart(label, there)
    names = (", ".join(filter(None, [head(grid, row, []), in_sheet(grid, [row]) if alike else ""])) for row in there)
    return ", ".join(f"{name}: {head(grid, row, others)}" for name, row in zip(names, there, strict=True))
