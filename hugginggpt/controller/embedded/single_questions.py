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
_BEGINS_AS_QUESTION = re.compile(
    rf"(?:^|, ){_PLACED}(?:(?:who|whom|whose|what|which|why|how)\b|"
    # Not "When I arrive".
    r"(?:when|where)\b(?! (?:i|we|you|he|she|it|they|there|this|that|the|an?|my|our|your|his|her|their)\b)|"
    r"(?:is|are|was|were|am|does|do|did|can|could|must|should|will|would|may|has|have)\b)",
    re.IGNORECASE,
)
_QUESTION_WORD = re.compile(rf"\b{_WORD}", re.IGNORECASE)
_TWO_THINGS = re.compile(
    r"(?P<asks>what(?: is| are|'s)|when is|who is) (?P<first>the (?!\w+ between\b)(?:(?! of )[\w '-]){2,40}?),? "
    r"and (?P<second>the (?:(?! of )[\w '-]){2,40})",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"(?:please |also |and |then )*(?:give|tell|find|name|list|show|state|quote)\b(?!:| attached| enclosed)",
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
    """The questions in a text, one by one; what tells without asking is left out.

    Args:
        text: a question, a request, or only what is to be found.
    """
    text = text.strip()
    asked = [text]
    if any(sentence.endswith("?") for sentence in sentences(text)):
        asked = [sentence for sentence in sentences(text) if sentence.endswith("?") or _REQUEST.match(sentence)]
    parts = chain.from_iterable(_parts(" ".join(sentence.split()).rstrip("?. ")) for sentence in asked)
    return list(parts) or [Question(text, text)]


def _parts(sentence: str) -> Iterator[Question]:
    parts = [part for part in _divided(sentence) if part]
    whole = [part for part in parts if not _is_fragment(part)]
    if len(parts) == 1:
        things = _TWO_THINGS.fullmatch(sentence)
        asks = [f"{things['asks']} {things[name]}" for name in ("first", "second")] if things else parts
        yield from (_question(part, part) for part in asks)
        return
    for part in parts:
        yield _question(part, f"{part} {_rest(whole)}".strip() if _is_fragment(part) else part)


def _divided(sentence: str) -> Iterator[str]:
    """The sentence, divided where another question begins."""
    start = seen = 0
    is_question = False
    for match in _NEXT.finditer(sentence):
        is_question = is_question or _BEGINS_AS_QUESTION.search(sentence[seen : match.start()]) is not None
        seen = match.start()
        # After a comma alone the question may only begin: "If I cancel, how much do I get back?"
        if is_question or match.group() != ", ":
            yield sentence[start:seen]
            start = seen = match.end()
            is_question = False
    yield sentence[start:]


def _is_fragment(part: str) -> bool:
    """Whether a part is only a question word: "by when"."""
    return _QUESTION_WORD.fullmatch(part) is not None


def _rest(whole: Sequence[str]) -> str:
    """What the other questions ask about: "has to pay"."""
    match = _QUESTION_WORD.search(whole[0]) if whole else None
    return whole[0][match.end() :].strip() if match else ""


def _question(shown: str, asked: str) -> Question:
    return Question(*(f"{part[:1].upper()}{part[1:]}?" for part in (shown, asked)))
