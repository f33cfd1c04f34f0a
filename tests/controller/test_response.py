from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.client import Controller
from hugginggpt.controller.response import Response, plain_rendering, respond
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerUnavailableError
from hugginggpt.results import TaskOutcome
from tests.controller.samples import WAV, done, failed, invoice_outcomes, picture, text_artifact
from tests.stand_ins.openai_server import OpenAIServer, Reply, broken, cut_off, hangs, out_of_quota, wrong_key

REQUEST = "What is the total of invoice.png? Say it."
TRUE = f"The total is 81.99 EUR; rapidocr read it, and the sound is at {WAV}."


def answer(controller: Controller, outcomes: list[TaskOutcome] | None = None, **changes: Any) -> Response:
    outcomes = invoice_outcomes() if outcomes is None else outcomes
    given: dict[str, Any] = {"text": REQUEST, "deadline": Deadline(60)}
    return respond(controller, outcomes=outcomes, **given | changes)


def test_the_controller_answers_from_the_results(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"respond": TRUE}
    assert answer(controller) == Response(text=TRUE, source="controller")
    said = server.calls[0].text
    assert "Total 81.99 EUR" in said and WAV in said and "espeak-ng" in said and REQUEST in said


@pytest.mark.parametrize(
    "invented",
    [
        "The total is 91.99 EUR.",
        "The total is 81.99 EUR; I saved it as total.txt.",
        "The total is 81.99 EUR; see https://example.com/total.",
        "The total is 81.99 EUR, read by microsoft/trocr-base-printed.",
        "The total is 81.99 EUR; the sound is at [path].",
    ],
)
def test_what_is_invented_is_sent_back_once(server: OpenAIServer, controller: Controller, invented: str) -> None:
    server.script = {"respond": [invented, TRUE]}
    assert answer(controller) == Response(text=TRUE, source="controller")
    assert [call.correction for call in server.calls] == [False, True]
    assert "is nowhere in the data" in server.calls[1].text and invented in server.calls[1].text


def test_then_it_gives_way_to_the_plain_rendering(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"respond": "The total is 91.99 EUR, in /tmp/total.txt."}
    response = answer(controller)
    assert response.source == "plain"
    assert len(server.calls) == 2
    assert "91.99" not in response.text and "Total 81.99 EUR" in response.text and WAV in response.text
    assert response.text.startswith("All tasks were done for: ")
    assert response.problems == (
        "The controller's answer was not used, because it names '/tmp/total.txt', which is not a path that it was "
        "given; it says 91.99, which is not in the results.",
    )


def test_of_many_problems_a_few_are_told(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"respond": "It is 11, 12, 13, 14 or 15."}
    (problem,) = answer(controller).problems
    assert problem.endswith("it says 13, which is not in the results; and 2 further problems.")


def test_the_plain_rendering_counts_what_was_done() -> None:
    first, second = invoice_outcomes()
    assert plain_rendering(REQUEST, [first]).startswith("The task was done for: ")
    rendering = plain_rendering(REQUEST, [first, failed(1, "translation", "No.")])
    assert rendering.startswith("1 of 2 tasks was done for: ")
    assert plain_rendering(REQUEST, [first, second]).startswith("All tasks were done for: ")


@pytest.mark.parametrize(
    "trouble",
    [
        broken(),
        wrong_key(),
        out_of_quota(),
        cut_off(),
        hangs(),
        Reply(error=[1, "two"]),
        Reply(error={"choices": [{"message": {"content": {"text": [{}]}, "tool_calls": 7}}], "usage": "none"}),
        Reply(body=b"\xff\xfe{"),
        Reply(error={"choices": {}, "error": [[[]]]}),
    ],
)
def test_a_controller_that_is_down_gives_way_too(
    server: OpenAIServer, connect: Callable[..., Controller], trouble: Any
) -> None:
    server.script = {"respond": trouble}
    response = answer(connect(controller_retries=0), deadline=Deadline(0.5))
    assert response.source == "plain" and response.problems
    assert "Total 81.99 EUR" in response.text


def test_the_plain_rendering_tells_everything() -> None:
    outcomes = [*invoice_outcomes(), failed(2, "translation", "No model can do translation here.")]
    rendering = plain_rendering(REQUEST, outcomes)
    assert rendering.startswith("2 of 3 tasks were done")
    for part in (
        "Total 81.99 EUR",
        "rapidocr",
        "espeak-ng",
        WAV,
        "2 · translation: failed. No model can do translation",
    ):
        assert part in rendering
    assert rendering == plain_rendering(REQUEST, outcomes)


def test_the_plain_rendering_of_nothing_says_why() -> None:
    rendering = plain_rendering(REQUEST, [failed(0, "image-to-text", "No text was found in the picture.")])
    assert rendering == "Not done: the text. No text was found in the picture."


def test_a_failed_task_is_told_to_the_controller(server: OpenAIServer, controller: Controller) -> None:
    answer(controller, [*invoice_outcomes(), failed(2, "translation", "The model is gone.")])
    assert "The model is gone." in server.calls[0].text


def test_things_may_be_counted(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"respond": "There are 3 cats and 1 dog; 4 animals in all."}
    seen = done(0, "object-detection", text_artifact("cat 0.99, cat 0.98, dog 0.97, cat 0.91", ValueType.STRUCTURED))
    assert answer(controller, [seen]).problems == (
        "The controller's answer was not used, because it says 4, which is not in the results.",
    )
    server.script = {"respond": "There are 3 cats and 1 dog."}
    assert answer(controller, [seen]).source == "controller"


def test_the_requests_own_files_and_numbers_may_be_named(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"respond": "With 15 percent of tip, cat.png shows no more than before."}
    text = "Add 15 percent to the total."
    assert answer(controller, text=text, resources=[picture("cat.png")]).source == "controller"


def test_long_results_are_cut_to_the_budget(server: OpenAIServer, connect: Callable[..., Controller]) -> None:
    long = done(0, "image-to-text", text_artifact("Line of the page. " * 3000 + "Total 81.99 EUR"))
    server.script = {"respond": "The total is 81.99 EUR."}
    assert answer(connect(controller_context_tokens=2048), [long]).source == "controller"
    assert "[…]" in server.calls[0].text and "Total 81.99 EUR" in server.calls[0].text
    assert len(server.calls[0].text) / 3.5 < 2048


def test_an_empty_plan_is_answered_directly_and_numbers_are_free(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"answer": "It was 1969."}
    history = [SimpleNamespace(text="Hello", response="Good day")]
    response = respond(controller, text="When was that?", outcomes=[], deadline=None, history=history)
    assert response == Response(text="It was 1969.", source="controller")
    assert "Good day" in server.calls[0].text


def test_a_direct_answer_invents_no_files_either(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"answer": ["I saved it as cat.png.", "I cannot draw."]}
    response = respond(controller, text="Draw a cat.", outcomes=[], deadline=None)
    assert response.text == "I cannot draw." and len(server.calls) == 2

    server.script = {"answer": "I saved it as cat.png."}
    response = respond(controller, text="Draw a cat.", outcomes=[], deadline=None)
    assert response.source == "plain" and "cat.png" in response.problems[0]


def test_a_direct_answer_needs_the_controller(server: OpenAIServer, connect: Callable[..., Controller]) -> None:
    server.script = {"answer": broken()}
    with pytest.raises(ControllerUnavailableError):
        respond(connect(controller_retries=0), text="Hello", outcomes=[], deadline=None)
