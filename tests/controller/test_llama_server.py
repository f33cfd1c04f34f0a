"""The `openai` client against a real server: llama.cpp's own, with the embedded model and a short context."""

import contextlib
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from hugginggpt.controller.call import ControllerCall
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded import server as embedded
from hugginggpt.controller.planning import Checks, plan_request
from hugginggpt.controller.prompts import render
from hugginggpt.controller.response import respond
from hugginggpt.controller.selection import choose_model
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, PlanError
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.settings import Settings
from tests.controller.samples import INVOICE, candidate, done, picture, text_artifact

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    """A controller over HTTP whose server is llama.cpp's."""
    address = embedded.start(Settings())
    settings = Settings(
        openai_base_url=address.base_url,
        openai_api_key=SecretStr(address.key),
        controller_model="smollm2",
        controller_context_tokens=2048,
        price_per_million_completion_tokens=1.0,
    )
    controller = Controller.from_settings(settings)
    yield controller
    controller.close()


def test_it_plans_within_the_schema(controller: Controller) -> None:
    calls: list[ControllerCall] = []
    try:
        plan = plan_request(
            controller.recording(calls.append),
            text="Read the text on this invoice.",
            resources=[picture("invoice.png")],
            history=(),
            kinds=("image-to-text", "text-to-speech"),
            deadline=Deadline(120),
            checks=Checks(),
        )
    except PlanError as error:
        # A model this small may not get it right; whatever it writes is a plan or a sentence.
        assert error.problems
    else:
        assert isinstance(plan, Plan) and {task.task for task in plan.tasks} <= {"image-to-text", "text-to-speech"}
    assert all(call.error is None and call.prompt_tokens and call.completion_tokens for call in calls)
    assert not any(call.estimated for call in calls)


def test_it_chooses_among_the_candidates(controller: Controller) -> None:
    task = PlannedTask(task="text-classification", id=0, args={"text": "What a day!"})
    found = [candidate("org/first"), candidate("org/second")]
    choice = choose_model(
        controller, request="?", task=task, candidates=found, top_k=2, fallbacks=1, deadline=Deadline(120)
    )
    assert choice.chosen_by == "controller" and choice.chosen.card.id in ("org/first", "org/second")


def test_it_answers_or_the_results_are_listed(controller: Controller) -> None:
    outcomes = [done(0, "image-to-text", text_artifact(INVOICE))]
    made = respond(controller, text="What is the total?", outcomes=outcomes, deadline=Deadline(120))
    assert made.source in ("controller", "plain") and made.text
    assert made.source == "controller" or made.problems


def test_a_context_that_is_too_short_is_named(controller: Controller) -> None:
    text = "A long story. " * 2000
    with pytest.raises(ControllerError, match=r"longer than the context of smollm2.*CONTROLLER_CONTEXT_TOKENS"):
        controller.chat(render("conversational", text=text), stage="conversational", max_tokens=20)


def test_a_wrong_key_is_named(controller: Controller) -> None:
    settings = controller.settings.model_copy(update={"openai_api_key": SecretStr("sk-wrong-key-123456")})
    stranger = Controller.from_settings(settings)
    with contextlib.closing(stranger), pytest.raises(ControllerError, match="OPENAI_API_KEY"):
        stranger.check()
