"""The controller's answers to text tasks, used only as far as they can be trusted.

A large model's answer is taken as it is. The embedded model makes things up, so its answer only
counts where the text supports it; otherwise a part of the text takes its place.
"""

from typing import TYPE_CHECKING

from hugginggpt.controller.embedded.answers import QUOTED_CHARS, invented, quotation, tidied
from hugginggpt.controller.passages import condensed
from hugginggpt.controller.prompts import shorten
from hugginggpt.deadline import Deadline

if TYPE_CHECKING:
    from hugginggpt.controller.client import Controller

_EXTRACT_CHARS = 500


def trusted_summary(controller: "Controller", written: str, text: str) -> str:
    """The controller's summary of a text, or an extract of the text that is marked as one."""
    if not controller.is_embedded:
        return written
    summary = tidied(written)
    return f"Extract: {condensed(text, _EXTRACT_CHARS)}" if invented(summary, [text]) else summary


def trusted_answer(
    controller: "Controller", written: str, question: str, context: str, *, stage: str, deadline: Deadline
) -> str:
    """The controller's answer from a context, or the line of the context that answers best.

    Raises:
        ControllerError: the embedded controller names no such line.
    """
    if not (controller.is_embedded and context):
        return written
    answer = tidied(written)
    if answer and not invented(answer, [question, context]):
        return answer
    lines = [shorten(" ".join(line.split()), QUOTED_CHARS) for line in context.splitlines() if line.strip()]
    return quotation(controller, question, lines, stage=stage, deadline=deadline)
