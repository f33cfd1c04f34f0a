"""Numbers in tables: a column is read as a whole, because a single cell does not show how its numbers are written.

`1,800` is 1800 beside `850` and 1.8 beside `2,75`. A column is numeric if all of its cells that are not missing are
numbers in one way of writing, and it is not a column of identifiers such as postcodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from hugginggpt.media.units import SIGNS, unit_of
from hugginggpt.media.values import Table

_POINT, _COMMA = ".", ","
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069\ufeff\u061c\u202a\u202b\u202c\u202d\u202e"
_PLAIN = str.maketrans(
    {
        **dict.fromkeys(_INVISIBLE),
        **dict.fromkeys("\t\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4`\u2032\u066c", "'"),
        **dict.fromkeys("\uff0e\u066b", "."),
        **dict.fromkeys("٪％﹪", "%"),
        "，": ",",
        "＋": "+",
        # Digits of other scripts, each block beginning with its zero.
        **{chr(zero + n): str(n) for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10) for n in range(10)},
    }
)
_SAID_TO_BE_MISSING = (
    "NA N/A N/a n/a na N.A. n.a. #N/A #NA <NA> null NULL Null None NONE nan NaN NAN -nan -NaN NaT nil NIL "
    "- -- --- ? . .. \\N"
)
_MISSING = frozenset(("", "#N/A N/A", *_SAID_TO_BE_MISSING.split()))
# Infinity, the errors of spreadsheets, and the dash that they put in the place of an amount.
_NO_NUMBER = re.compile(
    r"[+-]?(?:inf|infinity|∞)|[+-]?1\.#(?:inf|ind|qnan)|#(?:div/0!|value!|ref!|name\?|num!|null!)|"
    rf"[{SIGNS}] ?-+|-+ ?[{SIGNS}%]",
    re.IGNORECASE,
)
_LONGEST = 64
_PLAINEST = re.compile(r"-?(?:[1-9]\d{0,14}|0)(?:\.\d+)?")
_IN_PARENTHESES = re.compile(r"([^()\d]*)\(([^()+-]*)\)([^()\d]*)")
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<before>(?:[^\W\d_]{{0,4}}[{SIGNS}]|%|[^\W\d_]{{1,4}}\.?)?) ?(?P<second>[+-]?) ?"
    r"(?P<digits>[.,]?\d[\d.,' ]*?)(?P<power>(?:[eE][+-]?\d{1,3})?)(?:[.,]-{1,2})? ?"
    r"(?P<after>(?:[^\d\s()+.,'-][^\d\s()+-]{0,5})?) ?(?P<last>-?)"
)
_MOST_DIGITS = 15  # more are not exact as floating-point numbers, so they are no quantities
_FEWEST_OF_A_PHONE = 8
_MOST_COUNTED = 4  # an identifier that is not unique has more digits

_NAMES_OF_IDENTIFIERS = (
    "zip zipcode postcode postalcode postal plz postleitzahl phone telephone telefon tel mobile handy fax isbn issn "
    "ean gtin upc sku iban bic ssn vat uuid guid barcode code codes version release"
)
_NAMES_OF_SOME = "id ids identifier key no nr num number nummer numero ref reference"
_IDENTIFIERS, _IF_UNIQUE = frozenset(_NAMES_OF_IDENTIFIERS.split()), frozenset(_NAMES_OF_SOME.split())
_WORDS = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+")
_VERSIONS = frozenset(("version", "release"))


@dataclass(frozen=True)
class _Writing:
    """A way of writing numbers."""

    grouping: str
    decimal: str
    pattern: re.Pattern[str]

    def read(self, digits: str) -> str:
        """The number as Python writes it."""
        return digits.replace(self.grouping, "").replace(self.decimal, ".")


def _writing(grouping: str, decimal: str) -> _Writing:
    group, point = re.escape(grouping), re.escape(decimal)
    by_threes = rf"[1-9]\d{{0,2}}(?:{group}\d{{3}})+"
    # 12,34,567, as in India.
    by_twos = rf"|[1-9]\d?(?:{group}\d{{2}})+{group}\d{{3}}" if grouping == _COMMA else ""
    return _Writing(grouping, decimal, re.compile(rf"(?:\d+|{by_threes}{by_twos})(?:{point}\d*)?|{point}\d+"))


_WRITINGS = tuple(_writing(group, decimal) for decimal in (_POINT, _COMMA) for group in ",.' " if group != decimal)
_IN_SOME_WRITING = re.compile("|".join(writing.pattern.pattern for writing in _WRITINGS))


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers.

    Attributes:
        values: one number for each row; None where the cell is missing or holds no finite number.
        unit: the currency or unit that its cells name, "%" for percentages; empty if they name none.
        note: one sentence if its numbers could also be read in another way; else empty.
    """

    name: str
    values: tuple[float | None, ...]
    unit: str = ""
    note: str = ""


def is_missing(cell: str) -> bool:
    """Whether a cell says that its value is missing: empty, NA, n/a, null, None, NaN, a dash, a question mark."""
    return _plain(cell) in _MISSING


def numeric_columns(table: Table) -> Mapping[int, NumericColumn]:
    """The columns of a table that hold numbers, by their position.

    What one column shows of the decimal mark is used for the others. Whoever needs text takes the table's own cells.
    """
    read = {}
    for at, name in enumerate(table.columns):
        column = _read([row[at] for row in table.rows], name)
        if isinstance(column, _Column):
            read[at] = column
    shown = {column.shown for column in read.values()} - {""}
    usual = shown.pop() if len(shown) == 1 else ""
    return {at: column.decided(usual) for at, column in read.items()}


def why_not_numeric(table: Table, at: int) -> str:
    """Why a column is not numeric: the end of a sentence that begins with the column; empty if it is."""
    read = _read([row[at] for row in table.rows], table.columns[at])
    return read if isinstance(read, str) else ""


def is_number(cell: str) -> bool:
    """Whether a cell is a number in some way of writing."""
    return _parsed(_plain(cell)) is not None


class _Number(NamedTuple):
    """A cell: its digits with the marks between them, and what stands around them."""

    digits: str
    sign: str = ""
    power: str = ""
    unit: str = ""

    @property
    def bare(self) -> bool:
        """Whether the digits have no marks between them."""
        return self.digits.isdecimal()


@dataclass(frozen=True)
class _Column:
    """A column of numbers that may be read with one of these decimal marks."""

    name: str
    numbers: list[_Number | None]
    writings: list[_Writing]
    unit: str

    @property
    def shown(self) -> str:
        """The decimal mark that the column shows; empty if it shows none."""
        marks = self._marks
        if not marks:
            return ""
        decimals = {writing.decimal for writing in self.writings}
        if len(decimals) == 1:
            return decimals.pop()
        return _other(marks) if len(marks) == 1 and self._is_grouped(marks) else ""

    @property
    def _marks(self) -> str:
        return "".join(sorted({mark for number in self._there for mark in ".," if mark in number.digits}))

    @property
    def _there(self) -> Iterator[_Number]:
        return (number for number in self.numbers if number is not None)

    def _is_grouped(self, mark: str) -> bool:
        """Whether a mark before three digits separates thousands, because smaller numbers have neither it nor decimals.

        Decimals would be written with the same number of digits in every cell, or without zeros at their end.
        """
        bare = [len(number.digits) for number in self._there if number.bare]
        zeros = any(number.digits.endswith("0") for number in self._there if mark in number.digits)
        return bool(bare) and max(bare) <= 3 and (zeros or max(bare) == 3)

    def decided(self, usual: str) -> NumericColumn:
        """The numbers, by the decimal mark that the column shows, else by that of the table, else the point."""
        decimal = self.shown or usual or _POINT
        writing = next((w for w in self.writings if w.decimal == decimal), self.writings[0])
        values = tuple(None if number is None else _value(number, writing) for number in self.numbers)
        return NumericColumn(self.name, values, self.unit, "" if self.shown or usual else self._note(writing))

    def _note(self, chosen: _Writing) -> str:
        other = next((writing for writing in self.writings if writing.decimal != chosen.decimal), chosen)
        example = next((n.digits for n in self._there if chosen.read(n.digits) != other.read(n.digits)), None)
        if example is None:
            return ""
        name = f"the column {self.name}" if self.name else "a column without a name"
        return f"In {name}, {example} was read as {chosen.read(example)}, not as {other.read(example)}."


def _other(mark: str) -> str:
    return _COMMA if mark == _POINT else _POINT


def _value(number: _Number, writing: _Writing) -> float | None:
    value = float(f"{number.sign}{writing.read(number.digits)}{number.power}")
    return value if isfinite(value) else None


def _read(cells: Sequence[str], name: str) -> _Column | str:
    """The column; or why it is not numeric, as the end of a sentence."""
    numbers: list[_Number | None] = []
    writings = list(_WRITINGS)
    units: set[str] = set()
    for cell in cells:
        text = _plain(cell)
        if text in _MISSING:
            numbers.append(None)
            continue
        number = _parsed(text)
        if number is None:
            if len(text) > _LONGEST or not _NO_NUMBER.fullmatch(text):
                return f"holds '{cell.strip()!s:.40}', which is not a number"
            numbers.append(None)
            continue
        numbers.append(number)
        if not number.bare:
            writings = [writing for writing in writings if writing.pattern.fullmatch(number.digits)]
            if not writings:
                return f"writes its numbers in more than one way ('{cell.strip()!s:.40}' is unlike others)"
        if number.unit or number.digits.strip("0.,"):  # nothing of any unit is nothing
            units.add(number.unit)
    there = [number for number in numbers if number is not None]
    if not there:
        return "holds no number"
    if len(units - {""}) > 1 or {"", "%"} <= units:
        return f"mixes {' and '.join(sorted(unit or 'plain numbers' for unit in units))}"
    if _are_identifiers(there, name):
        return "holds identifiers, not quantities"
    return _Column(name, numbers, writings, next(iter(units - {""}), ""))


def _plain(cell: str) -> str:
    return cell.strip() if cell.isascii() else cell.translate(_PLAIN).strip()


def _parsed(text: str) -> _Number | None:
    """The parts of a number; None if the text is none."""
    if _PLAINEST.fullmatch(text):
        return _Number(text.lstrip("-"), text[: text.startswith("-")])
    if len(text) > _LONGEST:
        return None
    owed = _IN_PARENTHESES.fullmatch(text)
    found = _NUMBER.fullmatch("".join(owed.groups()).strip() if owed else text)
    if found is None:
        return None
    signs = found["sign"] + found["second"] + found["last"] + ("-" if owed else "")
    named = [unit_of(written) for written in (found["before"], found["after"]) if written]
    if len(signs) > 1 or None in named or len({*named}) > 1:
        return None
    if not _IN_SOME_WRITING.fullmatch(found["digits"]):
        return None
    return _Number(found["digits"], signs, found["power"], named[0] or "" if named else "")


def _are_identifiers(numbers: Sequence[_Number], name: str) -> bool:
    if any(_is_identifier(number) for number in numbers):
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    whole = all(number.bare and not (number.unit or number.power or number.sign) for number in numbers)
    if not words or not (whole or words[-1] in _VERSIONS):
        return False
    if words[-1] in _IDENTIFIERS or (words[-1] in _IF_UNIQUE and {*words[-2:-1]} & _IDENTIFIERS):
        return True
    if words[0] != "id" and words[-1] not in _IF_UNIQUE and not words[-1].endswith("nummer"):
        return False
    return len(numbers[0].digits) > _MOST_COUNTED or len({number.digits for number in numbers}) == len(numbers)


def _is_identifier(number: _Number) -> bool:
    """Whether digits are a name by themselves: with zeros before them, after a plus as in phone numbers, too many."""
    digits = number.digits
    return (
        (digits[0] == "0" and digits[1:2] not in ("", ".", ","))
        or (number.sign == "+" and len(digits) >= _FEWEST_OF_A_PHONE and not (number.unit or number.power))
        or (len(digits) > _MOST_DIGITS and number.bare)
    )
