"""Texts that the embedded model wrote, and how to tell whether they are usable."""

from collections.abc import Sequence

from hugginggpt.controller.embedded.sentences import sentences
from hugginggpt.controller.grounding import foreign_words, unfounded

_FEW_FOREIGN, _MOST_FOREIGN = 2, 0.3  # how many words need not be in the text: a number, or a share


def tidied(answer: str) -> str:
    """The first paragraph, without repeated sentences and an unfinished last one."""
    written = list(dict.fromkeys(sentences(answer.strip().split("\n\n")[0])))
    if len(written) > 1 and not written[-1].endswith((".", "!", "?")):
        written.pop()
    return " ".join(written)


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
