"""Which rows of a table a question is about."""

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.table_questions.grid import Column
from hugginggpt.experts.embedded.table_questions.moments import Moment, moments_in
from hugginggpt.experts.embedded.table_questions.question import Question
from hugginggpt.experts.embedded.table_questions.words import PEOPLE, Comparison, comparative, stem
from hugginggpt.media.units import unit_of

Key = float | tuple[int, ...]
Test = Callable[[Any, Any], bool]

_OVER, _UNDER, _FROM, _TO, _IS = operator.gt, operator.lt, operator.ge, operator.le, operator.eq

_COMPARED: tuple[tuple[str, Test], ...] = (
    ("no less than", _FROM), ("not less than", _FROM), ("no fewer than", _FROM), ("at least", _FROM),
    ("a minimum of", _FROM), ("no more than", _TO), ("not more than", _TO), ("at most", _TO), ("up to", _TO),
    ("a maximum of", _TO), ("more than", _OVER), ("greater than", _OVER), ("higher than", _OVER),
    ("larger than", _OVER), ("bigger than", _OVER), ("above", _OVER), ("over", _OVER), ("exceeding", _OVER),
    ("exceeds", _OVER), ("exceed", _OVER), ("exceeded", _OVER), ("beyond", _OVER), ("less than", _UNDER),
    ("fewer than", _UNDER), ("lower than", _UNDER), ("smaller than", _UNDER), ("below", _UNDER), ("under", _UNDER),
    ("later than", _OVER), ("earlier than", _UNDER), ("after", _OVER), ("past", _OVER), ("before", _UNDER),
    ("since", _FROM), ("until", _TO), ("till", _TO), ("exactly", _IS), ("equal to", _IS), ("equals", _IS),
)  # fmt: skip
_FILLER_WORDS = "a an the of year years about around is was price cost eur usd gbp"
_ASKS_SETS = frozenset({"which", "many", "who", "list", "show"})
_BEFORE_HOURS = frozenset({"after", "before", "until", "till", "since", "past", "at"})
_FILLERS = frozenset(_FILLER_WORDS.split())
_UNIT_WORDS = (
    "euro euros dollar dollars pound pounds eur usd gbp degree degrees celsius c kg kilo kilos gram grams g km miles "
    "mm cm m meters metres minute minutes min mins hour hours h percent o'clock pence cents k"
)
_UNITS = frozenset(_UNIT_WORDS.split())
_SPOKEN = {"euros": "€", "euro": "€", "dollars": "$", "dollar": "$", "pounds": "£", "degrees": "°C", "celsius": "°C",
           "kilos": "kg", "percent": "%", "minutes": "min", "mins": "min", "minute": "min", "hours": "h"}  # fmt: skip
_NOT = (
    *("not in", "not from", "not at", "outside of", "outside", "except for", "except", "other than"),
    "excluding",
    *("without", "apart from", "besides", "not", "isn't", "aren't", "doesn't", "don't", "wasn't", "weren't"),
)
_SAID = ("year", "quarter", "month", "day", "weekday", "minute")


def rows_meant(question: Question) -> tuple[int, ...]:
    """The rows that fulfil all conditions of a question, in the table's order.

    Raises:
        ExpertError: it is not clear which column a condition is about.
    """
    rows = set(question.grid.rows)
    rows &= _by_moments(question)
    rows &= _by_numbers(question)
    rows &= _by_rows(question)
    rows &= _by_absence(question)
    rows &= _by_cells(question)
    return tuple(row for row in question.grid.rows if row in rows)


def _by_cells(question: Question) -> set[int]:
    """The rows of the cells that it names: any of those of a column, but all columns."""
    wanted: dict[int, set[int]] = defaultdict(set)
    refused: set[int] = set()
    for mention in question.cells:
        negation = next((phrase for phrase in _NOT if _ends(question, mention.start, phrase)), None)
        if negation is None:
            wanted[mention.columns[0].at] |= mention.rows or set()
        else:
            question.find(negation)
            refused |= mention.rows or set()
    rows = set(question.grid.rows) - refused
    for named in wanted.values():
        rows &= named
    if wanted and not rows:
        raise ExpertError("No row of the table has all that the question names.")
    return rows


def _by_absence(question: Question) -> set[int]:
    """The rows that have nothing of a column: "no rain", "out of stock"."""
    rows = set(question.grid.rows)
    for mention in list(question.columns):
        column = mention.columns[0]
        if column.says_yes and not question.cells and not _ASKS_SETS.isdisjoint(question.lows):
            negation = next((one for one in ("no", *_NOT) if _ends(question, mention.start, one)), None)
            rows &= rows - column.says_yes if negation else column.says_yes
            question.find(negation or "with a")
            question.measured.append(column)
            continue
        phrase = next((one for one in ("no", "zero", "out of", "without") if _ends(question, mention.start, one)), None)
        if phrase is None or not column.values:
            continue
        rows &= _passing(question, column, lambda key: key == 0)
        question.used.update(range(mention.start - len(phrase.split()), mention.end))
        question.measured.append(column)
    return rows


def _ends(question: Question, at: int, phrase: str) -> bool:
    """Whether a phrase stands right before a token, apart from an article."""
    words = phrase.split()
    lows = question.lows[:at]
    for _ in range(4):
        if lows[-len(words) :] == words:
            return True
        if not lows or lows[-1] not in ("the", "a", "in", "from", "at", "work", "live", "based", "to", "go"):
            return False
        lows = lows[:-1]
    return False


def _by_rows(question: Question) -> set[int]:
    """The rows that are more or less than a row that the question names: "earn more than Ada"."""
    rows = set(question.grid.rows)
    for mention in list(question.cells):
        at = mention.start - 1 - (question.lows[mention.start - 1] == "the")
        if at < 1 or question.lows[at] != "than" or len(mention.rows or ()) != 1:
            continue
        compared = comparative(question.lows[at - 1])
        if compared is None:
            continue
        column = _measure(question, at - 1, compared)
        row = min(mention.rows or ())
        limit = column.key(row)
        if limit is None:
            raise ExpertError(f"The row that the question compares with has no {column.name}.")
        test = _OVER if _sign(compared, column) > 0 else _UNDER
        rows &= _passing(question, column, partial(_flipped, test, limit))
        question.used.update(range(at - 1, mention.end))
        question.drop(mention.places)
    return rows


def _sign(compared: Comparison, column: Column) -> int:
    return next((sign for concept, sign in compared.meant if concept in column.concepts), compared.sign)


def _measure(question: Question, at: int, compared: Comparison | None) -> Column:
    """The column that a comparison at a token is about.

    Raises:
        ExpertError: it is not clear.
    """
    for concept, _ in compared.meant if compared else ():
        found = [column for column in question.with_concept(concept) if column.is_ordered]
        if len(found) == 1:
            question.measured.append(found[0])
            return found[0]
    if compared is not None and compared.meant:
        raise ExpertError(f'The table has no single column for "{question.tokens[at].text}".')
    numeric = question.grid.numeric
    column = question.nearest(at, numeric) or question.nearest(at, numeric, before=False)
    if column is None and ("who" in question.lows or any(stem(word) in PEOPLE for word in question.lows)):
        # Of people, a bare number is their age: "employees under 30".
        column = next(iter(question.with_concept("age")), None)
    if column is None and len(numeric) == 1:
        column = numeric[0]
    if column is None:
        raise ExpertError("The question does not say which column of the table a number is about.")
    question.measured.append(column)
    return column


def _passing(question: Question, column: Column, test: Callable[[Key], bool]) -> set[int]:
    return {row for row in question.grid.rows if (key := column.key(row)) is not None and test(key)}


def _flipped(test: Test, limit: Key, key: Key) -> bool:
    """Whether a key passes the test against a limit."""
    return test(key, limit)


def number_of(written: str) -> float | None:
    """The number that a token of a question says."""
    if written.casefold() == "zero":
        return 0.0
    match = re.fullmatch(r"(-?\d[\d.,']*?)[.,]?\s?(k|million|thousand)?", written.casefold())
    if match is None:
        return None
    digits = match[1].replace("'", "")
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        digits = digits.replace(",", "")
    elif re.fullmatch(r"-?\d+,\d{1,2}", digits):
        digits = digits.replace(",", ".")
    times = {"k": 1e3, "thousand": 1e3, "million": 1e6}.get(match[2] or "", 1.0)
    try:
        return float(digits) * times
    except ValueError:
        return None


def _by_numbers(question: Question) -> set[int]:
    """The rows whose numbers are over, under or between those of the question, or equal."""
    rows = set(question.grid.rows)
    places = [at for at, t in enumerate(question.tokens) if t.kind == "number" and question.is_free(at)]
    while places:
        at = places.pop(0)
        value = number_of(question.tokens[at].text)
        if value is None:
            continue
        lows = question.lows
        if places and _is_range(lows, at, places[0]):
            upper, last = number_of(question.tokens[places[0]].text), places.pop(0)
            start = at - 1
            column = _column_of_number(question, start, last)
            if upper is not None:
                rows &= _passing(question, column, partial(_flipped, _FROM, value))
                rows &= _passing(question, column, partial(_flipped, _TO, upper))
            question.used.update(range(start, last + 1))
            continue
        start, test, compared = _comparison(question, at)
        if test is None and compared is None:
            rows &= _equal(question, at, value)
            continue
        column = _column_of_number(question, start, at, compared)
        if test is None and compared is not None:
            test = _OVER if _sign(compared, column) > 0 else _UNDER
        if test is _OVER and lows[at + 1 : at + 3] in (["or", "more"], ["or", "over"], ["and", "over"]):
            test = _FROM
        rows &= _passing(question, column, partial(_flipped, test or _IS, value))
        question.used.update(range(start, at + 1))
    return rows


def _is_range(lows: list[str], first: int, second: int) -> bool:
    joined = lows[first + 1 : second]
    begin = lows[first - 1] if first else ""
    inner = [word for word in joined if word not in _FILLERS and word not in _UNITS]
    return (begin == "between" and inner == ["and"]) or (begin == "from" and inner == ["to"])


def _comparison(question: Question, at: int) -> tuple[int, Test | None, Comparison | None]:
    """The comparison before a number: where it begins, and its test, or what its adjective compares."""
    lows = question.lows
    end = at
    while end > 0 and lows[end - 1] in _FILLERS and question.is_free(end - 1) and not _phrase_at(lows, end):
        end -= 1
    if (found := _phrase_at(lows, end)) is not None:
        return found[0], found[1], None
    if end > 1 and lows[end - 1] == "than" and (compared := comparative(lows[end - 2])) is not None:
        return end - 2, None, compared
    if lows[at + 1 : at + 3] in (["or", "more"], ["or", "over"], ["or", "above"], ["and", "over"], ["and", "above"]):
        question.used.update((at + 1, at + 2))
        return at, _FROM, None
    if lows[at + 1 : at + 3] in (["or", "less"], ["or", "under"], ["or", "fewer"], ["or", "below"]):
        question.used.update((at + 1, at + 2))
        return at, _TO, None
    return at, None, None


def _phrase_at(lows: list[str], end: int) -> tuple[int, Test] | None:
    for phrase, test in _COMPARED:
        words = phrase.split()
        if lows[max(0, end - len(words)) : end] == words:
            return end - len(words), test
    return None


def _column_of_number(question: Question, start: int, at: int, compared: Comparison | None = None) -> Column:
    """The column that a number is about: by the unit after it, what stands before it, or because there is one only."""
    after = question.lows[at + 1] if at + 1 < len(question.tokens) else ""
    named = next((m for m in question.columns if m.start == at + 1), None)
    if named is not None and named.columns[0].values:
        question.measured.append(named.columns[0])
        return named.columns[0]
    if after in _UNITS:
        question.used.add(at + 1)
    token = question.tokens[at]
    unit = _SPOKEN.get(after) or unit_of(after) or unit_of(question.text[: token.start].rstrip()[-1:])
    having = [column for column in question.grid.columns if column.values and unit and column.unit == unit]
    if len(having) == 1:
        question.measured.append(having[0])
        return having[0]
    return _measure(question, start, compared)


def _equal(question: Question, at: int, value: float) -> set[int]:
    """The rows with a number, in the column that is named beside it, or the only one that has it.

    Raises:
        ExpertError: no row has it, or it is not clear in which column.
    """
    having = {
        column.at: {row for row in question.grid.rows if column.values[row] == value}
        for column in question.grid.columns
        if column.values and value in column.values
    }
    numeric = question.grid.numeric
    near = question.nearest(at, numeric) or question.nearest(at, numeric, before=False)
    if near is not None and near.at in having:
        question.measured.append(near)
    elif len(having) == 1:
        near = question.grid.columns[next(iter(having))]
        question.measured.append(near)
    else:
        raise ExpertError(f"It is not clear which cells of the table {question.tokens[at].text} is about.")
    question.used.add(at)
    if at + 1 < len(question.tokens) and question.lows[at + 1] in _UNITS:
        question.used.add(at + 1)
    return having[near.at]


def _by_moments(question: Question) -> set[int]:
    """The rows whose dates or times lie in, before, after or between those of the question."""
    rows = set(question.grid.rows)
    found = [(_places(question, a, b), moment) for a, b, moment in [*moments_in(question.text), *_bare(question)]]
    found = [(places, moment) for places, moment in found if _are_dates(question, places, moment)]
    found.sort(key=lambda one: one[0].start)
    chosen: dict[int, set[int]] = defaultdict(set)
    while found:
        places, moment = found.pop(0)
        column = _column_of_moment(question, places, moment)
        if column is None:
            continue
        lows = question.lows
        begin = lows[places.start - 1] if places.start else ""
        joint = lows[places.stop] if places.stop < len(lows) else ""
        if found and (begin, joint) in (("between", "and"), ("from", "to")) and found[0][0].start == places.stop + 1:
            others, upper = found.pop(0)
            keys = (_key(moment, moment), _key(upper, upper))
            rows &= _between(question, column, moment, *keys)
            places = range(places.start - 1, others.stop)
        elif (phrase := _phrase_at(lows, places.start)) is not None:
            limit = _key(moment, moment)
            rows &= {
                row for row in question.grid.rows
                if (cell := column.moments[row]) is not None and phrase[1](_key(cell, moment), limit)
            }  # fmt: skip
            places = range(phrase[0], places.stop)
        else:
            chosen[column.at] |= {
                row for row in question.grid.rows
                if (cell := column.moments[row]) is not None and moment.includes(cell)
            }  # fmt: skip
            if not chosen[column.at]:
                raise ExpertError(f"No row of the table is of {question.tokens[places.start].text.strip()}.")
        question.used.update(places)
        question.drop(places)
        question.measured.append(column)
    for named in chosen.values():
        rows &= named
    return rows


def _key(moment: Moment, like: Moment) -> tuple[int, ...]:
    """The parts of a moment that another one says."""
    known = moment.known
    return tuple(getattr(known, name) or 0 for name in _SAID if name in like.said)


def _between(
    question: Question, column: Column, like: Moment, lower: tuple[int, ...], upper: tuple[int, ...]
) -> set[int]:
    return {
        row for row in question.grid.rows
        if (cell := column.moments[row]) is not None and lower <= _key(cell, like) <= upper
    }  # fmt: skip


def _places(question: Question, start: int, end: int) -> range:
    found = [at for at, token in enumerate(question.tokens) if start <= token.start < end]
    return range(found[0], found[-1] + 1) if found else range(0)


def _bare(question: Question) -> Iterable[tuple[int, int, Moment]]:
    """Numbers that are years or hours: "in 2024", "after 9"."""
    has_times = any(cell is not None and cell.minute is not None for c in question.grid.columns for cell in c.moments)
    for at, token in enumerate(question.tokens):
        if token.kind == "number" and re.fullmatch(r"(?:1[5-9]|20)\d{2}", token.text) and question.is_free(at):
            yield token.start, token.start + 4, Moment(year=int(token.text))
            continue
        is_hour = token.text.isdecimal() and int(token.text) < 24 and at > 0 and question.lows[at - 1] in _BEFORE_HOURS
        if has_times and is_hour and question.is_free(at):
            yield token.start, token.start + len(token.text), Moment(minute=60 * int(token.text))


def _are_dates(question: Question, places: range, moment: Moment) -> bool:
    """Whether tokens are a date and not a name in the table: a column Mar, or a product April."""
    if not places or any(at in question.used for at in places):
        return False
    if moment.said == {"year"} and any(
        other.said > {"year"} and set(_places(question, a, b)) & set(places)
        for a, b, other in moments_in(question.text)
    ):
        return False
    over = [mention for mention in question.mentions if not set(mention.places).isdisjoint(places)]
    return all(mention.rows is not None and mention.columns[0].moments for mention in over)


def _column_of_moment(question: Question, places: range, moment: Moment) -> Column | None:
    """The column of dates or times that a moment is about; None if the table has none such.

    Raises:
        ExpertError: several may be meant.
    """
    fitting = [
        column
        for column in question.grid.columns
        if column.moments
        and not column.is_derived
        and any(cell is not None and moment.said <= cell.known.said for cell in column.moments)
    ]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    if _phrase_at(question.lows, places.start) is None:
        having = [c for c in fitting if any(cell is not None and moment.includes(cell) for cell in c.moments)]
        fitting = having or fitting
    if len(fitting) == 1:
        return fitting[0]
    having = [c for m in question.cells if m.start == places.start and m.exact for c in m.columns if c in fitting]
    if len(having) == 1:  # it has a cell with these very words
        return having[0]
    for before in (True, False):
        if near := question.nearest(places.start, fitting, before=before):
            return near
    if likely := question.likeliest_moments(fitting):
        return likely
    raise ExpertError("The table has several columns of dates or times, and it is not clear which one is meant.")
