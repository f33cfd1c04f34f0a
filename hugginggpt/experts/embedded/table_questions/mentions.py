"""Where a question names columns and cells of a table."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hugginggpt.experts.embedded.table_questions.grid import Column, Grid
from hugginggpt.experts.embedded.table_questions.words import (
    FUNCTION_WORDS,
    HARMLESS,
    NUMBERS,
    ORDINALS,
    Token,
    comparative,
    concepts_of,
    stem,
    superlative,
    tokens_of,
)

_ASKING = frozenset({"much", "many", "who", "whom", "whose", "where", "when", "time"})
"""Words that ask for a column and do not name one."""
_BEFORE_CELLS = frozenset({"in", "at", "from", "for", "to", "by", "on", "of", "is", "are", "named", "called"})
_ORIGINS = frozenset({"from", "origin", "departure", "start"})
_GOALS = frozenset({"to", "destination", "arrival", "end"})
_MOST_TOKENS = 80
_MOST_WORDS = 6
_MOST_CELL_CHARS = 200


@dataclass(frozen=True)
class Mention:
    """A place of a question that names columns, or cells of a column.

    Attributes:
        start: its first token.
        end: the token after its last one.
        columns: what it may name: one column, or several that fit equally.
        rows: the rows whose cells it names; None if it names a column.
        exact: the words are those of the table, not others of the same meaning.
    """

    start: int
    end: int
    columns: tuple[Column, ...]
    rows: frozenset[int] | None = None
    exact: bool = True

    @property
    def places(self) -> range:
        """Its tokens."""
        return range(self.start, self.end)


def mentions_in(tokens: Sequence[Token], grid: Grid) -> list[Mention]:
    """The columns and cells that a question names, in its order: the longest and most exact ones.

    Args:
        tokens: the question's.
        grid: the table.
    """
    tokens = tokens[:_MOST_TOKENS]
    rated = [*_columns_in(tokens, grid), *_cells_in(tokens, grid)]
    rated.sort(key=lambda one: (one[1].end - one[1].start, one[0]), reverse=True)
    taken: dict[int, Mention] = {}
    for _, mention in rated:
        if taken.keys().isdisjoint(mention.places):
            taken |= dict.fromkeys(mention.places, mention)
    return sorted(set(taken.values()), key=lambda one: one.start)


def _columns_in(tokens: Sequence[Token], grid: Grid) -> Iterator[tuple[float, Mention]]:
    """Each run of words that names columns, with how well it does."""
    found: dict[tuple[int, int], list[tuple[float, Column]]] = defaultdict(list)
    is_order = bool(tokens) and tokens[0].low in ("name", "list") and [token.low for token in tokens[1:2]] != ["of"]
    for column in grid.columns:
        # "Name the two cheapest" does not ask for names.
        start = 1 if is_order else 0
        while start < len(tokens):
            end, score = start, 0.0
            used: set[str] = set()
            while end < len(tokens):
                inside = end > start and end + 1 < len(tokens) and tokens[end].low in _little_words(column)
                at = end + 1 if inside else end
                if (fit := _fit(tokens[at], column, used)) <= 0:
                    break
                score, end = score + fit * (1 + inside), at + 1
            if end > start:
                full = used >= set(column.words)
                unused = len(set(column.words) - used)
                found[start, end].append((score / (end - start) + full - 0.1 * unused, column))
            start = max(end, start + 1)
    for (start, end), rated in found.items():
        best = max(score for score, _ in rated)
        columns = tuple(column for score, column in rated if score > best - 0.05)
        yield best, Mention(start, end, columns, exact=best >= 2)


def _only_asks(word: str, column: Column) -> bool:
    return word in _ASKING and not (word == "time" and column.values)


def _little_words(column: Column) -> set[str]:
    """Words such as "per" in the name of a column."""
    return {word.casefold() for word in column.name.split()} & FUNCTION_WORDS


def _fit(token: Token, column: Column, used: set[str]) -> float:
    word = token.low
    if token.kind not in ("word", "number") or word in FUNCTION_WORDS or _only_asks(word, column) or stem(word) in used:
        return 0.0
    if stem(word) in column.words:
        used.add(stem(word))
        # "Orders" are rather those of "Order no" than of "Ordered".
        names = {name.casefold() for name in column.name.replace("_", " ").split()}
        return 2.2 if not names.isdisjoint((word, f"{word}s", word.removesuffix("s"))) else 2.0
    if token.kind == "word" and superlative(word) is None and concepts_of(word) & column.concepts:
        return 1.0
    return 0.0


def _cells_in(tokens: Sequence[Token], grid: Grid) -> Iterator[tuple[float, Mention]]:
    """Each run of words that is a cell, or is part of cells."""
    asked = {stem(token.low) for token in tokens if token.low not in FUNCTION_WORDS}
    stems = [stem(token.low) for token in tokens]
    runs: dict[tuple[int, int, bool], list[tuple[Column, frozenset[int]]]] = defaultdict(list)
    for column in grid.columns:
        if column.values:
            continue
        cells: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for row in grid.rows:
            words = tuple(stem(token.low) for token in tokens_of(column.cells[row][:_MOST_CELL_CHARS]))
            if not asked.isdisjoint(words):
                cells[words].append(row)
        for start in range(len(tokens)):
            for end in range(start + 1, min(start + _MOST_WORDS, len(tokens)) + 1):
                run = tuple(stems[start:end])
                holding = [rows for words, rows in cells.items() if _holds(words, run)]
                if not holding:
                    break
                if run in cells and _may_be(tokens, start, end, whole=True):
                    runs[start, end, True].append((column, frozenset(cells[run])))
                elif run not in cells and _may_be(tokens, start, end, whole=False):
                    runs[start, end, False].append((column, _headed(cells, run, tokens[start])))
    for (start, end, whole), named in runs.items():
        before = tokens[start - 1].low if start else ""
        column, rows = _meant(named, tokens, start, grid)
        score = (3.2 if before in _BEFORE_CELLS else 2.8) if whole else 1.9
        yield score, Mention(start, end, (column,), rows, whole)


def _headed(cells: Mapping[tuple[str, ...], list[int]], run: tuple[str, ...], first: Token) -> frozenset[int]:
    """The rows whose cells hold a run of words. A desk lamp is not a desk if there are desks."""
    holding = {words: rows for words, rows in cells.items() if _holds(words, run)}
    ending = {words: rows for words, rows in holding.items() if words[-len(run) :] == run}
    chosen = ending if ending and first.text.islower() else holding
    return frozenset(row for rows in chosen.values() for row in rows)


def _holds(words: tuple[str, ...], run: tuple[str, ...]) -> bool:
    return any(words[at : at + len(run)] == run for at in range(len(words) - len(run) + 1))


def _may_be(tokens: Sequence[Token], start: int, end: int, *, whole: bool) -> bool:
    """Whether words of a question can be meant as a cell."""
    words = [token.low for token in tokens[start:end]]
    if whole and end - start == 1 and len(words[0]) == 1:
        return tokens[start].kind == "number" or (tokens[start].text.isupper() and words[0] != "i" and start > 0)
    edges = (words[0], words[-1])
    if not whole and any(word in HARMLESS or word in FUNCTION_WORDS for word in edges):
        return False
    plain = [w for w in words if w not in FUNCTION_WORDS]
    if end - start == 1 and (
        superlative(words[0]) or comparative(words[0]) or words[0] in NUMBERS or words[0] in ORDINALS
    ):
        return False
    if whole:
        return bool(plain) and not all(word in HARMLESS for word in words)
    return all(len(word) > 2 or not word.isalpha() for word in edges)


def _meant(
    named: Sequence[tuple[Column, frozenset[int]]], tokens: Sequence[Token], start: int, grid: Grid
) -> tuple[Column, frozenset[int]]:
    """Of several columns with the same cell, the one beside it in the question, else the one that names the rows."""
    if len(named) == 1:
        return named[0]
    near = [token.low for token in tokens[max(0, start - 3) : start]]
    before = near[-1] if near else ""
    for column, rows in named:
        words = {word.casefold() for word in column.name.split()}
        if (before == "from" and words & _ORIGINS) or (before in ("to", "for") and words & _GOALS):
            return column, rows
    for column, rows in named:
        if any(stem(word) in column.words for word in near) or any(concepts_of(w) & column.concepts for w in near):
            return column, rows
    return next((one for one in named if one[0] is grid.label), named[0])
