"""Summaries that no model writes: at most three sentences, short, and made of what is in the text.

Of prose, its first sentences with facts are chosen; of a document, its first line and what the reader finds out about
it: who, what, how much and by when.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from hugginggpt.controller.embedded.answers import invented
from hugginggpt.controller.embedded.reader import Reader
from hugginggpt.controller.embedded.sentences import sentences
from hugginggpt.controller.prompts import shorten
from hugginggpt.deadline import Deadline
from hugginggpt.text import visible

_MOST_SENTENCES = 3
_SHARE = 3
"""A text is at least this many times as long as its summary, unless no part of it is that short."""

_SHORT_WORDS, _LINE_WORDS, _FEW_SENTENCES = 12, 30, 2
_LINE_OF_PROSE = 40
_ENDS = (".", "!", "?", ":")  # of a line after which another sentence begins
_LEAST_CHARS = 120
"""A whole sentence or line of up to this length may be a summary, even if it is more than that share."""

_SEARCHED_CHARS = 200
_PAGE_MARK = re.compile(r"^\[page \d+\]$\n?", re.MULTILINE)
"""What stands before the text of each page where a document's pages are one text."""
_NAME = re.compile(r"(?<=[^.!?\s] )[^\W\d_a-z]\w+")
_FACT = re.compile(rf"\d|{_NAME.pattern}")
_FACTS = (
    ("From", "Who is it from?"),
    ("To", "Who is it for?"),
    ("About", "What is it about?"),
    ("Amount", "How much has to be paid?"),
    ("When", "When is it due?"),
)
_LINES = [
    [re.compile(way, re.IGNORECASE) for way in ways]
    for ways in (
        (r"\b(?:bill(?:ed)?|invoiced?|sold) to\b", r"^(?:for|to|customer|name):", r"^dear\b"),
        (
            r"\b(?:total|amount)(?: \w+)? due\b.*\d",
            r"\b(?:grand total|to pay)\b.*\d",
            r"\btotal\b.*\d",
            r"\b(?:price|fee)\b.*\d",
        ),
        (
            r"\bdue (?:by|date|in|on|within)\b.*\d",
            r"\b(?:before|by|deadline|expires?|until|valid|within)\b.*\d",
            r"\b(?:date|from|on)\b.*\d",
        ),
    )
]
"""Lines of a document that say who, how much and by when, each in the ways to look for it, the best first."""


def chosen_summary(reader: Reader, text: str, deadline: Deadline | None) -> str:
    """A summary that is put together from a text. A short text is its own summary.

    Args:
        reader: what answers the questions on a document.
        text: of any length.
        deadline: when it has to be done.

    Raises:
        DeadlineExceededError: time is up.
    """
    text = _PAGE_MARK.sub("", visible(text)).strip()
    words = text.split()
    is_one_line = "\n" not in text and len(sentences(text)) <= _FEW_SENTENCES
    if len(words) <= (_LINE_WORDS if is_one_line else _SHORT_WORDS):
        return " ".join(words)
    lines = _lines(text)
    if _is_prose(lines):
        return chosen_sentences(text)
    facts = [lines[0]]
    for label, question in _FACTS:
        reading = reader.read(question, text, deadline)
        span = reading.span if reading.is_sure else None
        if span is not None and not any(span.casefold() in fact.casefold() for fact in facts):
            facts.append(f"{label}: {span}")
    found = _fitting(facts, text, "; ", len(facts)) if len(facts) > 1 else ""
    return found or chosen_sentences(text)


def trusted_summary(written: str, text: str) -> str:
    """The written summary of a text as far as it fits; sentences of the text instead if it invents something."""
    summary = _fitting(sentences(written)[:_MOST_SENTENCES], text, " ")
    names = {word.casefold() for word in re.findall(r"\w+", text)}
    is_true = all(name.casefold() in names for name in _NAME.findall(summary)) and not invented(summary, [text])
    return summary if summary.endswith((".", "!", "?")) and is_true else chosen_sentences(text)


def chosen_sentences(text: str) -> str:
    """The first sentences of a text that state facts; of a document, the lines that say who, how much and by when."""
    lines = _lines(text)
    if _is_prose(lines):
        found = sentences(" ".join(_prose(lines)))
        facts = list(dict.fromkeys(sentence for sentence in found if _FACT.search(sentence)))
        return _fitting(facts, text, " ") or _fitting(found, text, " ") or _cut(found[0], text)
    chosen = [lines[0], *(line for ways in _LINES for line in _first(ways, lines[1:]))]
    chosen = [line.rstrip(",;") for line in dict.fromkeys(chosen)]
    return _fitting(chosen, text, "; ", len(chosen)) or _cut(lines[0], text)


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()] or [""]


def _is_prose(lines: Sequence[str]) -> bool:
    """Whether most of a text runs on from line to line.

    The lines of an invoice in two columns are as long as those of prose, but most end neither with a sentence nor
    between two words of one.
    """
    prose = list(_prose(lines))
    runs_on = [line.endswith(_ENDS) or _is_within_a_sentence(line, after) for line, after in pairwise(prose)]
    return 2 * sum(map(len, prose)) > sum(map(len, lines)) and 2 * sum(runs_on) >= len(runs_on)


def _is_within_a_sentence(line: str, after: str) -> bool:
    """Whether a word in lower case stands before or after the end of a line."""
    return line.split()[-1].islower() or after.split()[0].islower()


def _first(ways: Sequence[re.Pattern[str]], lines: Sequence[str]) -> list[str]:
    """The first line that is found in the best way."""
    return list(islice((line for way in ways for line in lines if way.search(line, 0, _SEARCHED_CHARS)), 1))


def _cut(sentence: str, text: str) -> str:
    """The sentence, cut if it is long, as where nothing tells the ends of sentences."""
    return shorten(sentence, max(_LEAST_CHARS, len(text) // _SHARE))


def _prose(lines: Sequence[str]) -> Iterator[str]:
    """The lines that are long, and those that end the sentences of long lines."""
    runs_on = False
    for line in lines:
        if len(line) >= _LINE_OF_PROSE or runs_on:
            yield line
        runs_on = len(line) >= _LINE_OF_PROSE and not line.endswith(_ENDS)


def _fitting(parts: Sequence[str], text: str, between: str, most: int = _MOST_SENTENCES) -> str:
    """The first parts that a summary of the text may hold together; if none is so short, the first fit to stand alone.

    Args:
        parts: sentences or lines, the best first.
        text: what is summarised.
        between: stands between two parts.
        most: the largest number of parts.
    """
    kept: list[str] = []
    for part in parts:
        if len(kept) < most and len(between.join([*kept, part])) * _SHARE <= len(text):
            kept.append(part)
    return between.join(kept) or next((part for part in parts if len(part) <= _LEAST_CHARS), "")
