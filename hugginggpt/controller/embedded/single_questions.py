"""A question with several parts, as single questions: "Who has to pay, and by when?" is two."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from hugginggpt.controller.embedded.answers import sentences

_PLACED = r"(?:(?:by|until|till|from|since|at|in|on|for|to|with|about) )?"
_ASKED = r"(?:how (?:much|many|long|often|far|old|big)|(?:what|which) (?:time|day|date|room|place)|\w+)"
_WORD = rf"{_PLACED}(?=(?:who|whom|whose|what|which|when|where|why|how)\b){_ASKED}"
_VERB = (
    r"(?:is|are|was|were|does|do|did|can|could|must|should|will|has|have) "
    r"(?:there|it|this|that|they|he|she|we|you|i|the|a|an|any|my|our)\b"
)
_NEXT = re.compile(rf",? and (?:also )?(?={_WORD}\b|{_VERB})|, (?={_WORD}\b)", re.IGNORECASE)
_QUESTION_WORD = re.compile(rf"\b{_WORD}", re.IGNORECASE)
_TWO_THINGS = re.compile(
    r"(?P<asks>what(?: is| are|'s)|when is|who is) (?P<first>the (?!\w+ between\b)[\w '-]{2,40}?),? "
    r"and (?P<second>the (?:(?! of )[\w '-]){2,40})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        shown: as the user put it.
        asked: as it can be understood alone.
    """

    shown: str
    asked: str


def single_questions(text: str) -> list[Question]:
    """The questions in a text, one by one.

    Args:
        text: a question, a request, or only what is to be found.
    """
    asked = [sentence for sentence in sentences(text) if sentence.endswith("?")] or [text.strip()]
    return list(chain.from_iterable(_parts(" ".join(sentence.split()).rstrip("?. ")) for sentence in asked))


def _parts(sentence: str) -> Iterator[Question]:
    parts = [part for part in _NEXT.split(sentence) if part]
    whole = [part for part in parts if not _is_fragment(part)]
    if len(parts) == 1:
        things = _TWO_THINGS.fullmatch(sentence)
        asks = [f"{things['asks']} {things[name]}" for name in ("first", "second")] if things else parts
        yield from (_question(part, part) for part in asks)
        return
    for part in parts:
        yield _question(part, f"{part} {_rest(whole)}".strip() if _is_fragment(part) else part)


def _is_fragment(part: str) -> bool:
    """Whether a part is only a question word: "by when"."""
    return _QUESTION_WORD.fullmatch(part) is not None


def _rest(whole: Sequence[str]) -> str:
    """What the other questions ask about: "has to pay"."""
    match = _QUESTION_WORD.search(whole[0]) if whole else None
    return whole[0][match.end() :].strip() if match else ""


def _question(shown: str, asked: str) -> Question:
    return Question(*(f"{part[:1].upper()}{part[1:]}?" for part in (shown, asked)))
