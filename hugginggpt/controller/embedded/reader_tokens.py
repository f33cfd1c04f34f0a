"""A question on a text as the tokens that the reader reads, the same in training and in use."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from hugginggpt.controller.embedded.sentences import SENTENCE_END

WINDOW = 384
"""The most tokens that are read at once."""

_LINE_END = ";"
"""Stands for the end of a line, which BERT would not see otherwise."""

_BEGIN, _DIVIDE, _UNKNOWN = 101, 102, 100  # [CLS], [SEP] and [UNK]
_QUESTION_TOKENS = 64
"""Most tokens of a question. Of a longer one its end is read: what comes before is what leads to it."""

_Word = tuple[list[int], bool]
"""The tokens of a unit, and whether a sentence ends with it."""

# Numbers are whole: no answer ends inside "1,593.96" or "14:05".
_UNIT = re.compile(r"\d+(?:[.,:]\d+)+\w*|\w+|[^\w\s]")


def units_of(text: str) -> list[re.Match[str]]:
    """The words, numbers and marks of a text. An answer is a run of them."""
    return list(_UNIT.finditer(text))


@dataclass(frozen=True)
class Window:
    """A question with as much of a text as is read at once.

    Attributes:
        tokens: question and text, each with what divides them.
        types: 0 for the question, 1 for the text.
        begin: the number of the text's first unit here.
        firsts: where in `tokens` each unit begins.
        lasts: where in `tokens` each unit ends.
    """

    tokens: list[int]
    types: list[int]
    begin: int
    firsts: list[int]
    lasts: list[int]


class Vocabulary:
    """The tokens of the encoder.

    Args:
        file: its `tokenizer.json`.
    """

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        (self._line_end,) = self._tokenizer.encode(_LINE_END, add_special_tokens=False).ids

    def windows(self, question: str, text: str) -> Iterator[Window]:
        """A question on a text, in windows that end with a line, or with a sentence of a line that is too long."""
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[-_QUESTION_TOKENS:]
        room = WINDOW - len(asked) - 3
        begin, unit = 0, 0
        held: list[list[list[int]]] = []
        size = 0
        for line in self._lines(text):
            for part in _within(line, room):
                length = sum(map(len, part)) + 1
                if held and size + length > room:
                    yield self._window(asked, begin, held)
                    begin, held, size = unit, [], 0
                held.append(part)
                size += length
                unit += len(part)
        if begin < unit:
            yield self._window(asked, begin, held)

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens stand for, in lower case."""
        return self._tokenizer.decode(list(tokens), skip_special_tokens=False)

    def _lines(self, text: str) -> Iterator[list[_Word]]:
        """The units of each line."""
        for line in text.split("\n"):
            units = units_of(line)
            ends = {match.start() for match in SENTENCE_END.finditer(line)}
            encoded = self._tokenizer.encode(
                [unit.group() for unit in units], is_pretokenized=True, add_special_tokens=False
            )
            tokens = zip(encoded.word_ids, encoded.ids, strict=True)
            by_word = {word: [token for _, token in some] for word, some in groupby(tokens, key=lambda pair: pair[0])}
            if units:
                # Some control characters have no token.
                yield [(by_word.get(number, [_UNKNOWN]), unit.end() in ends) for number, unit in enumerate(units)]

    def _window(self, asked: list[int], begin: int, lines: list[list[list[int]]]) -> Window:
        tokens = [_BEGIN, *asked, _DIVIDE]
        types = [0] * len(tokens)
        firsts, lasts = [], []
        for line in lines:
            for word in line:
                firsts.append(len(tokens))
                lasts.append(len(tokens) + len(word) - 1)
                tokens += word
            tokens.append(self._line_end)
        tokens[-1] = _DIVIDE
        return Window(tokens, types + [1] * (len(tokens) - len(types)), begin, firsts, lasts)


def _within(line: Sequence[_Word], room: int) -> Iterator[list[list[int]]]:
    """A line in parts of fewer tokens than there is room for, which end with a sentence if that leaves half of them."""
    part: list[list[int]] = []
    size = sentence_end = 0
    for tokens, ends_sentence in line:
        word = tokens[: room - 1]
        while size + len(word) > room - 1:
            cut = sentence_end if 2 * sentence_end >= len(part) else len(part)
            yield part[:cut]
            part, sentence_end = part[cut:], 0
            size = sum(map(len, part))
        part.append(word)
        size += len(word)
        if ends_sentence:
            sentence_end = len(part)
    yield part
