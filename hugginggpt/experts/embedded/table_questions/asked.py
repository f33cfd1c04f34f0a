"""Which columns a question asks for, and how their cells are told."""

from collections.abc import Iterable, Sequence

from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.table_questions.grid import Column, Grid
from hugginggpt.experts.embedded.table_questions.question import Question
from hugginggpt.text import one_line

MOST_LISTED = 50
"""Most rows that an answer names."""

MONEY = frozenset({"price", "spending", "amount", "pay", "revenue"})
"""What "how much" asks for."""

_BETWEEN = frozenset({"of", "the", "other", "kind", "type", "these", "our", "different"})
_HOW = {
    "old": ("age", "birth"),
    "long": ("duration", "length"),
    "tall": ("height",),
    "high": ("height",),
    "far": ("distance",),
    "heavy": ("weight",),
    "hot": ("temperature",),
    "warm": ("temperature",),
    "cold": ("temperature",),
    "big": ("size",),
    "large": ("size",),
    "fast": ("speed",),
    "expensive": ("price",),
}


def asked_columns(question: Question) -> list[Column]:
    """The columns that an interrogative asks for: which month, who, when, where; empty if it asks for none.

    Raises:
        ExpertError: the table has no such column.
    """
    lows = question.lows
    for at, word in enumerate(lows):
        if word in ("which", "what") and (columns := _after_which(question, at)):
            return columns
        if word in ("who", "whose"):
            return _who(question, at)
        if word == "when" or (word == "time" and at and lows[at - 1] == "what"):
            return _when(question)
        if word == "where":
            return question.with_concept("place", "country")[:1] or _none(word)
    return []


def _none(word: str) -> list[Column]:
    raise ExpertError(f'The table has no column for "{word}".')


def _after_which(question: Question, at: int) -> list[Column]:
    lows = question.lows
    cells = next((m for m in question.cells if m.start == at + 1), None)
    if cells is not None:
        following = next((m.columns[0] for m in question.columns if m.start == cells.end), question.grid.label)
        return [question.grid.label if following.is_ordered else following]
    found = next((m for m in question.columns if at < m.start <= at + 4), None)
    if found is None or (lows[at] == "what" and found.start > at + 1):
        return []
    is_noun = all(
        lows[place] in _BETWEEN or (question.is_free(place) and lows[place].isdigit())
        for place in range(at + 1, found.start)
    )
    return list(found.columns) if is_noun else []


def _who(question: Question, at: int) -> list[Column]:
    lows, label = question.lows, question.grid.label
    if lows[at : at + 2] == ["who", "is"] and question.cells:
        # "Who is Ada's manager?"
        named = next((m.columns[0] for m in question.columns if m.exact and m.start - at <= 4), None)
        if named is not None and not named.is_ordered:
            return [named]
    people = [column for one in ("person", "buyer", "performer", "maker") for column in question.with_concept(one)]
    mentioned = [column for mention in question.columns for column in mention.columns if column in people]
    people = mentioned or people or _none(lows[at])
    return [label] if label in people else people[:1]


def _when(question: Question) -> list[Column]:
    moments = [column for column in question.grid.columns if column.moments]
    named = [column for mention in question.columns for column in mention.columns if column in moments]
    return named[:1] or moments[:1] or _none("when")


def how_column(question: Question) -> Column | None:
    """The column that "how much" or "how old" asks for, if it is not named."""
    lows = question.lows
    at = lows.index("how") if "how" in lows else -1
    word = lows[at + 1] if 0 <= at < len(lows) - 1 else ""
    if word in _HOW:
        found = question.with_concept(*_HOW[word])
        question.used.add(at + 1)
        return found[0] if len(found) == 1 else None
    if word != "much":
        return None
    numeric = question.grid.numeric
    money = [column for column in numeric if column.concepts & MONEY]
    return money[0] if len(money) == 1 else numeric[0] if len(numeric) == 1 else None


def number_columns(question: Question) -> list[Column]:
    """The columns of numbers that a question names, else that it compares by, else all."""
    named = [column for column in named_columns(question) if column.values]
    named = named or [column for column in question.measured if column.values]
    if named:
        return list(dict.fromkeys(named))
    how = how_column(question)
    if how is not None:
        return [how] if how.values else []
    return question.grid.numeric


def named_columns(question: Question) -> list[Column]:
    """The columns that a question names, but for those that its conditions are about."""
    return [column for mention in question.columns for column in mention.columns if column not in question.measured]


def only_number_column(question: Question, purpose: str) -> Column:
    """The column of numbers that is named, or the only one.

    Args:
        question: the question.
        purpose: what it is for, as a noun.

    Raises:
        ExpertError: it is not clear.
    """
    columns = number_columns(question)
    if len(columns) != 1:
        raise ExpertError(f"The question does not say which column the {purpose} is about.")
    return columns[0]


def is_countable(column: Column) -> bool:
    """Whether "how many" may ask for the numbers of a column: units or visitors, but not money."""
    return "sold" in column.concepts or not column.concepts & MONEY


def tells_apart(column: Column, rows: Sequence[int]) -> bool:
    """Whether no two of these rows have the same cell in a column."""
    cells = [column.cell(row).casefold() for row in rows]
    return len({*cells}) == len(cells)


def head(grid: Grid, row: int, wanted: Sequence[Column]) -> str:
    """The cells that are asked for; the name of the row if none are.

    Raises:
        ExpertError: they are empty.
    """
    shown = list(wanted)
    if not shown:
        named = [column for column in grid.columns if not column.is_ordered]
        shown = [*named[:1], grid.label] if grid.label.moments else [grid.label]
    cells = [column.cell(row) for column in dict.fromkeys(shown) if not grid.missing(column, row)]
    if not cells:
        raise ExpertError(f"The table leaves {listed([column.name for column in shown])} empty there.")
    return ", ".join(cells)


def in_sheet(grid: Grid, rows: Sequence[int]) -> str:
    """The sheet that these rows are in, if the table comes from several and all of the rows are in one."""
    sheets = {grid.sheet.cell(row) for row in rows} if grid.sheet is not None else ()
    return f"sheet {next(iter(sheets))}" if len(sheets) == 1 else ""


def listed(names: Iterable[str]) -> str:
    """Different names in a sentence: `a`, `a and b`, `a, b and c`."""
    *others, last = dict.fromkeys(names)
    return f"{', '.join(others)} and {last}" if others else last


def told(first: str, more: str) -> str:
    """A cell, and what else to tell in brackets."""
    return f"{first} ({more})" if more and more != first else first


def noted(said: str, *columns: Column) -> str:
    """An answer in one line, with how the numbers of its columns were read if there is another way."""
    notes = list(dict.fromkeys(column.note for column in columns if column.note))
    return " ".join([one_line(f"{said}." if notes else said), *notes])
