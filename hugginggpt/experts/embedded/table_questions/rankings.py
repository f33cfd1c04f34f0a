"""Answers to superlatives: the rows, or groups of rows, with the most or least of something."""

from collections.abc import Sequence
from decimal import Decimal

from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.table_questions.aggregates import Aggregate, computed
from hugginggpt.experts.embedded.table_questions.asked import (
    MOST_LISTED,
    head,
    in_sheet,
    listed,
    named_columns,
    noted,
    tells_apart,
    told,
)
from hugginggpt.experts.embedded.table_questions.grid import Column
from hugginggpt.experts.embedded.table_questions.question import Question
from hugginggpt.experts.embedded.table_questions.superlatives import Superlative


def ranking(
    question: Question, asked: Superlative, rows: Sequence[int], wanted: Sequence[Column], aggregate: Aggregate | None
) -> str:
    """The rows or groups with the most or least of something.

    Args:
        question: the question.
        asked: its superlative.
        rows: those that it is about.
        wanted: the columns that it asks for.
        aggregate: what is compared of groups of rows, if it says so: "the highest total salary".

    Raises:
        ExpertError: there are no such rows, or too many.
    """
    label = question.grid.label
    question.check_all_understood()
    if asked.counts is not None:
        return _groups(question, asked, rows, asked.counts, None)
    if not wanted:
        others = [column for column in named_columns(question) if column not in asked.measures]
        wanted = [column for column in others if column is not label] or others[:1]
    by = next((c for c in wanted if c not in asked.measures and not tells_apart(c, rows)), None)
    adds = aggregate in (Aggregate.SUM, Aggregate.MEAN)
    if by is not None and asked.measures[0].values and (asked.adds_up or adds):
        return _groups(question, asked, rows, by, aggregate or Aggregate.SUM)
    if adds and not tells_apart(label, rows):
        return _groups(question, asked, rows, label, aggregate)
    said = [_ranked(question, asked, column, rows, wanted) for column in asked.measures]
    if len(said) == 1:
        return said[0]
    return "; ".join(f"By {column.name}: {one}" for column, one in zip(asked.measures, said, strict=True))


def _ranked(
    question: Question, asked: Superlative, column: Column, rows: Sequence[int], wanted: Sequence[Column]
) -> str:
    """The rows with the most of a column, each with its cell there."""
    grid = question.grid
    keys = {row: key for row in rows if (key := column.key(row)) is not None}
    if not keys:
        raise ExpertError(f"No row that the question is about has a {column.name}.")
    order = sorted(set(keys.values()), reverse=asked.sign_for(column) > 0)
    places = {key: place for place, key in enumerate(order)}
    ranked = sorted(keys, key=lambda row: places[keys[row]])
    if asked.place > len(order):
        raise ExpertError(f"There are not that many different values of {column.name}.")
    last = places[keys[ranked[min(asked.count, len(ranked)) - 1]]] if asked.count > 1 else asked.place - 1
    chosen = [row for row in ranked if asked.place - 1 <= places[keys[row]] <= last]
    if len(chosen) > MOST_LISTED:
        raise ExpertError(f"{len(chosen)} rows are equal in {column.name}, which are too many to name.")
    compares = sum(mention.columns[0] is grid.label for mention in question.cells) > 1
    is_named = not compares and any(column in mention.columns for mention in question.columns)
    if asked.count == 1 and (list(wanted) == [column] or (not wanted and is_named)):
        # "What is the highest price?" wants the price first.
        named = (", ".join(filter(None, [head(grid, row, []), in_sheet(grid, [row])])) for row in chosen)
        return told(column.cell(chosen[0]), listed(named))
    others = [one for one in wanted if one is not column]
    unnamed = others and grid.label not in others and grid.label is not column
    shown = [grid.label, column] if unnamed else [column]
    cells = [[one.cell(row) for one in shown if not grid.missing(one, row)] for row in chosen]
    tails = [", ".join(filter(None, [*own, in_sheet(grid, [row])])) for own, row in zip(cells, chosen, strict=True)]
    heads = [head(grid, row, others) for row in chosen]
    if len({*tails}) == 1:
        return told(listed(heads), tails[0])
    return ", ".join(told(first, more) for first, more in zip(heads, tails, strict=True))


def _groups(
    question: Question, asked: Superlative, rows: Sequence[int], by: Column, aggregate: Aggregate | None
) -> str:
    """The cells of a column whose rows are the most, or have the highest sum or mean."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        if not question.grid.missing(by, row):
            groups.setdefault(by.cell(row), []).append(row)
    measure = asked.measures[0] if aggregate is not None else None
    scores: dict[str, Decimal] = {}
    for name, members in groups.items():
        score = Decimal(len(members)) if measure is None else computed(aggregate or Aggregate.SUM, measure, members)
        if score is not None:
            scores[name] = score
    order = sorted({*scores.values()}, reverse=(asked.sign_for(measure) if measure else asked.sign) > 0)
    if asked.place > len(order):
        raise ExpertError(f"There are not that many different values of {by.name}.")
    best = order[asked.place - 1 : asked.place - 1 + asked.count]

    def shown(score: Decimal) -> str:
        if measure is None:
            return str(score)
        is_mean = aggregate is Aggregate.MEAN
        return f"{measure.written(score, more_decimals=is_mean)} {'on average' if is_mean else 'in total'}"

    parts = [told(listed(name for name, one in scores.items() if one == score), shown(score)) for score in best]
    return noted(", ".join(parts), *([measure] if measure else []))
