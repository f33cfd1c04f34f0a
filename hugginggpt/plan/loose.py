"""JSON as language models write it when they do not keep to it: read in one pass, whatever stands in it.

Taken as they are meant: comments, single or curly quotes, quotes inside a text, names without quotes, Python's
`None`, commas too many or too few, and lists, objects and texts that nothing closes. The time that
reading takes grows with the length of the text alone: of what was read nothing is read again.
"""

import re
from collections.abc import Iterator
from typing import Any

MOST_NESTED = 32
"""Lists and objects inside each other. What goes deeper is given up, and reading goes on from there."""

_MOST_DIGITS = 20  # of a whole number; one with more digits is kept as a text, which is how it is written
_CLOSED_BY = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "`": "`"}
_BETWEEN = re.compile(r"(?:\s++|//[^\n]*+|#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z))*+")
_WORD = re.compile(r"[^,{}\[\]\n\"]++")
_NAME = re.compile(r"[^:,{}\[\]\n]++")
_START = re.compile(r"\[(?=\s*+\{)|\{")
_WHOLE = re.compile(rf"-?\d{{1,{_MOST_DIGITS}}}")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_LITERALS = {"null": None, "none": None, "true": True, "false": False}
# What follows the quote that ends a name, and the one that ends a text: any other quote is part of the text.
_AFTER_NAME = re.compile(r"\s*+(?:[:{\[]|\Z)")
_AFTER_TEXT = re.compile(
    r"\s*+(?:[\]}]|//|/\*|\Z|,\s*+(?:[\"'“”‘`{}\[\]#/]|-?\d|\w++\s*+:|(?:null|None|true|True|false|False)\b|\Z)"
    r"|(?<=\s)[\"'“‘]\w++[\"'”’]\s*+:|(?<=\s)[{\[])"
)


class _TooDeep(Exception):
    pass


def loose_values(text: str) -> Iterator[Any]:
    """The objects, and the lists of objects, that stand in a text, in their order."""
    reader = _Reader(text)
    while (start := _START.search(text, reader.at)) is not None:
        reader.at = start.start()
        try:
            yield reader.value()
        except _TooDeep:
            continue


class _Reader:
    """One pass over a text; `at` only ever grows."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[str] = []
        self.at = 0

    def value(self) -> Any:
        """The value that begins here.

        Raises:
            _TooDeep: it goes deeper than `MOST_NESTED`.
        """
        first = self._next()
        if first not in ("{", "["):
            return self._quoted(_AFTER_TEXT) if first in _CLOSED_BY else _meant(self._match(_WORD))
        if len(self._open) == MOST_NESTED:
            self._open.clear()
            raise _TooDeep
        self._open.append(first)
        self.at += 1
        found = self._object() if first == "{" else self._list()
        self._open.pop()
        return found

    def _list(self) -> list[Any]:
        elements: list[Any] = []
        while not self._ends("]", "}"):
            if self._next() in (",", ":", "}"):
                self.at += 1
            else:
                elements.append(self.value())
        return elements

    def _object(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not self._ends("}", "]"):
            first = self._next()
            if first in ("{", "["):
                if first == "{" and "[" in self._open:  # the next object of the list: this one was not closed
                    break
                self.at += 1
            elif first in (",", ":", "]"):
                self.at += 1
            else:
                name = self._quoted(_AFTER_NAME) if first in _CLOSED_BY else self._match(_NAME).strip()
                members[name] = self._member()
        return members

    def _member(self) -> Any:
        if self._next() == ":":
            self.at += 1
        return None if self._next() in (",", "}", "]", "") else self.value()

    def _ends(self, closing: str, of_others: str) -> bool:
        """Whether what is open ends here: closed, at the end of the text, or because what is around it is closed."""
        found = self._next()
        if found == closing:
            self.at += 1
        around = "[" if of_others == "]" else "{"
        return found in (closing, "") or (found == of_others and around in self._open[:-1])

    def _next(self) -> str:
        """The next character that is neither white space nor part of a comment; empty at the end."""
        self.at = self._skipped(_BETWEEN)
        return self._text[self.at : self.at + 1]

    def _skipped(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self.at)
        return match.end() if match else self.at

    def _match(self, pattern: re.Pattern[str]) -> str:
        start, self.at = self.at, max(self._skipped(pattern), self.at + 1)
        return self._text[start : self.at]

    def _quoted(self, after: re.Pattern[str]) -> str:
        """The text between this quote and the one that ends it."""
        opening = self._text[self.at]
        mark = re.compile(rf"\\.|[{opening}{_CLOSED_BY[opening]}]", re.DOTALL)
        start = self.at + 1
        for found in mark.finditer(self._text, start):
            if len(found.group()) == 1 and after.match(self._text, found.end()):
                end, self.at = found.start(), found.end()
                break
        else:
            end = self.at = len(self._text)
        return _unescaped(self._text[start:end])


def _meant(word: str) -> Any:
    """The number or the word of JSON or Python that a text without quotes writes; else the text."""
    word = word.strip()
    if word.lower() in _LITERALS:
        return _LITERALS[word.lower()]
    if _WHOLE.fullmatch(word):
        return int(word)
    try:
        return word if word.lstrip("-").isdigit() else float(word)
    except ValueError:
        return word


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        written = match.group(1)
        return chr(int(written[1:], 16)) if len(written) == 5 else _ESCAPED.get(written, written)

    plain = _ESCAPE.sub(character, text)
    # Two escapes may write the halves of one character.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if "\\u" in text else plain
