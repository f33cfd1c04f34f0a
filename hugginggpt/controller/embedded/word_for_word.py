"""Answers that need no words of the small model, because the results are the answer.

1. If the request asks nothing, what was made is the answer.
2. If each of its questions has a task that answered it, their results are the answer: first in it, each after its
   question if there are several.
3. Otherwise a question may still have to be answered from the results, so the model has to write.

What a list of elements was asked is not told apart, so it does not count as answered.
"""

from collections.abc import Sequence

from hugginggpt.controller.embedded.answers import distinct_texts, questions_in
from hugginggpt.controller.prompts import shorten
from hugginggpt.plan.references import references_in
from hugginggpt.results import TaskOutcome
from hugginggpt.text import visible

_SHOWN_CHARS = 1500


def word_for_word(text: str, outcomes: Sequence[TaskOutcome]) -> str | None:
    """The results as the answer to a request; None if the model has to write it.

    Args:
        text: the request.
        outcomes: one per planned task.
    """
    answered = [outcome for outcome in outcomes if _answers(outcome)]
    if len(questions_in(text)) > len(answered):
        return None
    answers = [answer for outcome in answered if (answer := _answer(outcome, alone=len(answered) == 1))]
    others = texts_of([outcome for outcome in outcomes if outcome not in answered])
    shown = [*answers, *shown_beside(answers, others), *made(outcomes)]
    return "\n\n".join([*shown, *undone(outcomes)]) if shown else None


def _answers(outcome: TaskOutcome) -> bool:
    """Whether a task answered one question."""
    is_question = outcome.planned.capability.input("question") is not None
    return is_question and outcome.result is not None and not outcome.result.is_list


def _answer(outcome: TaskOutcome, *, alone: bool) -> str:
    answer = shorten("\n\n".join(texts_of([outcome])), _SHOWN_CHARS)
    question = outcome.planned.args.get("text")
    if alone or not answer or not isinstance(question, str) or references_in(question):
        return answer
    return f"{visible(question).strip()}\n{answer}"


def texts_of(outcomes: Sequence[TaskOutcome]) -> list[str]:
    """The texts of the results, without those that only repeat an earlier one."""
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    return distinct_texts(visible(a.preview) for result in results for a in result.outputs if a.preview is not None)


def shown_beside(answers: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Those of the texts that are not in an answer, long ones cut."""
    return [shorten(text, _SHOWN_CHARS) for text in texts if not any(text in answer for answer in answers)]


def made(outcomes: Sequence[TaskOutcome]) -> list[str]:
    """The files that were made, one sentence each."""
    return [
        f"{outcome.planned.task} made {address}"
        for outcome in outcomes
        if outcome.result is not None
        for artifact in outcome.result.outputs
        if (address := outcome.files.get(artifact.sha256)) is not None
    ]


def undone(outcomes: Sequence[TaskOutcome]) -> list[str]:
    """What was not done and why, one sentence each."""
    tasks = [f"Not done: {o.planned.name}. {o.error or ''}".rstrip() for o in outcomes if o.result is None]
    elements = [
        f"Not done: element {number} of {o.planned.name}. {item.error}"
        for o in outcomes
        if o.result is not None
        for number, item in enumerate(o.result.items, 1)
        if item.error is not None
    ]
    return tasks + elements
