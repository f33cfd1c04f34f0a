"""The embedded model's answer from results: a sentence or two, and the results themselves."""

from collections.abc import Sequence

from hugginggpt.controller.call import RESPOND
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.answers import (
    QUOTED_CHARS,
    distinct_texts,
    invented,
    question_in,
    quotation,
    tidied,
)
from hugginggpt.controller.passages import condensed
from hugginggpt.controller.prompts import cuttable, render_within, shorten
from hugginggpt.deadline import Deadline
from hugginggpt.results import TaskOutcome
from hugginggpt.text import visible

_ANSWER_TOKENS = 80
_MOST_QUOTABLE = 3
_SHOWN_CHARS = 1500


def answer_from_results(
    controller: Controller, text: str, outcomes: Sequence[TaskOutcome], deadline: Deadline | None
) -> str:
    """A sentence or two from the texts, then the texts themselves, the files made, and what failed.

    Args:
        controller: an embedded controller.
        text: the request.
        outcomes: one per planned task.
        deadline: when the controller has to be done.

    Raises:
        ControllerError: and its subclasses: the controller gives no answer.
    """
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    texts = distinct_texts(visible(a.preview) for result in results for a in result.outputs if a.preview is not None)
    if not texts:
        texts = [
            f"{o.planned.task} made {o.result.outputs[0].type}." for o in outcomes if o.result and o.result.outputs
        ]
    data = {"texts": cuttable(texts), "question": question_in(text), "request": text}
    for name in ("embedded/response", "embedded/response_correction"):
        prompt = render_within(name, controller.context_tokens - _ANSWER_TOKENS, **data)
        answer = tidied(controller.chat(prompt, stage=RESPOND, max_tokens=_ANSWER_TOKENS, deadline=deadline))
        if not invented(answer, [text, *texts]):
            break
    else:
        # The last results are the most likely answer, and a small model tends to pick what comes first.
        quotable = [condensed(given, QUOTED_CHARS) for given in reversed(texts)][:_MOST_QUOTABLE]
        answer = quotation(controller, text, quotable, stage=RESPOND, deadline=deadline)
    found = [shorten(found, _SHOWN_CHARS) for found in texts if found not in answer]
    return "\n\n".join([answer, *found, *_made(outcomes), *_undone(outcomes)])


def _made(outcomes: Sequence[TaskOutcome]) -> list[str]:
    return [
        f"{outcome.planned.task} made {address}"
        for outcome in outcomes
        if outcome.result is not None
        for artifact in outcome.result.outputs
        if (address := outcome.files.get(artifact.sha256)) is not None
    ]


def _undone(outcomes: Sequence[TaskOutcome]) -> list[str]:
    tasks = [f"Not done: {o.planned.name}. {o.error or ''}".rstrip() for o in outcomes if o.result is None]
    elements = [
        f"Not done: element {number} of {o.planned.name}. {item.error}"
        for o in outcomes
        if o.result is not None
        for number, item in enumerate(o.result.items, 1)
        if item.error is not None
    ]
    return tasks + elements
