"""What a model of 135 million parameters needs: one short question, and its answer tidied."""

import re
from collections.abc import Iterable, Sequence

from hugginggpt.controller.grounding import foreign_words, unfounded

_FEW_FOREIGN, _MOST_FOREIGN = 2, 0.3  # words that may stand nowhere in the text: so many, or that part
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_])")


def question_in(request: str) -> str:
    """The questions of a request, which such a model answers well; empty when it has none."""
    return " ".join(s for s in _SENTENCE.split(request.strip()) if s.endswith("?"))


def distinct_texts(texts: Iterable[str]) -> list[str]:
    """The texts without those that only say again what an earlier one says."""
    kept: list[str] = []
    for text in (text.strip() for text in texts):
        if text and not (kept and _adds_nothing(text, kept)):
            kept.append(text)
    return kept


def _adds_nothing(text: str, others: Sequence[str]) -> bool:
    return foreign_words(text, others)[0] == 0 and not unfounded(text, others)


def tidied(answer: str) -> str:
    """The first paragraph, each sentence once, without an unfinished last one."""
    sentences = list(dict.fromkeys(_SENTENCE.split(answer.strip().split("\n\n")[0])))
    if len(sentences) > 1 and not sentences[-1].endswith((".", "!", "?")):
        sentences.pop()
    return " ".join(sentences)


def invented(answer: str, given: Sequence[str]) -> list[str]:
    """Why an answer over given texts cannot be trusted, one sentence each."""
    problems = unfounded(answer, given)
    foreign, words = foreign_words(answer, given)
    if foreign > max(_FEW_FOREIGN, _MOST_FOREIGN * words):
        problems.append("Too much of the answer stands nowhere in the text.")
    written = answer.split()
    if len(written) > 20 and len(set(written)) < len(written) / 2:
        problems.append("The answer repeats itself.")
    return problems
