"""Answers of the embedded model: what to ask it, and how to tell whether an answer is usable."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hugginggpt.controller.grounding import foreign_words, unfounded
from hugginggpt.controller.prompts import cuttable, render_within
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError

if TYPE_CHECKING:
    from hugginggpt.controller.client import Controller

_FEW_FOREIGN, _MOST_FOREIGN = 2, 0.3  # how many words need not be in the text: a number, or a share
# Initials and titles have a full stop too: "J. Roe", "Dr. Lind".
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b[A-Z][a-z]\.)(?<!\bMrs\.)\s+(?=[^\W\d_])")


QUOTED_CHARS = 400
"""The longest text to quote, and the most tokens that it takes: SmolLM2 spends one on each digit."""

_MOST_LINES = 24


def questions_in(request: str) -> list[str]:
    """The sentences of a request that are questions."""
    return [sentence for sentence in _SENTENCE.split(request.strip()) if sentence.endswith("?")]


def distinct_texts(texts: Iterable[str]) -> list[str]:
    """The texts without those that only repeat an earlier one."""
    kept: list[str] = []
    for text in (text.strip() for text in texts):
        if text and not (kept and _adds_nothing(text, kept)):
            kept.append(text)
    return kept


def _adds_nothing(text: str, others: Sequence[str]) -> bool:
    return foreign_words(text, others)[0] == 0 and not unfounded(text, others)


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


def quotation(
    controller: "Controller", request: str, texts: Sequence[str], *, stage: str, deadline: Deadline | None
) -> str:
    """One of the texts, word for word, as chosen by the small model, which can give no other answer.

    Args:
        controller: the small model.
        request: the request that the quotation answers.
        texts: each at most `QUOTED_CHARS` long; only the first ones are shown.
        stage: for the trace.
        deadline: when it has to be done.

    Raises:
        ControllerError: the model chose none of them.
    """
    quotable = list(dict.fromkeys(texts))[:_MOST_LINES]
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": quotable}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    budget = controller.context_tokens - QUOTED_CHARS
    prompt = render_within("embedded/response_quote", budget, texts=cuttable(quotable), request=request)
    answer = controller.chat(prompt, stage=stage, max_tokens=QUOTED_CHARS, schema=schema, deadline=deadline)
    try:
        return str(json.loads(answer)["answer"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ControllerError("The embedded controller did not keep to its schema; use another GGUF file.") from None
