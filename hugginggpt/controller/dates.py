"""Days in texts, however they are written."""

import re
from collections.abc import Iterator
from datetime import date

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\.?"
_BETWEEN = r"(?:st|nd|rd|th)?[\s./,-]{1,3}(?:of |the )?"  # the parts of a date
_DAY, _YEAR = r"(?P<day>\d{1,2})", r"(?P<year>\d{4})"
_WRITTEN = tuple(
    re.compile(rf"(?<![\w.,/-])(?:{form})(?![\w/-]|[.,]\d)", re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})",
        rf"{_DAY}{_BETWEEN}{_MONTH}{_BETWEEN}{_YEAR}",
        rf"{_MONTH}{_BETWEEN}{_DAY}{_BETWEEN}{_YEAR}",
        rf"(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?{_YEAR}",
        rf"(?P<first>\d{{1,2}})/(?P<second>\d{{1,2}})/{_YEAR}",
    )
)


def only_day(text: str) -> date | None:
    """The day that a text names; None if it names none or several, or may mean another, as 02/03/2026 does."""
    days = set(_days(text))
    return days.pop() if len(days) == 1 else None


def _days(text: str) -> Iterator[date | None]:
    for written in _WRITTEN:
        for match in written.finditer(text):
            parts = match.groupdict()
            if "first" in parts:
                first, second = int(parts["first"]), int(parts["second"])
                months = {second: first, first: second} if first != second else {first: second}
                possible = [_day(parts["year"], month, day) for month, day in months.items()]
                fitting = [day for day in possible if day is not None]
                yield fitting[0] if len(fitting) == 1 else None
                continue
            month = _MONTHS.index(parts["name"].lower()) + 1 if "name" in parts else int(parts["month"])
            yield _day(parts["year"], month, int(parts["day"]))


def _day(year: str, month: int, day: int) -> date | None:
    try:
        return date(int(year), month, day)
    except ValueError:
        return None


def names_day(text: str, year: int, month: int, day: int) -> bool:
    """Whether a text in small letters names a day, also without its century."""
    if not 1 <= month <= len(_MONTHS):
        return False
    parts = {
        "d": f"0?{day}",
        "m": rf"(?:0?{month}|{_MONTHS[month - 1]}[a-z]*\.?)",
        "y": f"'?(?:{year}|{year % 100:02})",
    }
    orders = (_BETWEEN.join(parts[part] for part in order) for order in ("dmy", "mdy", "ymd"))
    return any(re.search(rf"(?<!\d){written}(?!\d)", text) for written in orders)
