"""The embedded reader: it finds the answer to a question in a text, or that the text does not say.

It is a sentence encoder that was trained to mark where an answer begins and ends. So an answer stands in the text word
for word. Where the reader is not sure of one, it says so and shows the place; where it is less sure than that, the
answer is that the text does not say.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hugginggpt.controller.embedded.answer_types import AnswerType, answer_type
from hugginggpt.controller.embedded.model import READER
from hugginggpt.controller.embedded.questions import content_words
from hugginggpt.controller.embedded.reader_tokens import Vocabulary, Window, units_of
from hugginggpt.controller.embedded.sentences import SENTENCE_END
from hugginggpt.controller.passages import by_relevance
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError
from hugginggpt.setting_types import NO_ADAPTER
from hugginggpt.settings import Settings, data_folder
from hugginggpt.text import visible

if TYPE_CHECKING:
    from hugginggpt.controller.embedded.encoder import Array, Encoder

SURE = 0.8
"""An answer of less confidence is a guess: docs/reader.md says how both limits were chosen."""

LEAST_SAID = 0.5
"""There is no guess where it is less likely that the text says something."""

DOES_NOT_SAY = "The text does not say."
"""The answer to a question that a text does not answer."""

GUESS = "Perhaps "
"""Begins an answer that the reader is not sure of."""

_MOST_WINDOWS = 24
_MOST_UNITS = 40
"""Most words and marks of an answer."""
_MOST_LINES = 2
"""Most lines that an answer stands on."""
_PLACE_CHARS = 200
"""Most characters that are shown of a long sentence around a guess, unless the guess itself is longer."""

_LOADING = threading.Lock()


@dataclass(frozen=True)
class Reading:
    """The likeliest answer of a text to a question. As a string, it is the answer for the user.

    Attributes:
        span: the part of the text that answers, on one line; None if no part of it can.
        verdict: the answer to a question that is to be answered yes or no; else None.
        confidence: how likely this span and verdict are, from 0 to 1.
        said: how likely the text says anything at all, from 0 to 1.
        place: the line or sentence that the span stands in; of a long one, the words around the span.
    """

    span: str | None
    verdict: bool | None = None
    confidence: float = 0.0
    said: float = 0.0
    place: str = ""

    @property
    def is_sure(self) -> bool:
        """Whether the answer may be given as a fact."""
        return self.confidence >= SURE

    def __str__(self) -> str:
        if self.span is None or not (self.is_sure or self.said >= LEAST_SAID):
            return DOES_NOT_SAY
        word = None if self.verdict is None else "yes" if self.verdict else "no"
        if self.is_sure:
            return self.span if word is None else f"{word.capitalize()}: {self.span}"
        guess = f"{GUESS}{word or self.span}"
        return guess if guess == f"{GUESS}{self.place}" else f'{guess}: "{self.place}"'


@dataclass(frozen=True)
class _Found:
    """The likeliest answer in a window: its first and last unit in the text."""

    first: int
    last: int
    verdict: bool | None
    confidence: float
    said: float


class Reader:
    """Finds answers in texts. Thread-safe.

    Args:
        encoder: with what the reader has learnt.
        heads: the weights that tell bounds and verdicts.
        vocabulary: the encoder's.
    """

    def __init__(self, encoder: "Encoder", heads: Mapping[str, "Array"], vocabulary: Vocabulary) -> None:
        self._encoder, self._heads, self._vocabulary = encoder, heads, vocabulary

    @classmethod
    def load(cls, file: Path) -> "Reader":
        """The packaged encoder with what a file adds to it.

        Raises:
            ControllerError: the encoder's package is not installed, or is another one.
        """
        from hugginggpt.controller.embedded.encoder import Encoder, packaged_encoder, read_changed

        weights, heads = read_changed(file)
        return cls(Encoder(weights), heads, Vocabulary(packaged_encoder() / "tokenizer.json"))

    def read(self, question: str, text: str, deadline: Deadline | None = None) -> Reading:
        """What a text says to one question.

        Of a text in many windows, those that share the question's rarest words are read, and the surest answer counts.

        Args:
            question: one question.
            text: of any length.
            deadline: when it has to be done.

        Raises:
            DeadlineExceededError: time is up.
        """
        text = visible(text).strip()
        units, asked = units_of(text), answer_type(question)
        windows = list(self._vocabulary.windows(question, text))
        shown = [text[units[w.begin].start() : units[w.begin + len(w.firsts) - 1].end()] for w in windows]
        found: list[_Found] = []
        for number in islice(by_relevance(shown, question), _MOST_WINDOWS):
            with computing(deadline):
                likeliest = self._found(windows[number], text, units, asked)
            if likeliest is not None:
                found.append(likeliest)
        best = max(found, key=lambda one: one.confidence, default=None)
        if best is None:
            return Reading(None)
        begin, end = units[best.first].start(), units[best.last].end()
        span = " ".join(text[begin:end].split())
        return Reading(span, best.verdict, best.confidence, best.said, _place(text, begin, end))

    def _found(self, window: Window, text: str, units: Sequence[re.Match[str]], asked: AnswerType) -> _Found | None:
        """The likeliest answer in a window; None if none is possible."""
        import numpy as np

        vectors = self._encoder.vectors(window.tokens, window.types)
        begins, ends = (vectors @ self._heads["bounds.weight"].T + self._heads["bounds.bias"]).T
        scores = begins[window.firsts][:, None] + ends[window.lasts][None, :]
        possible = _possible(text, units[window.begin : window.begin + len(window.firsts)], asked)
        if not possible.any():
            return None
        # The first token stands for a text that does not say.
        not_said = float(begins[0] + ends[0])
        top = max(not_said, float(scores[possible].max()))
        chances = np.where(possible, np.exp(scores - top), 0.0)
        said = float(chances.sum() / (chances.sum() + np.exp(not_said - top)))
        chances *= said / chances.sum()
        first, last = divmod(int(chances.argmax()), len(chances))
        verdict, sure = None, 1.0
        if asked.verdict:
            named = {unit.group().casefold() for unit in units[window.begin + first : window.begin + last + 1]}
            is_named = not named.isdisjoint(content_words(asked.topic))
            verdict, sure = (True, 1.0) if is_named else self._verdict(vectors, window.firsts[first])
        return _Found(window.begin + first, window.begin + last, verdict, float(chances[first, last]) * sure, said)

    def _verdict(self, vectors: "Array", first: int) -> tuple[bool, float]:
        """Whether an answer means yes, and how sure that is."""
        import numpy as np

        seen = np.concatenate([vectors[0], vectors[first]])
        score = float((seen @ self._heads["verdict.weight"].T + self._heads["verdict.bias"])[0])
        yes = 1 / (1 + np.exp(-score))
        return bool(yes > 0.5), float(max(yes, 1 - yes))


def _place(text: str, begin: int, end: int) -> str:
    """The sentence or line around a span, or those that it stands in; of a long one, the words around the span."""
    first, line_end = text.rfind("\n", 0, begin) + 1, text.find("\n", end)
    last = line_end if line_end >= 0 else len(text)
    marks = list(SENTENCE_END.finditer(text, first, last))
    first = max((mark.end() for mark in marks if mark.end() <= begin), default=first)
    last = min((mark.start() for mark in marks if mark.start() >= end), default=last)
    before, after = text[first:begin], text[end:last]
    room = max(0, _PLACE_CHARS - (end - begin)) // 2
    if last - first > _PLACE_CHARS:
        # As many whole words as there is room for, or letters where nothing divides words.
        if len(before) > room:
            near = before[len(before) - room :]
            before = f"… {near.partition(' ')[2] or near}"
        if len(after) > room:
            near = after[:room]
            after = f"{near.rpartition(' ')[0] or near} …"
    return " ".join(f"{before}{text[begin:end]}{after}".split())


def _possible(text: str, units: Sequence[re.Match[str]], asked: AnswerType) -> Any:
    """Which runs of units may be the answer: [first, last], as booleans."""
    import numpy as np

    number = np.arange(len(units))
    length = number[None, :] - number[:, None] + 1
    possible = (length > 0) & (length <= _MOST_UNITS)
    breaks = [text.count("\n", one.end(), other.start()) > 0 for one, other in pairwise(units)]
    lines = np.cumsum([False, *breaks])[: len(units)]
    possible &= lines[None, :] - lines[:, None] < _MOST_LINES
    if asked.unit is not None:
        fits = np.array([asked.unit.fullmatch(unit.group()) is not None for unit in units])
        possible &= _within(fits) > 0
    if asked.digits:
        possible &= _within(np.array([sum(map(str.isdigit, unit.group())) for unit in units])) >= asked.digits
    return possible


def _within(counts: Any) -> Any:
    """The sum of counts over each run of units: [first, last]."""
    import numpy as np

    before = np.concatenate([[0], counts.cumsum()])
    return before[None, 1:] - before[:-1, None]


def reader_file(settings: Settings) -> Path | None:
    """The file of the reader; None if the settings switch it off.

    Raises:
        ControllerError: the file that the settings name does not exist.
    """
    given = settings.embedded_reader
    if given == NO_ADAPTER:
        return None
    if given is None:
        return data_folder("models_cache") / READER
    if not given.is_file():
        raise ControllerError(
            f"The reader's file {given} does not exist; set HUGGINGGPT_EMBEDDED_READER to a file that does, or to none."
        )
    return given


def get_reader(file: Path) -> Reader:
    """The reader, loaded once a process."""
    with _LOADING:
        return _load(file)


@lru_cache(maxsize=1)
def _load(file: Path) -> Reader:
    return Reader.load(file)
