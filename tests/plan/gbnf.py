"""A recogniser for llama.cpp's grammars: enough of GBNF to say which plans one lets through."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[\w-]+|\{[\d,]+\}|[()|?*+])')
_TIMES = {"?": (0, 1), "*": (0, 10**9), "+": (1, 10**9)}


@dataclass(frozen=True, eq=False)
class _Rule:
    """A name that stands for sequences, any of which will do. They are read when they are needed first."""

    body: str
    rules: "dict[str, _Rule]"

    @cached_property
    def sequences(self) -> "list[tuple[_Part, ...]]":
        return _sequences(iter(_TOKEN.findall(self.body)), self.rules)


@dataclass(frozen=True, eq=False)
class _Group:
    sequences: "list[tuple[_Part, ...]]"


@dataclass(frozen=True, eq=False)
class _Repeated:
    part: "_Part"
    least: int
    most: int


_Part: TypeAlias = "str | re.Pattern[str] | _Rule | _Group | _Repeated"
_Rest: TypeAlias = "tuple[_Part, _Rest] | None"


class Recogniser:
    """A grammar that tells which texts are of it. Only the rules that a text leads to are read."""

    def __init__(self, grammar: str) -> None:
        rules: dict[str, _Rule] = {}
        for line in grammar.splitlines():
            name, body = line.split(" ::= ", 1)
            rules[name] = _Rule(body, rules)
        self._root = rules["root"]

    def fullmatch(self, text: str) -> bool:
        """Whether all of a text is of the grammar."""
        begun: list[tuple[int, _Rest]] = [(0, (self._root, None))]
        while begun:
            at, rest = begun.pop()
            if rest is None:
                if at == len(text):
                    return True
                continue
            part, rest = rest
            match part:
                case str():
                    if text.startswith(part, at):
                        begun.append((at + len(part), rest))
                case re.Pattern():
                    if part.match(text, at):
                        begun.append((at + 1, rest))
                case _Repeated():
                    if part.least == 0:
                        begun.append((at, rest))
                    if part.most > 0:
                        fewer = _Repeated(part.part, max(part.least - 1, 0), part.most - 1)
                        begun.append((at, (part.part, (fewer, rest))))
                case _:
                    begun += [(at, _before(sequence, rest)) for sequence in reversed(part.sequences)]
        return False


def _before(sequence: tuple[_Part, ...], rest: _Rest) -> _Rest:
    for part in reversed(sequence):
        rest = (part, rest)
    return rest


def _sequences(tokens: Iterator[str], rules: dict[str, _Rule]) -> list[tuple[_Part, ...]]:
    """What stands up to the end, or to the end of the parenthesis."""
    sequences: list[list[_Part]] = [[]]
    for token in tokens:
        if token == ")":
            break
        if token == "|":
            sequences.append([])
        elif token in _TIMES or token[0] == "{":
            least, most = _TIMES.get(token) or map(int, token[1:-1].split(","))
            sequences[-1].append(_Repeated(sequences[-1].pop(), least, most))
        else:
            sequences[-1].append(_part(token, tokens, rules))
    return [tuple(sequence) for sequence in sequences]


def _part(token: str, tokens: Iterator[str], rules: dict[str, _Rule]) -> _Part:
    if token == "(":
        return _Group(_sequences(tokens, rules))
    if token[0] == '"':
        text: str = json.loads(token)
        return text
    return re.compile(token) if token[0] == "[" else rules[token]
