"""The embedded model's answer from results: a sentence or two, and the results themselves."""

from collections.abc import Sequence

from hugginggpt.controller.call import RESPOND
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.answers import (
    QUOTED_CHARS,
    invented,
    questions_in,
    quotation,
    tidied,
)
from hugginggpt.controller.embedded.word_for_word import made, shown_beside, texts_of, undone
from hugginggpt.controller.passages import condensed
from hugginggpt.controller.prompts import cuttable, render_within
from hugginggpt.deadline import Deadline
from hugginggpt.results import TaskOutcome

_ANSWER_TOKENS = 80
_MOST_QUOTABLE = 3


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
    texts = texts_of(outcomes)
    if not texts:
        texts = [
            f"{o.planned.task} made {o.result.outputs[0].type}." for o in outcomes if o.result and o.result.outputs
        ]
    data = {"texts": cuttable(texts), "question": " ".join(questions_in(text)), "request": text}
    for name in ("embedded/response", "embedded/response_correction"):
        prompt = render_within(name, controller.context_tokens - _ANSWER_TOKENS, **data)
        answer = tidied(controller.chat(prompt, stage=RESPOND, max_tokens=_ANSWER_TOKENS, deadline=deadline))
        if not invented(answer, [text, *texts]):
            break
    else:
        # The last results are the most likely answer, and a small model tends to pick what comes first.
        quotable = [condensed(given, QUOTED_CHARS) for given in reversed(texts)][:_MOST_QUOTABLE]
        answer = quotation(controller, text, quotable, stage=RESPOND, deadline=deadline)
    return "\n\n".join([answer, *shown_beside([answer], texts), *made(outcomes), *undone(outcomes)])
