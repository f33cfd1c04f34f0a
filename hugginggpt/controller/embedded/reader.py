"""The embedded reader: the small model, trained to answer questions from a text and to summarise it.

It writes under a grammar that allows only spans of the text, so its answers stand in the text word for word. Where it
is not sure of a span, the answer is that the text does not say.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.model import CONTEXT_TOKENS
from hugginggpt.controller.embedded.server import reader_options
from hugginggpt.controller.embedded.spans import VERDICT_TOKENS, answer_grammar, answer_in
from hugginggpt.controller.passages import by_relevance, passages
from hugginggpt.controller.prompts import Cuttable, Prompt, render_within
from hugginggpt.deadline import Deadline
from hugginggpt.text import visible

WINDOW_TOKENS = 700
"""The longest text that is read at once: the model was trained on texts up to this length."""

LEAST_CONFIDENCE = 0.5
"""An answer of less confidence counts as not said: docs/reader.md says how this was chosen."""

DOES_NOT_SAY = "The text does not say."
"""The answer to a question that a text does not answer."""

_MOST_WINDOWS = 4
_ANSWER_TOKENS = 120
_PROMPT_TOKENS = CONTEXT_TOKENS - _ANSWER_TOKENS
_WITH_PROBABILITIES = {"logprobs": True, "top_logprobs": 1}


@dataclass(frozen=True)
class Reading:
    """What a text says to a question.

    Attributes:
        span: the part of the text that answers, on one line; None if the text does not say.
        verdict: the answer to a question that is to be answered yes or no; else None.
        confidence: how sure the model is, from 0 to 1.
    """

    span: str | None
    verdict: bool | None = None
    confidence: float = 0.0

    def __str__(self) -> str:
        if self.span is None:
            return DOES_NOT_SAY
        return self.span if self.verdict is None else f"{'Yes' if self.verdict else 'No'}: {self.span}"


def question_prompt(text: str, question: str) -> Prompt:
    """The prompt of a question on a text, the same in training and in use."""
    return render_within("embedded/reading", _PROMPT_TOKENS, text=text, question=Cuttable(question))


def summary_prompt(text: str) -> Prompt:
    """The prompt for a summary, the same in training and in use."""
    return render_within("embedded/summary", _PROMPT_TOKENS, text=text)


def read_answer(
    controller: Controller,
    question: str,
    text: str,
    *,
    stage: str,
    deadline: Deadline | None,
    least: float = LEAST_CONFIDENCE,
) -> Reading:
    """What a text says to one question.

    Of a long text, the passages that share the question's words are read, and the surest answer counts.

    Args:
        controller: an embedded controller that has a reader.
        question: one question.
        text: of any length.
        stage: for the trace.
        deadline: when it has to be done.
        least: the confidence below which an answer counts as not said.

    Raises:
        ControllerError: and its subclasses, as `Controller.reply` raises them.
    """
    pieces = passages(visible(text).strip(), WINDOW_TOKENS)
    readings = [
        _read(controller, question, pieces[number].strip(), stage, deadline)
        for number in islice(by_relevance(pieces, question), _MOST_WINDOWS)
    ]
    said = [reading for reading in readings if reading.span is not None and reading.confidence >= least]
    return max(said, key=lambda reading: reading.confidence, default=Reading(None))


def _read(controller: Controller, question: str, text: str, stage: str, deadline: Deadline | None) -> Reading:
    reply = controller.reply(
        question_prompt(text, question),
        stage=stage,
        max_tokens=_ANSWER_TOKENS,
        extra={"grammar": answer_grammar(text)} | _WITH_PROBABILITIES | reader_options(controller.settings),
        deadline=deadline,
    )
    span, verdict = answer_in(reply.text.strip())
    if span is None or reply.finish == "length":
        return Reading(None)
    return Reading(span, verdict, _confidence(reply.logprobs, has_verdict=verdict is not None))


def _confidence(logprobs: Sequence[float], *, has_verdict: bool) -> float:
    """The probability of a span; of a verdict its own, times the mean one of its span's tokens.

    A verdict can be right although the span has a word more or less.
    """
    if not has_verdict:
        return math.exp(sum(logprobs)) if logprobs else 0.0
    span, verdict = logprobs[:-VERDICT_TOKENS], logprobs[-VERDICT_TOKENS:]
    return math.exp(sum(verdict) + sum(span) / len(span)) if span else 0.0
