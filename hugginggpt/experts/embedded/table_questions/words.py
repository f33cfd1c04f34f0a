"""The English words of questions about tables: their stems, what they name, and how they compare."""

import re
from dataclasses import dataclass
from functools import lru_cache

_IRREGULAR = {
    "people": "person", "persons": "person", "men": "man", "women": "woman", "children": "child",
    "sold": "sell", "sale": "sell", "sales": "sell", "seller": "sell", "selling": "sell",
    "spent": "spend", "spending": "spend", "paid": "pay", "payment": "pay", "payments": "pay",
    "cities": "city", "countries": "country", "left": "leav", "leaves": "leav", "leaving": "leav",
    "bought": "buy", "born": "birth", "birthday": "birth", "grown": "grow", "took": "tak", "taken": "tak",
    "departure": "depart", "departures": "depart", "arrival": "arriv", "arrivals": "arriv", "rainfall": "rain",
    "delivery": "deliver", "deliveries": "deliver", "temp": "temperatur", "temps": "temperatur",
    "days": "day", "wages": "wag", "pieces": "piec",
}  # fmt: skip

_SAME = """
sold: sell unit quantity qty volume
revenue: revenue turnover taking income proceeds earnings sell money
profit: profit margin gain
price: price cost fee charge rate fare cheap expensive much
spending: spend expense expenditure cost amount pay much money
amount: amount value sum much total money spend pay
work: title book film movie song album novel
order: order purchase invoice
absence: absence absent miss
pay: salary pay wage earn earnings income compensation payroll make
person: who name person employee staff member worker colleague whom full whose
buyer: who customer client buyer name
maker: who supplier supply supplies manufacturer write wrote written author artist singer player owner name
performer: who student salesperson rep seller guest name winner runner
product: product item article goods thing name
place: where city town place location office site branch venue
country: country nation where
station: where station stop
department: department dept team division
role: role title job position occupation profession do
boss: manager boss supervisor
date: when date day
time: when time
year: when year publish release
depart: depart leave departs go start
arrive: arriv arrive get reach
age: age old
duration: duration long length take minute hour
length: length long page
height: height tall high
weight: weight heavy weigh kg
speed: speed fast
distance: distance far km mile
size: size area big large
population: population inhabitant people person populous live
temperature: temperature temp hot warm cold degree celsius
rain: rain rainfall precipitation wet rainy
wind: wind windy windspeed
sun: sun sunshine sunny sunlight
stock: stock inventory quantity qty available leave
phone: phone telephone tel mobile number call reach
email: email mail e-mail
rating: rating score star mark grade point
visitors: visitor attendance guest visit audience
category: category type kind
platform: platform track
built: built build construct construction
birth: birth birthdate birthday dob
hired: hire hired joined join since started start employ
january: january jan
february: february feb
march: march mar
april: april apr
june: june jun
july: july jul
august: august aug
september: september sep sept
october: october oct
november: november nov
december: december dec
"""

_ADJECTIVES = """
cheap: price- spending-
inexpensive: price-
expensive: price+ spending+
dear: price+
pricey: price+
costly: price+ spending+
old: age+ built- birth- year- hired- date-
young: age- birth+
new: built+ date+ year+ hired+ birth+ age-
recent: date+ hired+ year+ when+
recently: date+ hired+ year+ when+
long: duration+ length+ time+
short: duration- height- length-
tall: height+
heavy: weight+
light: weight-
fast: speed+ duration-
quick: duration- speed+
slow: speed- duration+
hot: temperature+
warm: temperature+
cold: temperature-
cool: temperature-
wet: rain+
rainy: rain+
dry: rain-
windy: wind+
calm: wind-
serving: hired- date-
sunny: sun+
gloomy: sun-
near: distance-
close: distance-
far: distance+
distant: distance+
busy: visitors+
populous: population+
profitable: profit+
early: when-
late: when+
wide: width+
deep: depth+
"""
_OPEN = {"high": 1, "low": -1, "large": 1, "big": 1, "great": 1, "small": -1, "little": -1, "many": 1, "few": -1,
         "good": 1, "bad": -1, "popular": 1, "strong": 1, "weak": -1, "successful": 1}  # fmt: skip
_ODD = {
    "most": ("many", 1), "least": ("few", 1), "fewest": ("few", 1), "best": ("good", 1), "worst": ("bad", 1),
    "maximum": ("high", 1), "max": ("high", 1), "minimum": ("low", 1), "min": ("low", 1), "top": ("high", 1),
    "bottom": ("low", 1), "lowest": ("low", 1), "peak": ("high", 1), "farthest": ("far", 1), "furthest": ("far", 1),
    "biggest": ("big", 1), "hottest": ("hot", 1), "wettest": ("wet", 1), "first": ("early", 1), "next": ("early", 1),
    "last": ("late", 1),
    "newest": ("new", 1), "least-": ("few", 1), "bestselling": ("many", 1), "best-selling": ("many", 1),
    "longest-serving": ("serving", 1), "longest-standing": ("serving", 1),
}  # fmt: skip
_ODD_COMPARATIVES = {"more": "many", "less": "few", "fewer": "few", "better": "good", "worse": "bad",
                     "bigger": "big", "hotter": "hot", "wetter": "wet", "farther": "far", "further": "far"}  # fmt: skip

_HARMLESS = """
a an the this that these those my our your their his her its it he she they we you i me us them there here
is are was were be been being am do does did done has have had having will would can could should may might must
of in at on for from to by with during as and or also any all just
please tell show give list name find see state say display print get got let know want need like into onto
which what who whom whose where when how time times
table sheet spreadsheet file csv xlsx data dataset row rows record records entry entries line lines column columns
according given based listed shown recorded called named value values figure figures number numbers
come comes came happen happened occur occurred work works worked working live lives lived living
make makes made making take takes go goes going went run runs running ran use used bring brought
exactly much many ones belong belongs contain contains include included involve
that's what's who's s hello hi thanks bought buy ordered purchased offer offered hold holds read reads
fell fall fallen placed received
play plays played sent out often frequently commonly mark marks score scores scored grade grades
result results everyone everybody kind bit amount answer question currently
"""

_PEOPLE = "person employee staff worker colleague member customer client student player man woman guest"
_RECORDS = "row record entry line item thing order transaction purchase payment expens result"

NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
           "ten": 10}  # fmt: skip
ORDINALS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
            "tenth": 10, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "6th": 6, "7th": 7, "8th": 8, "9th": 9,
            "10th": 10}  # fmt: skip

_TOKEN = re.compile(
    r"(?P<time>\b\d{1,2}(?::\d{2}(?::\d{2})?\s?(?:[ap]\.?m\b\.?)?|\s?[ap]\.?m\b\.?))|"
    r"(?P<date>\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b)|"
    r"(?P<number>-?\d[\d.,']*(?:[kK]\b|\s?(?:million|thousand)\b)?(?!\w)|\bzero\b)|"
    r"(?P<word>[^\W_]+(?:[-'&.][^\W_]+)*)",
)


@dataclass(frozen=True)
class Token:
    """A word, number, date or time of a question.

    Attributes:
        start: where it begins in the question.
        kind: word, number, date or time.
    """

    text: str
    start: int
    kind: str

    @property
    def low(self) -> str:
        """The token in lower case, without a possessive ending."""
        return possessive(self.text.casefold())


@dataclass(frozen=True)
class Comparison:
    """A superlative or comparative.

    Attributes:
        sign: 1 for the most, -1 for the least.
        meant: the concepts of columns that it may be about, each with its own sign; empty if it may be any.
    """

    sign: int
    meant: tuple[tuple[str, int], ...] = ()

    def reversed(self) -> "Comparison":
        """Its opposite: the least expensive is the cheapest."""
        return Comparison(-self.sign, tuple((concept, -sign) for concept, sign in self.meant))


def possessive(word: str) -> str:
    """The word without `'s`."""
    return word[:-2] if word.endswith("'s") else word.removesuffix("'")


def tokens_of(question: str) -> list[Token]:
    """The tokens of a question, in order."""
    plain = question.replace("\u2019", "'").replace("\u2018", "'")
    return [Token(m.group(), m.start(), m.lastgroup or "") for m in _TOKEN.finditer(plain)]


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """What a word has in common with its plural and its other forms."""
    word = possessive(word.casefold())
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = f"{word[:-3]}y" if word.endswith("ies") and len(word) > 4 else word[:-1]
        word = word[:-1] if word.endswith(("she", "che", "xe", "sse", "ze")) else word
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word.removesuffix(ending)
            word = word[:-1] if word[-1:] == word[-2:-1] and word[-1:] not in "lsz" else word
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    return _IRREGULAR.get(word, word)


def _concepts() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _SAME.strip().splitlines():
        concept, _, words = line.partition(": ")
        for word in (concept, *words.split()):
            found.setdefault(stem(word), set()).add(concept)
    return {word: frozenset(concepts) for word, concepts in found.items()}


_CONCEPTS = _concepts()


def concepts_of(word: str) -> frozenset[str]:
    """What a word may name in a table's header, such as a price or a person."""
    return _CONCEPTS.get(stem(word), frozenset())


def _meant(written: str) -> tuple[tuple[str, int], ...]:
    return tuple((one[:-1], 1 if one[-1] == "+" else -1) for one in written.split())


_MEANT = {line.partition(": ")[0]: _meant(line.partition(": ")[2]) for line in _ADJECTIVES.strip().splitlines()}


def adjective(word: str) -> Comparison | None:
    """What an adjective compares; None if it is not known."""
    if word in _OPEN:
        return Comparison(_OPEN[word])
    meant = _MEANT.get(word)
    return Comparison(meant[0][1], meant) if meant else None


def _base(word: str, ending: str) -> Comparison | None:
    if not word.endswith(ending):
        return None
    root = word.removesuffix(ending)
    tries = [root, f"{root}e", root[:-1] if root[-1:] == root[-2:-1] else root]
    tries += [f"{root[:-1]}y"] if root.endswith("i") else []
    return next((found for one in tries if (found := adjective(one)) is not None), None)


@lru_cache(maxsize=4096)
def superlative(word: str) -> Comparison | None:
    """What a superlative in one word compares, `cheapest`; None if it is not one."""
    if word in _ODD:
        return adjective(_ODD[word][0])
    return _base(word, "est")


@lru_cache(maxsize=4096)
def comparative(word: str) -> Comparison | None:
    """What a comparative in one word compares, `cheaper`; None if it is not one."""
    if word in _ODD_COMPARATIVES:
        return adjective(_ODD_COMPARATIVES[word])
    return _base(word, "er")


HARMLESS = frozenset(_HARMLESS.split())
"""Words that do not change what is asked, once the rest of the question is understood."""

_FUNCTION_WORDS = (
    "a an the this that these those my our your their his her its it he she they we you i me us them there is are was "
    "were be been do does did has have had of in at on for from to by with per as than and or any all not no so "
    "which what how more most less least over under"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words that name neither a column nor a cell by themselves."""

PEOPLE = frozenset(map(stem, _PEOPLE.split()))
RECORDS = frozenset(map(stem, _RECORDS.split()))
