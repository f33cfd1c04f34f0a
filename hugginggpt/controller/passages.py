"""Texts longer than the controller's context: split into passages, or cut to the relevant ones."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from hugginggpt.controller.prompts import estimate_tokens, tokens_of

_BREAKS = (r"(?<=\n)(?=\n)", r"(?<=\n)", r"(?<=[.!?])(?=\s)", r"(?<=\s)")


def passages(text: str, tokens: int) -> list[str]:
    """The text in pieces of at most this many tokens, split between paragraphs where possible.

    Joined together, the pieces are the text.
    """
    return _split(text, tokens, 0)


def _split(text: str, tokens: int, level: int) -> list[str]:
    if estimate_tokens(text) <= tokens:
        return [text]
    if level == len(_BREAKS):
        # A token is estimated at 3.5 bytes, and a character has at most 4.
        size = max(1, math.floor(tokens * 3.5 / 4))
        return [text[i : i + size] for i in range(0, len(text), size)]
    pieces: list[list[str]] = []
    size = 0
    for part in re.split(_BREAKS[level], text):
        size += len(part.encode("utf-8", "replace"))
        if pieces and tokens_of(size) <= tokens:
            pieces[-1].append(part)
        else:
            pieces.append([part])
            size = len(part.encode("utf-8", "replace"))
    return [piece for parts in pieces for piece in _split("".join(parts), tokens, level + 1)]


def relevant_passages(text: str, question: str, tokens: int, mark: str) -> str:
    """The passages of a text that share the question's rarest words, in order.

    Args:
        text: of any length.
        question: the question.
        tokens: the maximum length of the result.
        mark: marks where something was left out.
    """
    if estimate_tokens(text) <= tokens:
        return text
    pieces = passages(text, max(40, tokens // 8))
    kept: set[int] = set()
    for number in by_relevance(pieces, question):
        if estimate_tokens(_joined(pieces, kept | {number}, mark)) > tokens:
            break
        kept.add(number)
    return _joined(pieces, kept, mark)


def by_relevance(pieces: Sequence[str], question: str) -> list[int]:
    """The numbers of a text's pieces, those that share the question's rarest words first."""
    words = [set(_words(piece)) for piece in pieces]
    frequency = Counter(word for found in words for word in found)
    asked = set(_words(question))

    def weight(number: int) -> float:
        return sum(math.log(1 + len(pieces) / frequency[word]) for word in asked & words[number])

    return sorted(range(len(pieces)), key=lambda n: (-weight(n), n))


def _joined(pieces: list[str], kept: set[int], mark: str) -> str:
    text, last = "", -1
    for number in sorted(kept):
        text += pieces[number] if number == last + 1 else mark + pieces[number]
        last = number
    return text.strip()


def _words(text: str) -> list[str]:
    return re.findall(r"\w{2,}", text.lower())
