"""The controller's answers to text tasks, used only as far as they can be trusted.

A large model's answer is taken as it is. The embedded model has a reader, whose answers are parts of the text. Without
one, for example because it is another model, its answer only counts where the text supports it.
"""

from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.answers import invented, tidied
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY, read_answer
from hugginggpt.controller.embedded.server import reader
from hugginggpt.controller.embedded.single_questions import single_questions
from hugginggpt.controller.embedded.summary import read_summary, trusted_summary
from hugginggpt.deadline import Deadline

__all__ = ["checked_answer", "checked_summary", "read_answers", "read_summary", "reads"]


def reads(controller: Controller) -> bool:
    """Whether the controller is the embedded model with a reader."""
    return controller.is_embedded and reader(controller.settings) is not None


def read_answers(controller: Controller, question: str, text: str, *, stage: str, deadline: Deadline) -> str:
    """The reader's answer to a question; to several questions in one, each answer after its question.

    Args:
        controller: a controller that reads.
        question: one question or several.
        text: of any length.
        stage: for the trace.
        deadline: when it has to be done.

    Raises:
        ControllerError: and its subclasses, as `Controller.reply` raises them.
    """
    questions = single_questions(question)
    answers = [str(read_answer(controller, one.asked, text, stage=stage, deadline=deadline)) for one in questions]
    if len(answers) == 1:
        return answers[0]
    return "\n\n".join(f"{one.shown}\n{answer}" for one, answer in zip(questions, answers, strict=True))


def checked_answer(controller: Controller, written: str, question: str, context: str) -> str:
    """The controller's answer from a context; that the text does not say if the embedded model invents something."""
    if not controller.is_embedded:
        return written
    answer = tidied(written)
    return DOES_NOT_SAY if not answer or invented(answer, [question, context]) else answer


def checked_summary(controller: Controller, written: str, text: str) -> str:
    """The controller's summary of a text; sentences of the text if the embedded model invents something."""
    return trusted_summary(tidied(written), text) if controller.is_embedded else written
