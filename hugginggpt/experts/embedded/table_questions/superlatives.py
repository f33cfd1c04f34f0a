"""Superlatives in questions: which column they compare, and how many rows they want."""

from dataclasses import dataclass, field

from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.table_questions.grid import Column
from hugginggpt.experts.embedded.table_questions.question import Question
from hugginggpt.experts.embedded.table_questions.words import (
    NUMBERS,
    ORDINALS,
    PEOPLE,
    Comparison,
    adjective,
    comparative,
    stem,
    superlative,
)

_ADDING = frozenset({"sold", "revenue", "profit", "spending", "amount", "visitors"})
_BAD = frozenset({"duration", "price", "spending", "absence"})
"""What may be better if it is less."""
_MOST_MEASURES = 3
_MOST_ROWS = 50


@dataclass(frozen=True)
class Superlative:
    """A superlative of a question.

    Attributes:
        compared: what it compares.
        measures: the columns that it may be about; several if they fit equally.
        count: how many rows it wants.
        place: 2 for the second most.
        adds_up: the rows of a group count together: "which region sold most".
        counts: the column whose cells are to be counted: "which department has most people".
    """

    compared: Comparison
    measures: list[Column] = field(default_factory=list)
    count: int = 1
    place: int = 1
    adds_up: bool = False
    counts: Column | None = None

    @property
    def sign(self) -> int:
        """1 for the most, -1 for the least."""
        return self.compared.sign

    def sign_for(self, column: Column) -> int:
        """The same for one column: the fastest train takes the least time."""
        for concept, sign in self.compared.meant:
            if concept in column.concepts or (concept == "when" and column.moments):
                return sign
        return self.compared.sign


def superlative_in(question: Question) -> Superlative | None:
    """The superlative of a question, whose words become understood; None if it has none.

    Raises:
        ExpertError: it has several, or it is not clear what is compared.
    """
    found = _found(question)
    if found is None:
        return None
    at, end, compared, word = found
    count, place = _how_many(question, at, end)
    question.used.update(range(at, end))
    counted = _counted(question, end, word)
    if counted is not None:
        return Superlative(compared, [], count, place, counts=counted)
    measures = _measures(question, at, end, compared)
    if word in ("top", "best", "worst", "better", "worse") and any(_BAD & column.concepts for column in measures):
        raise ExpertError(f"It is not clear whether more or less {measures[0].name} is better.")
    adds_up = word in ("most", "least", "fewest", "best", "worst", "top") and bool(
        _ADDING & {concept for column in measures for concept in column.concepts}
    )
    return Superlative(compared, measures, count, place, adds_up)


def _found(question: Question) -> tuple[int, int, Comparison, str] | None:
    """Where the superlative begins and ends, and what it compares."""
    lows = question.lows
    places: list[tuple[int, int, Comparison, str]] = []
    at = 0
    while at < len(lows):
        compared = superlative(lows[at]) if question.is_free(at) else None
        if compared is None or (lows[at] in ("most", "least") and lows[at - 1 : at] == ["at"]):
            at += 1
            continue
        following = lows[at + 1] if at + 1 < len(lows) else ""
        second = adjective(following) if lows[at] in ("most", "least") else None
        if second is not None and following not in ("many",):
            question.drop(range(at + 1, at + 2))
            places.append((at, at + 2, second if lows[at] == "most" else second.reversed(), following))
            at += 2
        else:
            places.append((at, at + 1, compared, lows[at]))
            at += 1
    if not places and len(question.cells) > 1 and "or" in lows and "than" not in lows:
        return _comparative(question)
    if len(places) > 1 and places[0][1] == places[1][0]:
        # "the top best", "last longest"
        places = places[1:] if places[0][3] == "top" else places
    if len(places) > 1:
        raise ExpertError("The question has several superlatives.")
    return places[0] if places else None


def _comparative(question: Question) -> tuple[int, int, Comparison, str] | None:
    """The same for "Which is cheaper, the desk or the chair?"."""
    lows = question.lows
    for at, word in enumerate(lows):
        compared = comparative(word) if question.is_free(at) else None
        if compared is None:
            continue
        following = lows[at + 1] if at + 1 < len(lows) else ""
        named = adjective(following) if word in ("more", "less") else None
        if named is None:
            return at, at + 1, compared, word
        question.drop(range(at + 1, at + 2))
        return at, at + 2, named if word == "more" else named.reversed(), following
    return None


def _how_many(question: Question, at: int, end: int) -> tuple[int, int]:
    """How many rows are wanted, and from which place on."""
    lows = question.lows
    for near in (at - 1, end):
        if not 0 <= near < len(lows) or not (question.is_free(near) or lows[near] in NUMBERS):
            continue
        word = lows[near]
        number = NUMBERS.get(word) or (int(word) if word.isdecimal() and len(word) < 3 else None)
        if near == at - 1 and word in ORDINALS:
            question.used.add(near)
            return 1, ORDINALS[word]
        if number and number <= _MOST_ROWS and (near == at - 1 or word != "one"):
            question.used.add(near)
            return number, 1
    return 1, 1


def _counted(question: Question, end: int, word: str) -> Column | None:
    """The column whose cells are counted: the department of "which department has the most people"."""
    lows = question.lows
    if word not in ("most", "least", "fewest", "largest", "biggest", "highest") or end >= len(lows):
        return None
    rest = end + (lows[end] == "number") + (lows[end : end + 2] == ["number", "of"])
    noun = stem(lows[rest]) if rest < len(lows) else ""
    label = question.grid.label
    columns = [m for m in question.columns if m.start < end - 1]
    named = next((m for m in question.columns if m.start == rest), None)
    is_label = named is not None and any(c is label or c.moments for c in named.columns)
    is_label = is_label and named is not None and not any(c.values for c in named.columns)
    is_people = noun in PEOPLE and named is None and "person" in label.concepts
    if not columns or not (is_label or is_people or (named is None and noun in ("row", "entry", "record"))):
        return None
    column = columns[0].columns[0]
    if column.values or column is label:
        return None
    question.used.update(range(end, rest + 1))
    return column


def _measures(question: Question, at: int, end: int, compared: Comparison) -> list[Column]:
    """The columns that are compared.

    Raises:
        ExpertError: the table has none, or too many.
    """
    named = [m for m in question.columns if any(c.is_ordered for c in m.columns)]
    ordered = [[c for c in m.columns if c.is_ordered] for m in named]
    for concept, _ in compared.meant:
        fitting = [c for c in question.with_concept(concept) if c.is_ordered]
        told = [c for c in fitting if any(c in columns for columns in ordered)]
        if concept == "when" and not told:
            likely = question.likeliest_moments(fitting)
            fitting = fitting if likely is None else [likely]
        if fitting:
            return (told or fitting)[:_MOST_MEASURES]
    if compared.meant and not any(concept in ("length", "duration", "date", "when") for concept, _ in compared.meant):
        raise ExpertError(f'The table has no column for "{question.tokens[end - 1].text}".')
    after = [c for m, c in zip(named, ordered, strict=True) if m.start >= end]
    before = [c for m, c in zip(named, ordered, strict=True) if m.end <= at]
    if compared.meant:
        beside = next((c for m, c in zip(named, ordered, strict=True) if m.start == end), None)
        if beside is None:
            raise ExpertError(f'The table has no column for "{question.tokens[end - 1].text}".')
        return beside
    numbered = [[c for c in columns if c.values] for columns in (*after, *reversed(before))]
    if any(numbered):
        return next(columns for columns in numbered if columns)[:_MOST_MEASURES]
    numeric = question.grid.numeric
    if not numeric or len(numeric) > _MOST_MEASURES:
        raise ExpertError("The question does not say which column of numbers it compares.")
    return numeric
