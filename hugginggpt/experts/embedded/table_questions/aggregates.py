"""Numbers computed from a column: sums, means, medians, ranges, differences."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from statistics import median

from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.table_questions.grid import Column
from hugginggpt.experts.embedded.table_questions.question import Question
from hugginggpt.experts.embedded.table_questions.words import comparative


class Aggregate(Enum):
    """What a question wants computed."""

    COUNT = "count"
    DISTINCT = "distinct"
    COMMONEST = "commonest"
    SUM = "sum"
    MEAN = "mean"
    MEDIAN = "median"
    RANGE = "range"
    SHARE = "share"
    DIFFERENCE = "difference"


_PHRASES = (
    (Aggregate.SHARE, "what percentage of|what percent of|what share of|what proportion of|what fraction of"),
    (Aggregate.SHARE, "percentage of|percentage|percent of|percent|proportion of|share of|share"),
    (Aggregate.DIFFERENCE, "difference"),
    (Aggregate.COMMONEST, "most common|most commonly|most frequent|most often|commonest|most frequently"),
    (Aggregate.MEDIAN, "median"),
    (Aggregate.MEAN, "on average|average|mean|avg|averaged"),
    (Aggregate.RANGE, "range|spread"),
    (Aggregate.DISTINCT, "how many different|how many distinct|how many unique"),
    (Aggregate.DISTINCT, "number of different|number of distinct|number of unique"),
    (Aggregate.COUNT, "how many|number of|count of|count"),
    (Aggregate.SUM, "in total|grand total|total|totals|sum of|sum|altogether|overall|combined|all together"),
    (Aggregate.SUM, "add up|together|summed"),
)
_ALSO = ("in total", "total", "altogether", "overall", "all together", "together", "combined")


def aggregate_in(question: Question) -> Aggregate | None:
    """What a question wants computed; None if it asks only for cells."""
    lows = question.lows
    if "how" in lows[:-2] or "much" in lows[:-1]:
        at = lows.index("how") if "how" in lows[:-2] else lows.index("much") - 1
        if lows[at + 1 : at + 2] in (["much"], ["many"]) and at + 2 < len(lows) and comparative(lows[at + 2]):
            question.used.update((at, at + 1, at + 2))
            question.drop(range(at, at + 3))
            question.find("expensive", taken=True)
            return Aggregate.DIFFERENCE
    for aggregate, phrases in _PHRASES:
        if aggregate is Aggregate.COMMONEST and any(column.values for m in question.columns for column in m.columns):
            continue
        if aggregate is Aggregate.SUM and (places := question.find("in total", taken=True)) is not None:
            question.drop(places)
            return aggregate
        if question.find(*phrases.split("|")) is not None:
            if aggregate in (Aggregate.COUNT, Aggregate.SHARE, Aggregate.MEAN, Aggregate.DISTINCT):
                question.find(*_ALSO)
            return aggregate
    return None


def exact(number: float) -> Decimal:
    """The number as it was written, so that sums of decimals are exact."""
    return Decimal(repr(number))


def summed(column: Column, rows: Sequence[int]) -> Decimal | None:
    """The sum of a column over some rows; None if none of them has a number."""
    return computed(Aggregate.SUM, column, rows)


def computed(aggregate: Aggregate, column: Column, rows: Sequence[int]) -> Decimal | None:
    """A number computed from a column over some rows; None if none of them has a number there."""
    there = [exact(value) for row in rows if (value := column.values[row]) is not None]
    if not there:
        return None
    match aggregate:
        case Aggregate.SUM:
            return sum(there, Decimal(0))
        case Aggregate.MEAN:
            return sum(there, Decimal(0)) / len(there)
        case Aggregate.MEDIAN:
            return median(there)
        case Aggregate.RANGE:
            return max(there) - min(there)
        case _:
            raise ExpertError("This cannot be computed from a column.")


def difference(question: Question, column_of: Callable[[], Column]) -> str:
    """How far two rows that a question names are apart, or the most and the least of a column.

    Args:
        question: the question.
        column_of: returns the only column of numbers that is meant.

    Raises:
        ExpertError: it names other than two rows.
    """
    lows = question.lows
    extremes = {"highest", "lowest", "largest", "smallest", "maximum", "minimum", "max", "min", "biggest", "most",
                "least", "cheapest", "best", "worst"}  # fmt: skip
    question.find("more", "less")
    named = question.cells
    if (not named and len(extremes & {*lows}) == 2) or ("most" in lows and "cheapest" in lows):
        for word in extremes & {*lows}:
            question.find(word, taken=True)
        question.find("expensive", taken=True)
        column = column_of()
        question.check_all_understood()
        found = computed(Aggregate.RANGE, column, question.grid.rows)
        if found is None:
            raise ExpertError(f"The column {column.name} holds no number.")
        return column.written(found)
    for word in ("than", "between"):
        question.find(word)
    if len(named) != 2 or any(len(mention.rows or ()) != 1 for mention in named):
        raise ExpertError("The question does not name two rows of the table to compare.")
    column = column_of()
    question.check_all_understood()
    values = []
    for mention in named:
        row = min(mention.rows or ())
        value = column.values[row]
        if value is None:
            raise ExpertError(f"The table leaves {column.name} empty in one of the two rows.")
        values.append((exact(value), column.cell(row), question.grid.label.cell(row)))
    (one, cell, name), (other, other_cell, other_name) = values
    return f"{column.written(abs(one - other))} ({name} {cell}, {other_name} {other_cell})"
