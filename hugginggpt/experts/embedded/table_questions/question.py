"""A question about a table, token by token: what is understood of it so far."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.table_questions.grid import Column, Grid, with_part
from hugginggpt.experts.embedded.table_questions.mentions import Mention, mentions_in
from hugginggpt.experts.embedded.table_questions.moments import PARTS, moments_in
from hugginggpt.experts.embedded.table_questions.words import (
    HARMLESS,
    PEOPLE,
    RECORDS,
    Token,
    concepts_of,
    stem,
    tokens_of,
)

_FILE = re.compile(
    r"\b(?:(?:in|from|of|according to|using|to) )?(?:the |this |my |our |that )?(?:file )?[\w-]+\."
    r"(?:csv|tsv|xlsx?|ods)\b|"
    r"\b(?:in|from|of|according to|to|using) (?:the|this|my|our|that|attached) (?:\w+ ){0,2}?"
    r"(?:table|sheet|spreadsheet|file|csv|list|data|dataset)\b",
    re.IGNORECASE,
)


@dataclass
class Question:
    """A question, and which of its tokens are understood.

    Attributes:
        used: the tokens that are understood.
        measured: the columns that conditions compare by.
    """

    text: str
    grid: Grid
    tokens: Sequence[Token]
    mentions: list[Mention]
    used: set[int] = field(default_factory=set)
    measured: list[Column] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, grid: Grid) -> "Question":
        """A question about a table. Where it names the file or the table as a whole is left out."""
        bare = _FILE.sub(" ", " ".join(text.split()))
        tokens = tokens_of(bare)
        words = {stem(token.low) for token in tokens}
        for part in PARTS:
            if stem(part) in words and not any(stem(part) in column.words for column in grid.columns):
                grid = with_part(grid, part)
        return cls(bare, grid, tokens, mentions_in(tokens, grid))

    @property
    def lows(self) -> list[str]:
        """The tokens in lower case."""
        return [token.low for token in self.tokens]

    def is_free(self, at: int) -> bool:
        """Whether a token is neither understood nor part of a name in the table."""
        return at not in self.used and not any(at in mention.places for mention in self.mentions)

    def find(self, *phrases: str, taken: bool = False) -> range | None:
        """The first place of one of these phrases, which becomes understood; None if there is none.

        Args:
            phrases: words with single spaces.
            taken: also find words that may name something in the table.
        """
        lows = self.lows
        for phrase in phrases:
            words = phrase.split()
            for at in range(len(lows) - len(words) + 1):
                places = range(at, at + len(words))
                if lows[at : at + len(words)] != words or any(place in self.used for place in places):
                    continue
                if taken or all(self.is_free(place) for place in places):
                    self.used.update(places)
                    return places
        return None

    def drop(self, places: range) -> None:
        """Forget what these tokens may name."""
        self.mentions = [one for one in self.mentions if set(one.places).isdisjoint(places)]

    @property
    def columns(self) -> list[Mention]:
        """Where it names columns."""
        return [mention for mention in self.mentions if mention.rows is None]

    @property
    def cells(self) -> list[Mention]:
        """Where it names cells."""
        return [mention for mention in self.mentions if mention.rows is not None]

    def with_concept(self, *concepts: str) -> list[Column]:
        """The columns that may mean one of these, by the first of these that there is."""
        for concept in concepts:
            found = [column for column in self.grid.columns if _means(column, concept)]
            if found:
                return found
        return []

    def nearest(self, at: int, among: Sequence[Column], *, before: bool = True) -> Column | None:
        """The one of these columns that is named nearest before or after a token."""
        named = [(mention, column) for mention in self.columns for column in mention.columns if column in among]
        if before:
            return next((column for mention, column in reversed(named) if mention.end <= at), None)
        return next((column for mention, column in named if mention.start >= at), None)

    def likeliest_moments(self, columns: Sequence[Column]) -> Column | None:
        """Of several columns of dates or times, the only one with a word of the question, or that of departures."""
        words = {stem(token.low) for token in self.tokens}
        for likely in (
            [column for column in columns if not words.isdisjoint(column.words)],
            [column for column in columns if "depart" in column.concepts],
        ):
            if len(likely) == 1:
                return likely[0]
        return None

    def check_all_understood(self) -> None:
        """Decline if some word of the question is neither in the table nor without meaning for the answer.

        Raises:
            ExpertError: so it is.
        """
        label = self.grid.label
        dates = {begin for begin, _, _ in moments_in(self.text)}
        for at, token in enumerate(self.tokens):
            word, root = token.low, stem(token.low)
            if not self.is_free(at) or (word in HARMLESS and token.start not in dates):
                continue
            if root in RECORDS or (root in PEOPLE and "person" in label.concepts):
                continue
            if concepts_of(word) & {*label.concepts}:
                continue
            raise ExpertError(f'The table does not show what "{token.text:.40}" in the question means.')


def _means(column: Column, concept: str) -> bool:
    if concept == "when":
        return bool(column.moments)
    return concept in column.concepts
