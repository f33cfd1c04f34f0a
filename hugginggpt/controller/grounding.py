"""Check that nothing is invented: an answer may name only things that the controller was given."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal

from hugginggpt.text import visible

# Endings of the files that requests bring and experts make.
_ENDINGS = (
    "png|jpe?g|gif|webp|bmp|tiff?|svg|wav|mp3|flac|ogg|opus|m4a|mp4|mov|avi|mkv|webm|"
    "csv|tsv|json|txt|md|pdf|docx?|xlsx?"
)
_URL = re.compile(r"\b[a-z][a-z0-9+]{1,9}://[^\s<>\"'`)\]}]+", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w/.<])(?:~|\.{1,2})?(?:/[\w.@%+~-]+)+/?|\b[A-Za-z]:\\[^\s\"'`)]+")
_NAMES = re.compile(r"(?<![\w/.@-])[\w.-]*\w(?:/[\w.-]*\w)+")
_FILE = re.compile(rf"(?<![\w/.-])[\w-][\w.-]*\.(?:{_ENDINGS})\b", re.IGNORECASE)
_HASH = re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b")
_BLANK = re.compile(
    r"[\[<{][^\[\]<>{}\n]{0,30}\b(?:path|file|file ?name|url|link)\b[^\[\]<>{}\n]{0,20}[\]>}](?!\()", re.I
)
_NUMBER = re.compile(r"(?<![\w.,:])\d+(?:[.,:]\d+)*(?![DK]\b)|(?<=[A-Za-z][.,:])\d+(?:[.,:]\d+)*")
_LIST_MARK = re.compile(r"^[^\S\n]*+\d{1,3}[.)]\s", re.MULTILINE)
_AROUND = 30  # characters on each side that tell whether slashes join words
_CODE = re.compile(r"```.*?```", re.DOTALL)
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

MOST_CHARS = 20_000
"""The longest answer that is checked; no controller is asked for one nearly as long."""

_MOST_NAMES = 500  # of one pattern
_MOST_DIGITS = 40  # of a number that is compared by its value
_MOST_DECIMALS = 12  # of a score


def unfounded(
    answer: str,
    given: Iterable[str],
    *,
    numbers: bool = True,
    counts: Iterable[int] = (),
    known_models: Collection[str] = (),
) -> list[str]:
    """The names and numbers in an answer that should not be there, one sentence each, in which "it" is the answer.

    Args:
        answer: the controller's answer.
        given: every text that the controller was given, uncut.
        numbers: whether to check numbers too; if not, code blocks are not checked either.
        counts: numbers that count the given things, such as the number of tasks.
        known_models: ids of models that may only be named if they were given.
    """
    if len(answer) > MOST_CHARS:
        return [f"It is longer than {MOST_CHARS:,} characters."]
    source = visible("\n".join(given))  # as prompts show it
    left = answer if numbers else _CODE.sub(" ", answer)
    problems = []
    for pattern, what in (
        (_BLANK, "is a placeholder for a file or an address"),
        (_URL, "is not an address that it was given"),
        (_PATH, "is not a path that it was given"),
        (_HASH, "is not a hash that it was given"),
        (_FILE, "is not a file that it was given"),
        (_NAMES, "is not a model or file that it was given"),
    ):
        matches = list(pattern.finditer(left))
        if len(matches) > _MOST_NAMES:
            return [f"It names more than {_MOST_NAMES} files, addresses or models."]
        characters = list(left)
        for match in reversed(matches):
            name = match.group().rstrip(".,;:!?*_")
            around = "".join(characters[max(0, match.start() - _AROUND) : match.end() + _AROUND])
            if pattern is _NAMES and _is_wording(match, around.lower()):
                continue
            if not _stands_in(name, source, whole=pattern is not _HASH):
                problems.append(f"It names '{name}', which {what}.")
            characters[match.start() : match.end()] = " " * len(match.group())
        left = "".join(characters)
    problems += [
        f"It names '{m}', a model that was not used." for m in known_models if _stands_in(m, left) and m not in source
    ]
    if numbers:
        founded = _Numbers(source, counts)
        problems += [f"It says {text}, which is not in the results." for text in _unfounded_numbers(left, founded)]
    return list(dict.fromkeys(problems))


def _stands_in(name: str, source: str, whole: bool = True) -> bool:
    """Whether a name is in the source, other than as a part of another name. A hash may be shortened."""
    if name not in source:
        return False
    end = r"(?![\w-])" if whole else ""
    return re.search(rf"(?<![\w-]){re.escape(name)}{end}", source) is not None


def _holds_number(name: str) -> bool:
    """Whether one part between slashes is a number, as in "12/03/2024" and "EUR/81.99"."""
    return any(re.fullmatch(r"\d+(?:[.,]\d+)*", part) for part in name.split("/"))


def _is_wording(match: re.Match[str], around: str) -> bool:
    """Whether slashes join words or numbers, as in "and/or" and "12/03/2024", and do not make a name."""
    parts = match.group().split("/")
    if not all(part.isalpha() or re.fullmatch(r"[\d.,]+", part) for part in parts):
        return False
    quoted = match.string[match.start() - 1 : match.start()] in ("`", '"', "'", "*")
    return not (all(part.isalpha() for part in parts) and (quoted or re.search(r"\bmodel\b", around)))


def _unfounded_numbers(text: str, founded: "_Numbers") -> Iterator[str]:
    for match in _NUMBER.finditer(_plain(_LIST_MARK.sub(" ", text))):
        percent = match.string[match.end() : match.end() + 9].lstrip().startswith(("%", "percent"))
        if not founded.has(match.group(), percent):
            yield match.group()


class _Numbers:
    """The numbers in the given texts."""

    def __init__(self, source: str, counts: Iterable[int]) -> None:
        plain = _plain(source)
        for named in (_URL, _PATH, _HASH, _NAMES):  # digits in names are not values
            plain = named.sub(lambda m: m.group() if _holds_number(m.group()) else " ", plain)
        written = re.findall(r"\d+(?:[.,:]\d+)*", plain)
        words = re.findall(r"[a-z]+", plain.lower())
        self.texts = set(written)
        self.values = {reading for text in written for reading in _readings(text)}
        self.values |= {Decimal(_WORDS.index(word)) for word in words if word in _WORDS}
        self.values |= {Decimal(count) for count in counts}
        self._scores = {value for value in self.values if 0 <= value <= 1 and value.as_tuple().exponent}
        self._rounded: dict[tuple[int, bool], set[Decimal]] = {}

    def has(self, text: str, percent: bool) -> bool:
        """Whether the number is in the data, or is a score from it, rounded or in percent."""
        readings = _readings(text)
        if text in self.texts or readings & self.values:
            return True
        return any(self._is_score(reading, percent) for reading in readings)

    def _is_score(self, reading: Decimal, percent: bool) -> bool:
        """Whether some score equals this number when rounded to as many decimals, or in percent."""
        decimals = max(0, -int(reading.as_tuple().exponent))
        if decimals > _MOST_DECIMALS or not (decimals or percent):
            return False
        if (decimals, percent) not in self._rounded:
            unit = Decimal(1).scaleb(-decimals)
            scores = (score * 100 if percent else score for score in self._scores)
            self._rounded[decimals, percent] = {score.quantize(unit) for score in scores}
        return reading in self._rounded[decimals, percent]


def _plain(text: str) -> str:
    """The text without the spaces that some languages put between thousands."""
    return re.sub(r"(?<=\d)[\u00a0\u202f\u2009'](?=\d{3}\b)", "", text)


def _readings(text: str) -> set[Decimal]:
    """The values that a number can mean: "1,234" is 1234 or 1.234, "81,99" is 81.99 alone."""
    if ":" in text or len(text) > _MOST_DIGITS:  # neither a time nor its parts are values
        return set()
    marks = re.findall(r"[.,]", text)
    if not marks:
        return {Decimal(text)}
    readings = set()
    parts = re.split(r"[.,]", text)
    in_thousands = len(parts[0]) <= 3 and all(len(part) == 3 for part in parts[1:-1])
    if len(marks) == 1 or (marks.count(marks[-1]) == 1 and in_thousands):
        readings.add(Decimal("".join(parts[:-1]) + "." + parts[-1]))
    if len(set(marks)) == 1 and in_thousands and len(parts[-1]) == 3:
        readings.add(Decimal("".join(parts)))
    return readings


def repeated_words(texts: Iterable[str]) -> set[int]:
    """How often each word occurs in the texts, which is what "three dogs" may count."""
    return {n for text in texts for n in Counter(re.findall(r"[^\W\d_]+", text.lower())).values()}


def foreign_words(answer: str, given: Iterable[str]) -> tuple[int, int]:
    """How many of an answer's longer words are not in the given texts, and how many longer words it has.

    Small models fill answers with inventions; a paraphrase keeps most of the words.
    """
    source = {word[:5] for text in given for word in _long_words(text)}
    words = _long_words(answer)
    return sum(word[:5] not in source for word in words), len(words)


def _long_words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{4,}", text.lower())
