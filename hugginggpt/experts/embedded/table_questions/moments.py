"""Dates, months, weekdays, years and times of day, in cells and in questions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from hugginggpt.media.numbers import is_missing

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH_NAMES = {name: at for at, month in enumerate(_MONTHS, 1) for name in (month, month[:3])} | {"sept": 9}
_DAY_NAMES = {name: at for at, day in enumerate(_DAYS) for name in (day, day[:3])} | {"tues": 1, "thur": 3, "thurs": 3}

_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTH_NAMES, key=len, reverse=True))})\.?"
_DAY = rf"(?P<weekday>{'|'.join(sorted(_DAY_NAMES, key=len, reverse=True))})\.?"
_YEAR = r"(?P<year>(?:19|20)\d{2})"
_DAY_OF_MONTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_CLOCK = (
    r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::[0-5]\d)?(?:\s?(?P<half>[ap])\.?m\b\.?)?|"
    r"(?P<hour2>1[0-2]|0?[1-9])\s?(?P<half2>[ap])\.?m\b\.?"
)
_ISO = r"(?P<year>\d{4})[-/](?P<month_number>\d{1,2})(?:[-/](?P<day>\d{1,2}))?(?:[T ]\d{2}:\d{2}(?::\d{2})?)?"
_WRITTEN = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _ISO,
        rf"(?:{_DAY},? )?{_DAY_OF_MONTH}\s*(?:of )?[- ]?{_MONTH}(?:,?[- ]?{_YEAR})?",
        rf"(?:{_DAY},? )?{_MONTH} {_DAY_OF_MONTH}(?:,? {_YEAR})?(?!\d)",
        rf"{_MONTH}[- ,]*(?:{_YEAR}|'?(?P<short>\d{{2}}))",
        _MONTH,
        rf"{_DAY}s?",
        _CLOCK,
        rf"Q(?P<quarter>[1-4])(?: {_YEAR})?",
    )
)
_SLASHED = re.compile(r"(?P<first>\d{1,2})(?P<mark>[./])(?P<second>\d{1,2})[./](?P<year>\d{4}|\d{2})")


def _numbered(pattern: str, number: int) -> str:
    """The pattern with its groups named apart from those of other patterns."""
    return re.sub("[?]P<(.+?)>", rf"?P<\1_{number}>", pattern)


_IN_QUESTION = re.compile(
    "|".join(rf"(?<![\w.,-])(?:{_numbered(one.pattern, at)})(?!\w)" for at, one in enumerate(_WRITTEN)), re.IGNORECASE
)
_ABBREVIATED = re.compile(r"(?:[A-Z][a-z]{2,4}|[A-Z]{3,4})\.?")


@dataclass(frozen=True)
class Moment:
    """A date, month, weekday, year or time of day: what is not said of it is None."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None
    minute: int | None = None
    quarter: int | None = None

    @property
    def key(self) -> tuple[int, ...]:
        """For sorting moments of one column."""
        weekday = self.weekday if self.day is None else None
        return tuple(-1 if one is None else one for one in (self.year, self.quarter, self.month, self.day, weekday,
                                                            self.minute))  # fmt: skip

    @property
    def said(self) -> frozenset[str]:
        """Which parts are said."""
        return frozenset(name for name, value in vars(self).items() if value is not None)

    @property
    def known(self) -> "Moment":
        """The moment with the weekday and quarter that follow from its date."""
        weekday, quarter = self.weekday, self.quarter
        if self.year and self.month and self.day:
            weekday = date(self.year, self.month, self.day).weekday()
        if self.month:
            quarter = (self.month + 2) // 3
        return Moment(self.year, self.month, self.day, weekday, self.minute, quarter)

    def includes(self, other: "Moment") -> bool:
        """Whether another moment lies in this one, as 5 March does in March."""
        known = other.known
        return all(getattr(known, name) == getattr(self, name) for name in self.said)


PARTS = ("year", "quarter", "month", "weekday")
"""What can be told of a date."""


def part_of(moment: Moment, part: str, with_year: bool) -> tuple[str, Moment] | None:
    """The name of a moment's month, quarter, weekday or year, and that as a moment; None if it does not say it.

    Args:
        moment: a date or month.
        part: one of `PARTS`.
        with_year: tell months and quarters of different years apart.
    """
    known = moment.known
    value = getattr(known, part)
    if value is None:
        return None
    year = known.year if with_year and part in ("month", "quarter") else None
    names = {"month": lambda: _MONTHS[value - 1].capitalize(), "weekday": lambda: _DAYS[value].capitalize(),
             "quarter": lambda: f"Q{value}", "year": lambda: str(value)}  # fmt: skip
    name = names[part]() + (f" {year}" if year else "")
    return name, Moment(**{part: value, "year": year} if part != "year" else {part: value})


def _moment(parts: dict[str, str | None]) -> Moment | None:
    def number(name: str) -> int | None:
        value = parts.get(name)
        return int(value) if value else None

    month = _MONTH_NAMES.get((parts.get("month") or "").casefold()) or number("month_number")
    weekday = _DAY_NAMES.get((parts.get("weekday") or "").casefold())
    year = number("year") or (2000 + short if (short := number("short")) is not None else None)
    hour, half = number("hour"), parts.get("half")
    minute = None if hour is None else hour * 60 + (number("minute") or 0)
    if hour is None and (hour := number("hour2")) is not None:
        half, minute = parts.get("half2"), hour * 60
    if half and hour is not None and minute is not None and hour <= 12:
        minute += (hour % 12 - hour) * 60 + (720 if half.casefold() == "p" else 0)
    return _checked(Moment(year, month, number("day"), weekday, minute, number("quarter")))


def _checked(moment: Moment) -> Moment | None:
    """The moment; None if there is no such day. Of a whole date, the weekday follows and is not kept."""
    if moment.month is not None and not 1 <= moment.month <= 12:
        return None
    if moment.day is not None:
        try:
            date(moment.year or 2000, moment.month or 1, moment.day)
        except ValueError:
            return None
        return Moment(moment.year, moment.month, moment.day, None, moment.minute)
    return moment


def moments_of(cells: Sequence[str], name: str) -> list[Moment | None] | None:
    """The moments of a column, None for each missing cell; None if it holds anything else, or may be read in two ways.

    Args:
        cells: the column.
        name: its name: numbers are years only where that says so.
    """
    there = [cell.strip() for cell in cells if not is_missing(cell)]
    if not there:
        return None
    if all(re.fullmatch(r"(?:1[5-9]|20)\d{2}", cell) for cell in there):
        if re.search(r"year|founded|built|since|born|season|released", name, re.IGNORECASE) is None:
            return None
        read: dict[str, Moment | None] = {cell: Moment(year=int(cell)) for cell in there}
    elif all(_SLASHED.fullmatch(cell) for cell in there):
        read = _slashed(there)
    else:
        read = {cell: _read(cell) for cell in there}
    if None in read.values() or len({moment.said for moment in read.values() if moment}) != 1:
        return None
    return [None if is_missing(cell) else read[cell.strip()] for cell in cells]


def _read(cell: str) -> Moment | None:
    for pattern in _WRITTEN:
        if match := pattern.fullmatch(cell):
            return _moment(match.groupdict())
    return None


def _slashed(cells: Sequence[str]) -> dict[str, Moment | None]:
    """Dates such as 3/4/2024, if the column shows which number is the month."""
    found = [match for cell in cells if (match := _SLASHED.fullmatch(cell))]
    first, second = (any(int(match[name]) > 12 for match in found) for name in ("first", "second"))
    if first == second and not all(match["mark"] == "." for match in found):
        return dict.fromkeys(cells)
    day, month = ("second", "first") if second and not first else ("first", "second")
    return {
        match.group(): _checked(Moment(int(match["year"]) + 2000 * (len(match["year"]) == 2), int(match[month]),
                                       int(match[day]))) if int(match[month]) <= 12 else None
        for match in found
    }  # fmt: skip


def moments_in(question: str) -> list[tuple[int, int, Moment]]:
    """The moments that a question names: where each begins and ends. Years alone are numbers."""
    found = []
    for match in _IN_QUESTION.finditer(question):
        parts = {name.rpartition("_")[0]: value for name, value in match.groupdict().items() if value is not None}
        moment = _moment(dict(parts))
        if moment is None or not _is_meant(match.group(), match.start(), question):
            continue
        found.append((match.start(), match.end(), moment))
    return found


def _is_meant(written: str, start: int, question: str) -> bool:
    """Whether a word is a month or a day: "may", "march", "sat" and "sun" are other words, too."""
    if written.casefold().rstrip(".") in ("may", "march"):
        return written[:1].isupper() or re.search(r"\b(?:in|of|for|during|and|or|to|between|than|from)\s$",
                                                 question[:start]) is not None  # fmt: skip
    word = written.rstrip(".").casefold()
    if word in (*_MONTHS, *_DAYS) or not word.isalpha():
        return True
    return _ABBREVIATED.fullmatch(written) is not None or word.rstrip("s") in _DAYS
