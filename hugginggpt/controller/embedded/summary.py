"""Summaries by the embedded reader: at most three sentences, short, and made of what is in the text.

The model writes a summary. It only counts if its numbers and names stand in the text; otherwise sentences or lines of
the text are chosen.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.answers import invented, sentences
from hugginggpt.controller.embedded.reader import WINDOW_TOKENS, summary_prompt
from hugginggpt.controller.embedded.server import reader_options
from hugginggpt.controller.passages import passages
from hugginggpt.controller.prompts import shorten
from hugginggpt.deadline import Deadline
from hugginggpt.text import visible

MOST_SENTENCES = 3
SHARE = 3
"""A text is at least this many times as long as its summary, unless no part of it is that short."""

_SUMMARY_TOKENS = 160
_SHORT_WORDS, _LINE_WORDS, _FEW_SENTENCES = 12, 30, 2
_LINE_OF_PROSE = 40
_LEAST_CHARS = 120
"""A whole sentence or line of up to this length may be a summary, even if it is more than that share."""

_SEARCHED_CHARS = 200
_ONE_LINE = "root ::= [^\\n]+\n"
_NAME = re.compile(r"(?<=[^.!?\s] )[^\W\d_a-z]\w+")
_FACT = re.compile(rf"\d|{_NAME.pattern}")
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


def read_summary(controller: Controller, text: str, *, stage: str, deadline: Deadline | None) -> str:
    """A summary of a text; of a long one, a summary of the summaries of its parts. A short text is its own summary.

    Args:
        controller: an embedded controller that has a reader.
        text: of any length.
        stage: for the trace.
        deadline: when it has to be done.

    Raises:
        ControllerError: and its subclasses, as `Controller.chat` raises them.
    """
    text = visible(text).strip()
    while True:
        words = text.split()
        is_one_line = "\n" not in text and len(sentences(text)) <= _FEW_SENTENCES
        if len(words) <= (_LINE_WORDS if is_one_line else _SHORT_WORDS):
            return " ".join(words)
        parts = passages(text, WINDOW_TOKENS)
        text = "\n".join(_summary(controller, part.strip(), stage, deadline) for part in parts if part.strip())
        if len(parts) == 1:
            return text


def _summary(controller: Controller, text: str, stage: str, deadline: Deadline | None) -> str:
    written = controller.chat(
        summary_prompt(text),
        stage=stage,
        max_tokens=_SUMMARY_TOKENS,
        extra={"grammar": _ONE_LINE} | reader_options(controller.settings),
        deadline=deadline,
    )
    return trusted_summary(written, text)


def trusted_summary(written: str, text: str) -> str:
    """The written summary of a text as far as it fits; sentences of the text instead if it invents something."""
    summary = _fitting(sentences(written)[:MOST_SENTENCES], text, " ")
    names = {word.casefold() for word in re.findall(r"\w+", text)}
    is_true = all(name.casefold() in names for name in _NAME.findall(summary)) and not invented(summary, [text])
    return summary if summary.endswith((".", "!", "?")) and is_true else chosen_sentences(text)


def chosen_sentences(text: str) -> str:
    """The first sentences of a text that state facts; of a document, the lines that say who, how much and by when."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()] or [""]
    prose = list(_prose(lines))
    if 2 * sum(map(len, prose)) > sum(map(len, lines)):
        found = sentences(" ".join(prose))
        facts = list(dict.fromkeys(sentence for sentence in found if _FACT.search(sentence)))
        return _fitting(facts, text, " ") or _fitting(found, text, " ") or _cut(found[0], text)
    chosen = [lines[0], *(line for ways in _LINES for line in _first(ways, lines[1:]))]
    chosen = [line.rstrip(",;") for line in dict.fromkeys(chosen)]
    return _fitting(chosen, text, "; ", len(chosen)) or _cut(lines[0], text)


def _first(ways: Sequence[re.Pattern[str]], lines: Sequence[str]) -> list[str]:
    """The first line that is found in the best way."""
    return list(islice((line for way in ways for line in lines if way.search(line, 0, _SEARCHED_CHARS)), 1))


def _cut(sentence: str, text: str) -> str:
    """The sentence, cut if it is long, as where nothing tells the ends of sentences."""
    return shorten(sentence, max(_LEAST_CHARS, len(text) // SHARE))


def _prose(lines: Sequence[str]) -> Iterator[str]:
    """The lines that are long, and those that end the sentences of long lines."""
    runs_on = False
    for line in lines:
        if len(line) >= _LINE_OF_PROSE or runs_on:
            yield line
        runs_on = len(line) >= _LINE_OF_PROSE and not line.endswith((".", "!", "?", ":"))


def _fitting(parts: Sequence[str], text: str, between: str, most: int = MOST_SENTENCES) -> str:
    """The first parts that a summary of the text may hold together; if none is so short, the first fit to stand alone.

    Args:
        parts: sentences or lines, the best first.
        text: what is summarised.
        between: stands between two parts.
        most: the largest number of parts.
    """
    kept: list[str] = []
    for part in parts:
        if len(kept) < most and len(between.join([*kept, part])) * SHARE <= len(text):
            kept.append(part)
    return between.join(kept) or next((part for part in parts if len(part) <= _LEAST_CHARS), "")
