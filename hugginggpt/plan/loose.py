"""JSON as language models write it, mistakes included.

It accepts comments, single or curly quotes, quotes inside a text, names without quotes, Python's `None`,
missing or extra commas, and lists, objects and texts that are never closed. The text is read in one
pass, so the time it takes grows only with the length of the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MOST_NESTED = 32
"""Depth of lists and objects. Anything deeper is given up, and reading continues from there."""

_MOST_GIVEN_UP = 100
_MOST_DIGITS = 20  # of a whole number; a longer one stays text
_CLOSED_BY = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "`": "`"}
_BETWEEN = re.compile(r"(?:\s++|//[^\n]*+|#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z))*+")
_WORD = re.compile(r"(?:[^,{}\[\]\n\"/]++|/(?![/*])|(?<=:)//)++")  # up to a comment, past the // of an address
_QUOTES = "\"'“”‘’`"
_NAME = re.compile(rf"[{_QUOTES}]([^{_QUOTES}:,{{}}\[\]\n]*+)[{_QUOTES}](?!\w)|[^:,{{}}\[\]\n]++")
_START = re.compile(rf"\[(?=\s*+[{{{_QUOTES}])|\{{")
_WHOLE = re.compile(rf"-?\d{{1,{_MOST_DIGITS}}}")
_AROUND = _QUOTES + " \t\r"
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_LITERALS = {"null": None, "none": None, "true": True, "false": False}
_NAME_FOLLOWS = rf"\w++[{_QUOTES}]\s*+:"
_IS_NAME = re.compile(_NAME_FOLLOWS)
_IS_MEMBER = re.compile(rf"[{_QUOTES}]{_NAME_FOLLOWS}")
# What follows the closing quote of a text. Any other quote is part of the text.
_AFTER_TEXT = re.compile(
    rf"\s*+(?:[{_QUOTES}]?+\s*+[\]}}]|//|/\*|\Z|[{_QUOTES}]{_NAME_FOLLOWS}|(?<=\s)[{{\[]"
    rf"|,\s*+(?:[{_QUOTES}{{}}\[\]#/]|-?\d|\w++\s*+:|(?:null|None|true|True|false|False)\b|\Z))"
)


class _TooDeep(Exception):
    pass


@dataclass(frozen=True)
class Piece:
    """An object or a list in a text.

    Attributes:
        start: where it begins in the text.
        end: where the text goes on behind it.
        complete: it is closed.
    """

    value: Any
    start: int
    end: int
    complete: bool = True


def loose_values(text: str) -> Iterator[Any]:
    """The objects and the lists of objects in a text, in order."""
    return (piece.value for piece in loose_pieces(text))


def loose_pieces(text: str) -> Iterator[Piece]:
    """The objects and the lists of objects in a text, in order, with their places."""
    reader, given_up = _Reader(text), 0
    while given_up < _MOST_GIVEN_UP and (start := _START.search(text, reader.at)) is not None:
        reader.at = start.start()
        try:
            value = reader.value()
        except _TooDeep:
            given_up += 1
        else:
            complete = text[reader.at - 1] == ("]" if start.group() == "[" else "}")
            yield Piece(value, start.start(), reader.at, complete)


class _Reader:
    """One pass over a text; `at` only ever grows."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[str] = []
        self.at = 0

    def value(self) -> Any:
        """The value that begins here.

        Raises:
            _TooDeep: it is nested deeper than `MOST_NESTED`.
        """
        first = self._next()
        if first not in ("{", "["):
            return self._text_in_quotes() if first in _CLOSED_BY else self._word()
        if len(self._open) == MOST_NESTED:
            self._open.clear()
            raise _TooDeep
        self.at += 1
        return self._inside(first)

    def _inside(self, opening: str) -> Any:
        self._open.append(opening)
        found = self._list() if opening == "[" else self._object()
        self._open.pop()
        return found

    def _list(self) -> list[Any]:
        elements: list[Any] = []
        while not self._ends("]", "}"):
            if self._next() in (",", ":", "}"):
                self.at += 1
            elif _IS_MEMBER.match(self._text, self.at):  # of an object whose opening brace is missing
                elements.append(self._inside("{"))
            else:
                elements.append(self.value())
        return elements

    def _object(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not self._ends("}", "]"):
            first = self._next()
            if first == "{" and "[" in self._open:  # the next object of the list: this one was not closed
                break
            if first in ("{", "[", ",", ":", "]"):
                self.at += 1
            else:
                name = self._name()
                members[name] = self._member()
        return members

    def _member(self) -> Any:
        while self._next() == ":":
            self.at += 1
        return None if self._next() in (",", "}", "]", "") else self.value()

    def _ends(self, closing: str, of_others: str) -> bool:
        """Whether the open list or object ends here: it closes, the one around it closes, or the text ends."""
        found = self._next()
        if found == closing:
            self.at += 1
        around = "[" if of_others == "]" else "{"
        return found in (closing, "") or (found == of_others and around in self._open[:-1])

    def _next(self) -> str:
        """The next character outside white space and comments; empty at the end."""
        self.at = self._skipped(_BETWEEN)
        return self._text[self.at : self.at + 1]

    def _skipped(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self.at)
        return match.end() if match else self.at

    def _match(self, pattern: re.Pattern[str]) -> str:
        start, self.at = self.at, max(self._skipped(pattern), self.at + 1)
        return self._text[start : self.at]

    def _name(self) -> str:
        start, match = self.at, _NAME.match(self._text, self.at)
        self.at = match.end() if match else self.at + 1
        return match.group(1) if match and match.group(1) is not None else self._text[start : self.at].strip(_AROUND)

    def _word(self) -> Any:
        word = self._match(_WORD)
        # A text that has only its closing quote.
        self.at += self._text.startswith('"', self.at) and not word[-1:].isspace()
        return _meant(word)

    def _text_in_quotes(self) -> str:
        """The text from this quote to its closing quote, or to the next member's name if that is missing."""
        opening = self._text[self.at]
        mark = re.compile(rf"\\.|[{opening}{_CLOSED_BY[opening]}]", re.DOTALL)
        start = self.at + 1
        for found in mark.finditer(self._text, start):
            if len(found.group()) > 1:
                continue
            end, self.at = found.start(), found.end()
            if _AFTER_TEXT.match(self._text, self.at):
                break
            before = self._text[max(start, end - 2) : end].rstrip()
            if before.endswith(",") and _IS_NAME.match(self._text, self.at):
                self.at, end = end, self._text.rindex(",", start, end)
                break
        else:
            end = self.at = len(self._text)
        return _unescaped(self._text[start:end])


def _meant(word: str) -> Any:
    """An unquoted text as the number or the literal of JSON or Python that it spells, else as text."""
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
