"""The phrase bank in `training/phrases/`: how people word wishes, written by hand.

A phrase family is one block of requests, or one wording of a step. A fixed eighth of the families is
never trained on: the difference between the two scores shows how well the planner generalises beyond
the words that it was taught.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent / "phrases"

HELD_OUT_SHARE = 8
"""One family in this many is held out."""


def is_held_out(family: str) -> bool:
    """Whether a family is kept from training, which depends only on its words."""
    return hashlib.sha256(family.encode()).digest()[0] % HELD_OUT_SHARE == 0


@dataclass(frozen=True)
class Sense:
    """One meaning of a kind, or of two kinds in a row, and its wordings.

    Attributes:
        kinds: its steps, in order.
        takes: the sort of file or value that fits it: photo, doc, speech, text and so on.
        fills: slot name to the list that fills it; "node" if only a result fits.
        phrases: do, ask, noun, name, after, goal: each a list of wordings with slots.
    """

    kinds: tuple[str, ...]
    word: str
    takes: str
    fills: Mapping[str, str]
    phrases: Mapping[str, tuple[str, ...]]

    def wordings(self, form: str, held_out: bool | None) -> list[str]:
        """Its wordings in one form: all, or those on one side of the split."""
        found = self.phrases.get(form, ())
        if held_out is None or form == "name":
            return list(found)
        return [phrase for phrase in found if is_held_out(phrase) is held_out]


@dataclass(frozen=True)
class Before:
    """An earlier turn of a conversation.

    Attributes:
        pipelines: what it did; `{1}` is the result of the first step of the turn before it.
        requests: its wordings; empty if any request for this plan fits.
    """

    pipelines: tuple[str, ...]
    requests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """Whole requests for one plan, written together: one family.

    Attributes:
        before: the turns before it; in its pipelines, `{2}` is the result of the second step of the last of them, and
            `{1:2}` that of the first.
    """

    pipelines: tuple[str, ...]
    requests: tuple[str, ...]
    before: tuple[Before, ...] = ()


@dataclass(frozen=True)
class Mentions:
    """How people mention one sort of file, and names of such files."""

    named: list[str] = field(default_factory=list)
    pointing: list[str] = field(default_factory=list)
    several: list[str] = field(default_factory=list)
    nth: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


class Bank:
    """Everything in the folder.

    Raises:
        ValueError: a file is malformed; the message says in which line.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    @cached_property
    def senses(self) -> list[Sense]:
        """Every sense of every kind."""
        return [sense for path in sorted((self._folder / "kinds").glob("*.txt")) for sense in _senses(path)]

    @cached_property
    def blocks(self) -> list[Block]:
        """Every block of whole requests that begin a conversation."""
        return [block for block in self._all_blocks if not block.before]

    @cached_property
    def follow_ups(self) -> list[Block]:
        """Every block of requests that continue a conversation."""
        return [block for block in self._all_blocks if block.before]

    @cached_property
    def _all_blocks(self) -> list[Block]:
        return [block for path in sorted((self._folder / "requests").glob("*.txt")) for block in _blocks(path)]

    @cached_property
    def fills(self) -> dict[str, list[str]]:
        """Values by the name of their list."""
        paths = sorted((self._folder / "fills").glob("*.txt"))
        return {path.stem: [line.replace("\\n", "\n") for line in _lines(path)] for path in paths}

    @cached_property
    def mentions(self) -> dict[str, Mentions]:
        """How people mention files, by sort."""
        sections: dict[str, dict[str, list[str]]] = {}
        for section, key, lines in _sections(self._folder / "mentions.txt"):
            sections.setdefault(section, {}).setdefault(key, []).extend(lines)
        return {sort: Mentions(**lists) for sort, lists in sections.items()}

    @cached_property
    def decoys(self) -> list[tuple[frozenset[str], str]]:
        """Sentences that mention a step which is not wished for, each with the kinds that it may not stand beside."""
        sections = _sections(self._folder / "decoys.txt")
        return [(frozenset(kinds.split()), line) for _, kinds, lines in sections for line in lines]

    @cached_property
    def frames(self) -> dict[str, list[str]]:
        """The frames around a wish: openings, joints, context."""
        return {key: lines for _, key, lines in _sections(self._folder / "frames.txt")}


def _lines(path: Path) -> list[str]:
    return [line.rstrip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _sections(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """`[section]`, then `key:` and its lines, or `key: value` on one line."""
    section, key, lines = "", "", list[str]()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            if key:
                yield section, key, lines
            section, key, lines = line.strip()[1:-1], "", []
        elif not line.startswith(" ") and ":" in line:
            if key:
                yield section, key, lines
            key, _, value = line.partition(":")
            lines = [value.strip()] if value.strip() else []
        elif key:
            lines.append(line.strip().replace("\\n", "\n"))
        else:
            raise ValueError(f"{path.name}, line {number}: a phrase without a heading.")
    if key:
        yield section, key, lines


_FORMS = ("do", "ask", "noun", "name", "after", "goal")


def _senses(path: Path) -> Iterator[Sense]:
    sections: dict[str, dict[str, list[str]]] = {}
    for section, key, lines in _sections(path):
        sections.setdefault(section, {}).setdefault(key, []).extend(lines)
    for section, lists in sections.items():
        kind, _, word = section.partition(" ")
        kinds = (f"{kind}-control", f"{kind}-text-to-image") if word == "from-photo" else (kind,)
        yield Sense(
            kinds=kinds,
            word=word,
            takes="".join(lists.get("in", ["text"])),
            fills={key: values[0] for key, values in lists.items() if key not in (*_FORMS, "in")},
            phrases={form: tuple(lists.get(form, ())) for form in _FORMS},
        )


def _blocks(path: Path) -> Iterator[Block]:
    """`&` and what the first turn did, `+` for each further turn, `<` for its wordings; `@` and the plan; the requests.

    Lines that begin alike belong together: several pipelines of one turn or plan.
    """
    before: list[Before] = []
    pipelines: list[str] = []
    requests: list[str] = []
    last = "@"
    lines = [(n, line.rstrip()) for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)]
    for number, line in [*lines, (len(lines) + 1, "@")]:
        if not line or line.startswith("#"):
            continue
        mark, said = (line[0], line[1:].strip()) if line[0] in "&+<@" else ("", line.replace("\\n", "\n"))
        if mark and requests:
            yield Block(tuple(pipelines), tuple(requests), tuple(before))
            before, pipelines, requests, last = [], [], [], "@"
        place = f"{path.name}, line {number}"
        if (mark in ("+", "<") and not before) or (mark in ("&", "+", "<") and pipelines):
            raise ValueError(f"{place}: the first turn begins with &, and all turns stand before the plan.")
        if mark == "&" and before and last != "&":
            raise ValueError(f"{place}: a further turn begins with +.")
        if not mark and not pipelines:
            raise ValueError(f"{place}: a request without a plan.")
        if mark == "&" and before:
            before[-1] = Before((*before[-1].pipelines, said))
        elif mark in ("&", "+"):
            before.append(Before((said,)))
        elif mark == "<":
            before[-1] = Before(before[-1].pipelines, (*before[-1].requests, said.replace("\\n", "\n")))
        elif mark == "@":
            pipelines.append(said)
        else:
            requests.append(said)
        last = mark
