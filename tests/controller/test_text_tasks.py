"""The text kinds by the controller, through the expert interface."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.call import ControllerCall
from hugginggpt.controller.client import Controller
from hugginggpt.controller.text_tasks import checked_answer
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ExpertUnavailableError
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.controller import EXPERTS
from hugginggpt.media import Text
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings
from tests.stand_ins.openai_server import OpenAIServer, RecordedCall, broken, hangs, wrong_key

BY_KIND = {expert.kind: expert for expert in EXPERTS}


def run(kind: str, controller: Controller, deadline: Deadline | None = None, **inputs: Any) -> str:
    expert = BY_KIND[kind]
    context = ExpertContext(Settings(), lambda: controller)
    card = ModelCard(id="controller", kind=kind, runs_on=(Endpoint.CONTROLLER,))
    model = expert.for_request(expert.load(card, context), context)
    given = {name: Text(value) if isinstance(value, str) else value for name, value in inputs.items()}
    (output,) = expert.render(expert.run(model, expert.prepare(given), deadline or Deadline(60)), given)
    assert isinstance(output, Text)
    return output.text


def test_the_six_text_kinds() -> None:
    assert set(BY_KIND) == {
        "summarization",
        "translation",
        "question-answering",
        "conversational",
        "text-generation",
        "text2text-generation",
    }
    for expert in EXPERTS:
        assert expert.endpoint is Endpoint.CONTROLLER
        assert [output.value for output in CAPABILITIES[expert.kind].outputs] == ["text"]


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_each_asks_with_its_own_prompt(server: OpenAIServer, controller: Controller, kind: str) -> None:
    calls: list[ControllerCall] = []
    server.script = {kind: "The result."}
    recorded = controller.recording(calls.append)
    assert run(kind, recorded, text="Some words.", seed=3, max_new_tokens=77, temperature=0.5) == "The result."
    assert [(call.stage, call.prompt_name) for call in calls] == [(kind, kind)]
    request = server.calls[0].request
    assert (request["seed"], request["max_tokens"], request["temperature"]) == (3, 77, 0.5)
    assert "Some words." in server.calls[0].text


def test_a_translation_names_its_languages(server: OpenAIServer, controller: Controller) -> None:
    run("translation", controller, text="Hello", target_language="French", source_language="English")
    assert "from English into French" in server.calls[0].text


def test_a_long_text_is_summarised_in_parts_and_merged(
    server: OpenAIServer, connect: Callable[..., Controller]
) -> None:
    parts = [f"Paragraph {n} says something of its own. " * 10 for n in range(12)]

    def summary(call: RecordedCall) -> str:
        return "The whole." if "summaries of the parts" in call.text else "A part."

    server.script = {"summarization": summary}
    assert run("summarization", connect(controller_context_tokens=1024), text="\n\n".join(parts)) == "The whole."
    asked = [call.text for call in server.calls]
    assert len(asked) > 2
    for part in parts:
        assert any(part.strip() in text for text in asked)
    assert asked[-1].count("A part.") == len(asked) - 1
    assert all(len(text) / 3.5 < 1024 for text in asked)


def test_a_long_text_is_translated_in_parts_and_loses_nothing(
    server: OpenAIServer, connect: Callable[..., Controller]
) -> None:
    parts = [f"Paragraph {n}. " + "word " * 100 for n in range(8)]
    server.script = {"translation": lambda call: call.request["messages"][-1]["content"].split("English:")[1].strip()}
    translated = run("translation", connect(controller_context_tokens=1024), text="\n\n".join(parts))
    assert translated.split() == " ".join(parts).split()
    assert len(server.calls) > 1


def test_a_question_over_a_long_text_sees_what_it_is_about(
    server: OpenAIServer, connect: Callable[..., Controller]
) -> None:
    filler = "The weather in the valley was mild and the harvest was good. " * 60
    context = f"{filler}\n\nThe lighthouse keeper was called Marisol Vega.\n\n{filler}"
    controller = connect(controller_context_tokens=1024)
    run("question-answering", controller, text="What was the lighthouse keeper called?", context=context)
    said = server.calls[0].text
    assert "Marisol Vega" in said and "[…]" in said
    assert len(said) / 3.5 < 1024


def test_a_question_without_a_text_is_answered_directly(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"question-answering": "Paris."}
    assert run("question-answering", controller, text="What is the capital of France?") == "Paris."
    assert "Text:" not in server.calls[0].text


LETTER = """NORTHWIND WATER
Bill to: Jane Roe
Total due: $ 363.40
There is no hot water on Tuesday. Dr. Low repairs it."""


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is the total due?", '"Total due: $ 363.40"'),
        ("Who repairs the water?", '"Dr. Low repairs it."'),
        ("What\u2019s due?", '"Total due: $ 363.40"'),
        ("What is the phone number?", "The text does not say."),
        ("Who is it?", "The text does not say."),
    ],
)
def test_without_a_reader_a_line_takes_the_place_of_what_is_invented(question: str, said: str) -> None:
    controller = Controller.from_settings(Settings(embedded_reader=Path("none")))
    for written in ("It was 9,417 wonderful planets beyond our galaxy.", ""):
        assert checked_answer(controller, written, question, LETTER) == said
    controller.close()


@pytest.mark.parametrize("kind", ["conversational", "text-generation", "text2text-generation"])
def test_an_embedded_model_that_goes_in_circles_fails(
    server: OpenAIServer, connect: Callable[..., Controller], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    server.script = {kind: "The cat sat on the mat. " * 20}
    large = connect()
    assert run(kind, large, text="Write about a cat.").startswith("The cat")
    monkeypatch.setattr(Controller, "is_embedded", True)
    with pytest.raises(ExpertError, match="only repeated itself"):
        run(kind, large, text="Write about a cat.")


def test_what_is_too_long_to_be_cut_is_refused(connect: Callable[..., Controller]) -> None:
    with pytest.raises(ExpertError, match="CONTEXT_TOKENS"):
        run("text-generation", connect(controller_context_tokens=512), text="word " * 2000)


def test_an_empty_text_is_refused(controller: Controller) -> None:
    with pytest.raises(ExpertError, match="empty"):
        run("summarization", controller, text="  \n")


@pytest.mark.parametrize(("trouble", "error"), [(broken(), ExpertUnavailableError), (wrong_key(), ExpertError)])
def test_the_controllers_troubles_are_an_experts(
    server: OpenAIServer, connect: Callable[..., Controller], trouble: Any, error: type[Exception]
) -> None:
    server.script = {"summarization": trouble}
    with pytest.raises(error):
        run("summarization", connect(controller_retries=0), text="Words.")


def test_the_deadline_holds(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"summarization": hangs()}
    with pytest.raises(DeadlineExceededError):
        run("summarization", controller, Deadline(0.3), text="Words.")
