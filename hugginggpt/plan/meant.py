"""Which of several pieces of JSON in a model's text are meant: not its examples, nor what answers another request."""

import re
from collections.abc import Sequence
from typing import Any

from hugginggpt.plan.loose import Piece, loose_pieces

_SAID_BEFORE = 200  # characters before a piece that can call it an example
_OPENING = re.compile(r"(?:```\w*\s*)?(?:[\[{]\s*+(?:[\"']?\w{1,30}[\"']?\s*:\s*)?)*\Z")  # a fence, a wrapper
_SENTENCE = re.compile(r"\n|(?<!e\.g)[.!?]\s")
_WORD = r"(?:examples?|samples?|demo(?:nstration)?s?|illustrations?|beispiel|exemple|ejemplo|esempio|exemplo)"
_EXAMPLE = re.compile(
    r"\be\.g\.|\bz\. ?B\."
    r"|\b(?:for|as|an?|another|this|one|zum|par|por|per) (?:an )?"
    rf"(?:(?:longer|shorter|different|simple|other) )?(?:instance|{_WORD}\b)(?![\w./-]*\w)"
    rf"|^\W*(?:\w+[ -]){{0,2}}{_WORD}\b(?![./-]\w)"
    rf"|\b{_WORD}\W*$"
    r"|\bto illustrate\b|\bhypothetical|\bfor (?:comparison|reference)\b|\b(?:another|a different) request\b"
    r"|\bif (?:there|you|it|the \w+) (?:were|was|had)\b",
    re.IGNORECASE,
)
# What is like an example is none.
_COMPARED = re.compile(
    rf"\b(?:following|like|as in|based on|per|similar to|unlike|than|for|with) (?:the|your|these|those)"
    rf" (?:\w+ ){{0,2}}?{_WORD}\b",
    re.IGNORECASE,
)
_OTHER_REQUEST = re.compile(
    r"^[ \t]*(?:[#*>-]+[ \t]*)?"
    r"(?:(?:(?:user|next|new|another) )?(?:request|query|user|human|question|instruction|task|input)\b"
    r"[ \t*]*[\d#]*[ \t]*(?::|\*|$)|<\|(?:im_start\|>)?user|\[INST\])",
    re.IGNORECASE | re.MULTILINE,
)


def meant(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces that are meant, in order; the last of them is what the model settles on.

    A piece that is called an example never counts. If the text goes on with another request after the first piece, what
    follows answers that one. What is cut off counts only if nothing is complete.
    """
    own = [piece for piece in pieces if not _is_example(text, piece.start)]
    if own and (other := _OTHER_REQUEST.search(text, own[0].end)) and not _OTHER_REQUEST.search(text, 0, own[0].start):
        own = [piece for piece in own if piece.start < other.start()]
    return [piece for piece in own if piece.complete] or own


def objects_in(text: str) -> list[dict[str, Any]]:
    """The objects in a model's text that are meant, in order, however loosely they are written."""
    found = [piece for piece in loose_pieces(text) if isinstance(piece.value, dict)]
    return [piece.value for piece in meant(text, found)]


def _is_example(text: str, start: int) -> bool:
    """Whether what is said right before a piece calls it an example."""
    before = _OPENING.sub("", text[max(0, start - _SAID_BEFORE) : start]).rstrip(" \n\t`'\"")
    said = _SENTENCE.split(before)[-1]
    return _EXAMPLE.search(_COMPARED.sub("", said)) is not None
