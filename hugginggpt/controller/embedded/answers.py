"""Texts that the embedded model wrote, and how to tell whether they are usable."""

import re
from collections.abc import Sequence

from hugginggpt.controller.grounding import foreign_words, unfounded

_FEW_FOREIGN, _MOST_FOREIGN = 2, 0.3  # how many words need not be in the text: a number, or a share
# Initials and titles have a full stop too: "J. Roe", "Dr. Lind".
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b[A-Z][a-z]\.)(?<!\bMrs\.)\s+(?=[^\W\d_])")


def tidied(answer: str) -> str:
    """The first paragraph, without repeated sentences and an unfinished last one."""
    sentences = list(dict.fromkeys(_SENTENCE.split(answer.strip().split("\n\n")[0])))
    if len(sentences) > 1 and not sentences[-1].endswith((".", "!", "?")):
        sentences.pop()
    return " ".join(sentences)


def invented(answer: str, given: Sequence[str]) -> list[str]:
    """Why an answer from the given texts cannot be trusted, one sentence each."""
    problems = unfounded(answer, given)
    foreign, words = foreign_words(answer, given)
    if foreign > max(_FEW_FOREIGN, _MOST_FOREIGN * words):
        problems.append("Too much of the answer is not in the text.")
    if repeats_itself(answer):
        problems.append("The answer repeats itself.")
    return problems


def repeats_itself(answer: str) -> bool:
    """Whether most words of an answer are repeated."""
    written = answer.split()
    return len(written) > 20 and len(set(written)) < len(written) / 2


def sentences(text: str) -> list[str]:
    """The sentences of a text, which begin with letters."""
    return _SENTENCE.split(text.strip())
