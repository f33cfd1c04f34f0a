"""The controller's answers to text tasks, used only as far as they can be trusted.

A large model's answer is taken as it is. The embedded model has a reader, whose answers are parts of the text. Without
one, for example because it is another model, its answer only counts where the text supports it.
"""

import re

from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.answers import invented, repeats_itself, tidied
from hugginggpt.controller.embedded.questions import content_words
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY, Reader, get_reader, reader_file
from hugginggpt.controller.embedded.sentences import sentences
from hugginggpt.controller.embedded.single_questions import single_questions
from hugginggpt.controller.embedded.summary import chosen_summary, trusted_summary
from hugginggpt.controller.passages import by_relevance
from hugginggpt.controller.prompts import CUT, shorten
from hugginggpt.deadline import Deadline

__all__ = [
    "checked_answer",
    "checked_summary",
    "chosen_summary",
    "is_going_in_circles",
    "read_answers",
    "reader_of",
    "single_questions",
]

_QUOTED_CHARS = 400


def reader_of(controller: Controller) -> Reader | None:
    """What reads in the place of a controller that knows little; None if that is switched off, or not needed.

    Raises:
        ControllerError: the reader's file or its encoder is missing.
    """
    file = reader_file(controller.settings) if controller.knows_little else None
    return None if file is None else get_reader(file)


def read_answers(reader: Reader, question: str, text: str, deadline: Deadline) -> str:
    """The reader's answer to a question; to several questions in one, each answer after its question.

    Args:
        reader: what reads.
        question: one question or several.
        text: of any length.
        deadline: when it has to be done.

    Raises:
        DeadlineExceededError: time is up.
    """
    questions = single_questions(question)
    answers = [str(reader.read(one.asked, text, deadline)) for one in questions]
    if len(answers) == 1:
        return answers[0]
    return "\n\n".join(f"{one.shown}\n{answer}" for one, answer in zip(questions, answers, strict=True))


def checked_answer(controller: Controller, written: str, question: str, context: str) -> str:
    """The controller's answer from a context; a line of the context instead if the embedded model invents something."""
    if not controller.is_embedded:
        return written
    answer = tidied(written)
    return _quoted_line(question, context) if not answer or invented(answer, [question, context]) else answer


def _quoted_line(question: str, context: str) -> str:
    """The line or sentence that shares most of the question's rarest words; that the text does not say if none does."""
    about = content_words(question)
    lines = [part for line in context.replace(CUT, "\n").splitlines() for part in sentences(line) if part]
    found = by_relevance(lines, " ".join(about))
    if not found or about.isdisjoint(re.findall(r"\w+", lines[found[0]].lower())):
        return DOES_NOT_SAY
    return f'"{shorten(" ".join(lines[found[0]].split()), _QUOTED_CHARS)}"'


def checked_summary(controller: Controller, written: str, text: str) -> str:
    """The controller's summary of a text; sentences of the text if the embedded model invents something."""
    return trusted_summary(tidied(written), text) if controller.is_embedded else written


def is_going_in_circles(controller: Controller, written: str) -> bool:
    """Whether an embedded model only repeated itself."""
    return controller.is_embedded and repeats_itself(written)
