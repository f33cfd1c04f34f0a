"""What of a line was read: words with letters that the model does not know are marked.

The model reads Latin, Chinese and Japanese, and a part of Greek. It leaves out letters that it does not know, and is
sure of the rest: of "Счёт номер 2041" it reads "2041". What it left out is found by the ink where it read nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

UNREADABLE = "[unreadable]"

# In pixels of a line that is 48 high, as the model sees it.
_HEIGHT = 48
_NEAR = 7
_NARROWEST, _LOWEST = 10, 14
_WIDEST_LETTER, _USUAL_LETTER = 60, 30
_ONE_LETTER = 14
_SHORTEST_WORD = 1.5  # times as long as high
_SPACE = 7
_FAINTEST = 30.0  # levels of grey between ink and paper

_MOST_UNREAD = 0.12
"""The share of a line's ink. Of 1,100 lines of Latin text, good and bad scans among them, none had more than 0.1."""

_MOST_UNREAD_OF_A_WORD = 0.2

_LEAST_SURE = 0.7
_LEAST_SURE_OF_A_SIGN = 0.5
_SIGN = 2  # letters
_LEAST_SURE_OF_A_PAGE = 0.85
_SURE_WORD = 0.95
_SURE_NUMBER = 0.9


@dataclass(frozen=True)
class _Letter:
    sign: str
    sure: float
    x: float


@dataclass
class _Word:
    """A run of ink without a space, and the letters that were read there."""

    left: float
    right: float
    ink: float = 0.0
    unread: float = 0.0

    @property
    def lacks_letters(self) -> bool:
        return self.unread >= _ONE_LETTER and self.unread > _MOST_UNREAD_OF_A_WORD * self.ink


@dataclass(frozen=True)
class Line:
    """A line as it was read.

    Attributes:
        text: what the model read.
        letters: the same, with places and probabilities, without spaces.
        words: the ink.
        is_long: its picture is at least as long as a short word.
    """

    text: str
    letters: Sequence[_Letter]
    words: Sequence[_Word]
    is_long: bool

    @property
    def is_text(self) -> bool:
        """Whether it has the form of a word, or is likely to be a letter."""
        return self.is_long or self.sure >= _LEAST_SURE_OF_A_SIGN

    @property
    def is_doubtful(self) -> bool:
        """Whether letters are missing in it, or it is uncertain."""
        least = _LEAST_SURE_OF_A_SIGN if len(self.letters) <= _SIGN else _LEAST_SURE
        return self._unread > _MOST_UNREAD or self.sure < least

    @property
    def _unread(self) -> float:
        return sum(word.unread for word in self.words) / (sum(word.ink for word in self.words) or 1)

    @property
    def sure(self) -> float:
        """The mean probability of its letters."""
        return sum(letter.sure for letter in self.letters) / (len(self.letters) or 1)

    def readable(self, *, strict: bool) -> str:
        """The text, with a mark for words that were not read.

        Args:
            strict: the page is in a script that the model does not know, where it takes foreign letters for known ones.
        """
        doubtful = self.is_doubtful or (strict and self.sure < _SURE_WORD)
        parts: list[tuple[float, str]] = []
        letters = iter(self.letters)
        taken: set[int] = set()
        for token in self.text.split():
            own = [next(letters) for _ in token]
            at = {self._word_at(letter.x) for letter in own}
            taken |= at
            keeps = not any(self.words[n].lacks_letters for n in at if n >= 0)
            if doubtful and keeps:
                keeps = self._is_certain(token, own, with_letters=not strict)
            parts.append((own[0].x, token if keeps else UNREADABLE))
        if doubtful:
            parts += [(word.left, UNREADABLE) for n, word in enumerate(self.words) if n not in taken and word.unread]
        elif all(text != UNREADABLE for _, text in parts):
            return self.text
        texts = [text for _, text in sorted(parts)] or [UNREADABLE]
        return " ".join(text for n, text in enumerate(texts) if text != UNREADABLE or texts[n - 1 : n] != [text])

    def _is_certain(self, token: str, letters: Sequence[_Letter], *, with_letters: bool) -> bool:
        """Whether a token of a doubtful line can be trusted: numbers look alike in most scripts, letters do not."""
        sure = sum(letter.sure for letter in letters) / len(letters)
        if any(map(str.isalpha, token)):
            return with_letters and self._unread < 0.5 and self.sure >= _LEAST_SURE and sure >= _SURE_WORD
        return any(map(str.isdigit, token)) and sure >= _SURE_NUMBER

    def _word_at(self, x: float) -> int:
        """The number of the ink at a place; -1 if there is none."""
        distances = [max(word.left - x, x - word.right, 0.0) for word in self.words]
        nearest = min(range(len(distances)), key=distances.__getitem__, default=-1)
        return nearest if nearest >= 0 and distances[nearest] <= 1.5 * _NEAR else -1


def line_of(picture: Any, text: str, info: Any) -> Line:
    """A line of text as RapidOCR's recogniser answers.

    Args:
        picture: of the line, BGR, as the recogniser got it.
        text: what it read.
        info: its `WordInfo`: the places of the letters in steps, and their probabilities.
    """
    width = max(1, round(_HEIGHT * picture.shape[1] / picture.shape[0]))
    letters = []
    if text:
        steps = chain.from_iterable(info.word_cols)
        unit = width / info.line_txt_len
        letters = [
            _Letter(sign, float(sure), (next(steps) + 0.5) * unit)
            for sign, sure in zip(text, info.confs, strict=True)
            if not sign.isspace()
        ]
    words = _inked(picture, width, [letter.x for letter in letters])
    return Line(text, letters, words, width >= _SHORTEST_WORD * _HEIGHT)


def read_page(lines: Sequence[Line]) -> list[str]:
    """The readable text of each line of a page; nothing for stains and signs that were hardly taken for a letter."""
    # One line of three in a foreign script, and similar letters in the others are likely to be foreign, too.
    foreign = sum(line.is_doubtful for line in lines) > len(lines) / 3
    letters = sum(len(line.letters) for line in lines)
    sure = sum(line.sure * len(line.letters) for line in lines) / (letters or 1)
    strict = foreign or sure < _LEAST_SURE_OF_A_PAGE
    return [line.readable(strict=strict) if line.is_text else "" for line in lines]


def _inked(picture: Any, width: int, places: Sequence[float]) -> list[_Word]:
    """The words of a line by its ink, each with the ink of letters that were not read."""
    import cv2
    import numpy as np

    shrunk = picture.shape[0] > _HEIGHT
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    grey = cv2.resize(grey, (width, _HEIGHT), interpolation=cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR)
    _, ink = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    if ink.mean() > 0.5:
        ink = 1 - ink
    if not 0 < ink.sum() < ink.size or abs(float(grey[ink == 1].mean()) - float(grey[ink == 0].mean())) < _FAINTEST:
        return []
    ink = ink[4:-4]  # neighbouring lines reach in at the top and the bottom
    inked = np.concatenate([[0], (ink.sum(0) >= 2).astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(inked)).tolist()
    words: list[_Word] = []
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        rows = np.flatnonzero(ink[:, left:right].any(1))
        if words and left - words[-1].right <= _SPACE:
            words[-1].right = right
        else:
            words.append(_Word(left, right))
        if right - left < _NARROWEST or rows[-1] - rows[0] + 1 < _LOWEST:
            continue
        words[-1].ink += right - left
        read = sum(left - _NEAR <= place <= right + _NEAR for place in places)
        if right - left > _WIDEST_LETTER * read:
            words[-1].unread += right - left - _USUAL_LETTER * read
    return [word for word in words if word.ink]
