"""Values for the slots of documents, so varied that a model learns to copy them and not to know them.

A document keeps to one way of writing dates, times, money and telephone numbers.
"""

from __future__ import annotations

import random
import re
import string
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

_FILE = Path(__file__).with_name("values.txt")
_MOST_TRIES = 2000

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_BIRTHS = ("birth", "born", "dob")

_T = TypeVar("_T")

_DATES: Mapping[Callable[[date], str], int] = {
    lambda d: f"{d.day} {_MONTHS[d.month - 1]} {d.year}": 22,
    lambda d: f"{d.day} {_MONTHS[d.month - 1]}": 14,
    lambda d: f"{_DAYS[d.weekday()]}, {d.day} {_MONTHS[d.month - 1]}": 7,
    lambda d: f"{_DAYS[d.weekday()]} {d.day} {_MONTHS[d.month - 1]} {d.year}": 5,
    lambda d: f"{_ordinal(d.day)} {_MONTHS[d.month - 1]} {d.year}": 5,
    lambda d: f"{_DAYS[d.weekday()]} {_ordinal(d.day)} {_MONTHS[d.month - 1]}": 3,
    lambda d: f"{_MONTHS[d.month - 1]} {d.day}, {d.year}": 9,
    lambda d: f"{_MONTHS[d.month - 1]} {d.day}": 4,
    lambda d: f"{_MONTHS[d.month - 1][:3]} {d.day}, {d.year}": 4,
    lambda d: f"{d.day} {_MONTHS[d.month - 1][:3]} {d.year}": 6,
    lambda d: f"{_DAYS[d.weekday()][:3]} {d.day} {_MONTHS[d.month - 1][:3]}": 4,
    lambda d: f"{d.day:02}-{_MONTHS[d.month - 1][:3].upper()}-{d.year}": 1,
    lambda d: f"{d.day:02}.{d.month:02}.{d.year}": 10,
    lambda d: f"{d.day}.{d.month}.{d.year}": 3,
    lambda d: f"{d.day:02}/{d.month:02}/{d.year}": 9,
    lambda d: f"{d.day:02}/{d.month:02}/{d.year % 100:02}": 3,
    lambda d: f"{d.month}/{d.day}/{d.year}": 3,
    lambda d: f"{d.year}-{d.month:02}-{d.day:02}": 7,
}
_TIMES: Mapping[Callable[[int, int], str], int] = {
    lambda h, m: f"{h:02}:{m:02}": 40,
    lambda h, m: f"{_twelve(h)}.{m:02} {_half(h)}" if m else f"{_twelve(h)} {_half(h)}": 15,
    lambda h, m: f"{_twelve(h)}:{m:02} {_half(h)}" if m else f"{_twelve(h)} {_half(h)}": 15,
    lambda h, m: f"{_twelve(h)}:{m:02} {_half(h).upper()}": 10,
    lambda h, m: f"{_twelve(h)}.{m:02}{_half(h)}" if m else f"{_twelve(h)}{_half(h)}": 8,
    lambda h, m: f"{h}.{m:02}": 4,
    lambda h, m: f"{h:02}:{m:02} h": 3,
    lambda h, m: f"{_twelve(h)}:{m:02} {_half(h)[0]}.m.": 4,
}
# The sign or code of a currency, with a place for the number.
_MONIES = {
    "€{}": 8, "€ {}": 8, "{} €": 10, "{} EUR": 14, "EUR {}": 8, "${}": 14, "{} USD": 2, "USD {}": 2, "£{}": 14,
    "£ {}": 2, "GBP {}": 3, "CHF {}": 5, "Fr. {}": 1, "{} kr": 3, "{} SEK": 2, "{} zł": 2, "{} PLN": 1, "₹{}": 2,
    "Rs. {}": 2, "R {}": 1, "A${}": 1, "NZ${}": 1, "C${}": 1, "{} Kč": 1, "{} Ft": 1, "¥{}": 1,
}  # fmt: skip
_PHONES = (
    "0#### ###-##", "0### ### ####", "0## #### ####", "+44 ### ### ####", "+49 ### #######", "+49 (0)## ######",
    "(###) ###-####", "###-###-####", "+1 ### ### ####", "+33 # ## ## ## ##", "0# ## ## ## ##", "0###/######",
    "0### - ## ## ##", "+41 ## ### ## ##", "+91 ##### #####", "555-####", "0800 ### ###", "+46 ## ### ## ##",
    "0#####-####", "## ## ## ##", "0#### ######", "0#### ### ###",
)  # fmt: skip
_CODES = (
    "@@-####", "@@-#####", "####-##", "@####", "@@@####", "######", "#######", "########", "@@ ### ###", "@#-####-#",
    "20##-####", "20##/###", "@@@-20##-###", "###-###-###", "@@##@@", "@@@@##", "#@###@#", "@-#####/##", "@@.###.##",
    "##-####-##", "#### ####", "@@@ ####", "@@######", "@###-@##",
)  # fmt: skip
_POSTCODES = ("#####", "####", "@@# #@@", "@## #@@", "@@## #@@", "##-###", "### ##", "@#@ #@#", "####-###", "#### @@")
_PLATES = ("@@## @@@", "@-@@ ####", "@@@-####", "@@ ### @@", "###-@@@", "@@@ ###", "#@@@###", "@@-###-@", "@ #### @@")
_IBANS = (
    "DE## #### #### #### #### ##", "GB## @@@@ #### #### #### ##", "FR## #### #### #### #### #### ###",
    "NL## @@@@ #### #### ##", "AT## #### #### #### ####", "CH## #### #### #### #### #", "ES## #### #### #### #### ####",
    "PL## #### #### #### #### #### ####", "DE####################", "IE##@@@@##############",
)  # fmt: skip
_MEASURES = {
    "percent": ("{}%", "{} %", "{} %", "{} percent", "{} per cent"),
    "weight": ("{} g", "{}g", "{} kg", "{}kg", "{} lb", "{} oz"),
    "length": ("{} m", "{} cm", "{} mm", "{} km", "{} ft", "{} miles", "{}m"),
    "temperature": ("{} °C", "{}°C", "{}°", "{} °F", "{} degrees"),
}
_UNITS = ("minutes", "min", "hours", "days", "weeks", "months", "years", "working days")
_JOINTS = (" to ", " to ", "–", "-", " – ", " - ", " until ")
_SITES = ("www.{}", "www.{}", "{}", "https://{}", "{}/service", "www.{}/info", "{}/help")
_ENDINGS = ("com", "com", "org", "net", "co.uk", "de", "fr", "eu", "example", "ie", "it", "se", "in", "com.au", "ch")
_BOXES = ("info", "office", "contact", "service", "bookings", "hello", "accounts", "support", "team", "post")


def values_of(slots: Sequence[tuple[str, str]], rng: random.Random) -> list[str]:
    """A value for each slot of a document, given the slots' kinds and names in order of appearance.

    Raises:
        ValueError: there are more slots of a kind than values.
    """
    values = _Values(rng)
    dates = values.dates(sum(kind == "date" and name not in _BIRTHS for kind, name in slots))
    times = values.times(sum(kind == "time" for kind, _ in slots))
    drawn = []
    for kind, name in slots:
        if kind == "date":
            drawn.append(values.birth() if name in _BIRTHS else next(dates))
        else:
            drawn.append(next(times) if kind == "time" else values.new(kind))
    return drawn


class _Values:
    """Values in the style of one document, none of them twice."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._used = set[str]()
        self._date, self._time = _weighted(_DATES, rng), _weighted(_TIMES, rng)
        self._money = _weighted(_MONIES, rng)
        self._bare = rng.random() < 0.06
        self._thousands, self._point = rng.choice(
            ((",", "."), (",", "."), ("", "."), (".", ","), (" ", ","), ("", ","))
        )
        self._cents = "always" if self._bare else rng.choices(("always", "needed", "never"), (60, 32, 8))[0]
        self.phones, self.codes = rng.sample(_PHONES, 2), rng.sample(_CODES, 3)
        self.postcode, self.plate = rng.choice(_POSTCODES), rng.choice(_PLATES)
        self._measures = {kind: rng.choice(ways) for kind, ways in _MEASURES.items()}
        self._joint = rng.choice(_JOINTS)
        self._number_first = rng.random() < 0.65
        self._today = date(rng.randint(2015, 2032), 1, 1) + timedelta(rng.randrange(365))

    def new(self, kind: str) -> str:
        """A value of a kind."""
        return self._unused(lambda: _MAKERS[kind](self), kind)

    def dates(self, count: int) -> Iterator[str]:
        """Dates of some months, mostly in order."""
        days = self.rng.sample(range(min(360, self.rng.choice((20, 60, 200, 360)) + 3 * count)), count)
        return self._in_order([self._today + timedelta(day) for day in days], self._date)

    def times(self, count: int) -> Iterator[str]:
        """Times of a day, mostly in order."""
        step = self.rng.choice((1, 5, 5, 15, 15, 30)) if count < 25 else 5
        minutes = self.rng.sample(range(7 * 60, 22 * 60, step), count)
        return self._in_order(minutes, lambda minute: self._time(*divmod(minute, 60)))

    def birth(self) -> str:
        """A date of birth, with its year."""
        write = self._date if "1999" in self._date(date(1999, 9, 9)) else next(iter(_DATES))
        return self._unused(lambda: write(date(1930, 1, 1) + timedelta(self.rng.randrange(88 * 365))), "date")

    def _in_order(self, moments: list[_T], write: Callable[[_T], str]) -> Iterator[str]:
        if self.rng.random() < 0.65:
            moments.sort()
        return map(write, moments)

    def _unused(self, make: Callable[[], str], kind: str) -> str:
        for _ in range(_MOST_TRIES):
            value = make()
            if value.lower() not in self._used:
                self._used.add(value.lower())
                return value
        raise ValueError(f'There are more slots of the kind "{kind}" than values.')

    def listed(self, name: str) -> str:
        return self.rng.choice(_lists()[name])

    def first(self) -> str:
        return self._unused(lambda: self.listed("first"), "first")

    def last(self) -> str:
        return self._unused(self.any_last, "last")

    def any_last(self) -> str:
        return self.listed("last") if self.rng.random() < 0.85 else self.invented()

    def invented(self) -> str:
        return "".join(self.listed("syllable") for _ in range(self.rng.choice((2, 2, 3)))).capitalize()

    def person(self) -> str:
        middle = f" {self.rng.choice(string.ascii_uppercase)}." if self.rng.random() < 0.05 else ""
        return f"{self.first()}{middle} {self.last()}"

    def titled(self) -> str:
        first = f"{self.first()} " if self.rng.random() < 0.25 else ""
        return f"{self.listed('title')} {first}{self.last()}"

    def company(self) -> str:
        roll, legal = self.rng.random(), self.listed("legal")
        name = self.last() if roll < 0.35 else self.invented() if roll < 0.55 else self.listed("brand")
        if roll < 0.1:
            return f"{name} & {self.last()}"
        word = f" {self.listed('companyword')}" if self.rng.random() < 0.7 else ""
        return f"{name}{word} {legal}" if self.rng.random() < 0.7 or not word else f"{name}{word}"

    def shop(self) -> str:
        name = self.listed("brand") if self.rng.random() < 0.5 else f"{self.last()}'s"
        return f"{name} {self.listed('shopword')}"

    def street(self) -> str:
        number = f"{self.rng.randint(1, 199)}{self.rng.choice('abc') if self.rng.random() < 0.1 else ''}"
        street = self.listed("street")
        return f"{number} {street}" if self._number_first else f"{street} {number}"

    def email(self) -> str:
        roll = self.rng.random()
        if roll < 0.5:
            return f"{self.rng.choice(_BOXES)}@{self.domain()}"
        first, last = _plain(self.listed("first")), _plain(self.listed("last"))
        return f"{first if roll < 0.8 else first[0]}{self.rng.choice('._-')}{last}@{self.domain()}"

    def website(self) -> str:
        return self.rng.choice(_SITES).format(self.domain())

    def domain(self) -> str:
        words = [_plain(self.listed(self.rng.choice(("brand", "last", "city", "shopword", "companyword"))))]
        if self.rng.random() < 0.6:
            words.append(_plain(self.invented()))
        return f"{self.rng.choice(('', '-')).join(words)}.{self.rng.choice(_ENDINGS)}"

    def hours(self) -> str:
        start = self.rng.randrange(6 * 60, 14 * 60, 30)
        end = start + self.rng.randrange(120, 9 * 60, 30)
        return self._joint.join(self._time(*divmod(minute, 60)) for minute in (start, end))

    def money(self) -> str:
        return self._money.format(self.amount(10 ** self.rng.uniform(1.3, 4)))

    def price(self) -> str:
        amount = self.amount(10 ** self.rng.uniform(-0.2, 1.8))
        return amount if self._bare else self._money.format(amount)

    def amount(self, amount: float) -> str:
        whole, cents = divmod(round(amount * 100), 100)
        if self.rng.random() < 0.4:
            cents = self.rng.choice((0, 0, 50, 99, 90, 95, 80))
        if self._cents == "never":
            whole, cents = max(1, whole), 0
        text = f"{whole:,}".replace(",", self._thousands)
        return text if self._cents != "always" and not cents else f"{text}{self._point}{cents:02}"

    def percent(self) -> str:
        number = self.rng.choice((self.rng.randint(1, 100), self.rng.randint(1, 30), f"{self.rng.uniform(0, 20):.1f}"))
        return self._measures["percent"].format(number)

    def measure(self, kind: str, least: float, most: float) -> str:
        number = self.rng.uniform(least, most)
        return self._measures[kind].format(round(number) if self.rng.random() < 0.7 else round(number, 1))

    def duration(self) -> str:
        number = self.rng.choice((2, 3, 4, 5, 6, 8, 10, 12, 14, 15, 18, 20, 24, 30, 40, 45, 90))
        return f"{number} {self.rng.choice(_UNITS)}"

    def patterned(self, pattern: str) -> str:
        letters = {"#": string.digits, "@": "ABCDEFGHJKLMNPRSTUVWXYZ"}
        return "".join(self.rng.choice(letters[sign]) if sign in letters else sign for sign in pattern)


_LISTED = (
    "city", "country", "place", "department", "job", "language", "colour", "animal", "subject", "food", "drink",
    "product",
)  # fmt: skip

_MAKERS: Mapping[str, Callable[[_Values], str]] = {
    **{kind: partial(_Values.listed, name=kind) for kind in _LISTED},
    "first": lambda values: values.listed("first"),
    "last": _Values.any_last,
    "person": _Values.person,
    "titled": _Values.titled,
    "company": _Values.company,
    "shop": _Values.shop,
    "street": _Values.street,
    "postcode": lambda values: values.patterned(values.postcode),
    "phone": lambda values: values.patterned(values.rng.choice(values.phones)),
    "email": _Values.email,
    "website": _Values.website,
    "day": lambda values: values.rng.choice(_DAYS),
    "month": lambda values: values.rng.choice(_MONTHS),
    "year": lambda values: str(values.rng.randint(1950, 2035)),
    "hours": _Values.hours,
    "money": _Values.money,
    "price": _Values.price,
    "number": lambda values: str(int(10 ** values.rng.uniform(1.1, 5))),
    "count": lambda values: str(values.rng.randint(2, 12) if values.rng.random() < 0.9 else values.rng.randint(13, 40)),
    "percent": _Values.percent,
    "code": lambda values: values.patterned(values.rng.choice(values.codes)),
    "iban": lambda values: values.patterned(values.rng.choice(_IBANS)),
    "plate": lambda values: values.patterned(values.plate),
    "weight": lambda values: values.measure("weight", 1, 950),
    "length": lambda values: values.measure("length", 1, 400),
    "temperature": lambda values: values.measure("temperature", -20, 230),
    "duration": _Values.duration,
}

KINDS = frozenset(_MAKERS) | {"date", "time"}
"""Every kind of slot that is filled from here."""


@cache
def _lists() -> Mapping[str, Sequence[str]]:
    lists: dict[str, list[str]] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line and not line.startswith("#"):
            lists.setdefault(name, []).extend(value.strip() for value in line.split(";"))
    return lists


def _weighted(ways: Mapping[_T, int], rng: random.Random) -> _T:
    return rng.choices(list(ways), list(ways.values()))[0]


def _ordinal(day: int) -> str:
    ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _twelve(hour: int) -> int:
    return (hour - 1) % 12 + 1


def _half(hour: int) -> str:
    return "am" if hour < 12 else "pm"


def _plain(name: str) -> str:
    """A name as it stands in an address of the net."""
    letters = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", letters.lower())
