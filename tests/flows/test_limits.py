"""A request stops when it is cancelled, when its time is over, and when it has cost what it may."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import ParameterTypeError

from flows.answer import answer_request
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace, reset
from hugginggpt.trace.story import StoryStatus, TaskStage
from tests.flows.conftest import Answer
from tests.servers import wait_until
from tests.stand_ins.openai_server import OpenAIServer, hangs

PLAN: list[dict[str, Any]] = [
    {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}},
    {"task": "summarization", "id": 1, "dep": [-1], "args": {"text": "A long story about edges."}},
]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that hangs is ended by nothing else."""
    monkeypatch.setenv("HUGGINGGPT_CONTROLLER_TIMEOUT", "3600")


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have calls to the controller cost something, from then on."""

    def price() -> None:
        monkeypatch.setenv("HUGGINGGPT_PRICE_PER_MILLION_PROMPT_TOKENS", "100")
        reset()

    return price


def test_cancelling_stops_a_request_at_work(controller: OpenAIServer, photo: Path) -> None:
    controller.script = {"summarization": hangs()}
    states: list[State[Any]] = []

    def run() -> None:
        options = RequestOptions(plan=PLAN)
        states.append(answer_request("Do", [str(photo)], options=options, request_id="stop", return_state=True))

    get_trace()
    flow = threading.Thread(target=run)
    flow.start()
    wait_until(lambda: "summarization" in controller.stages() and 0 in get_trace().results("stop"))
    assert get_trace().cancel_request("stop", "Cancelled by ada.")
    flow.join(timeout=200)
    assert not flow.is_alive()
    assert states[0].is_cancelled() and states[0].message == "Cancelled by ada."
    story = get_trace().request("stop")
    assert story.status is StoryStatus.CANCELLED
    assert [task.status for task in story.tasks] == [TaskStage.COMPLETED, TaskStage.SKIPPED]
    assert "respond" not in controller.stages()

    # What had finished is kept: going on from there runs only the rest.
    controller.script = {"summarization": "Edges.", "respond": "They are edges."}
    get_trace().reopen_request("stop")
    assert answer_request("", request_id="stop", return_state=True).is_completed()
    story = get_trace().request("stop")
    assert [life.ending for life in story.lives] == ["cancelled", "finished"]
    assert [attempt.life for attempt in story.tasks[0].attempts] == [1]


def test_over_its_deadline_it_is_answered_with_what_is_there(
    controller: OpenAIServer, photo: Path, answer: Answer
) -> None:
    controller.script = {"summarization": hangs()}
    state = answer_request(
        "Do",
        [str(photo)],
        options=RequestOptions(plan=PLAN, deadline=3.0),
        request_id="late",
        return_state=True,
    )
    assert state.name == "Partial"
    story = get_trace().request("late")
    assert story.status is StoryStatus.PARTIAL
    assert [task.status for task in story.tasks] == [TaskStage.COMPLETED, TaskStage.FAILED]
    assert story.tasks[1].error == "The request was not answered within its 3 seconds."
    assert story.response_source == "plain"
    assert "respond" not in controller.stages()


def test_what_has_cost_its_ceiling_costs_no_more(
    controller: OpenAIServer, photo: Path, priced: Callable[[], None]
) -> None:
    controller.script = {"summarization": "Edges.", "respond": "They are edges."}
    refused = answer_request(
        "Do", [str(photo)], options=RequestOptions(plan=PLAN, max_cost=0.01), request_id="unpriced", return_state=True
    )
    assert refused.is_failed()
    assert "HUGGINGGPT_PRICE_PER_MILLION_PROMPT_TOKENS" in (get_trace().request("unpriced").error or "")

    priced()
    plenty = answer_request(
        "Do", [str(photo)], options=RequestOptions(plan=PLAN, max_cost=100), request_id="rich", return_state=True
    )
    assert plenty.name == "Completed"
    cost = get_trace().budget("rich").spent
    assert cost > 0

    calls = len(controller.stages())
    scarce = answer_request(
        "Do",
        [str(photo)],
        options=RequestOptions(plan=PLAN, max_cost=1e-6, fresh=True),
        request_id="poor",
        return_state=True,
    )
    assert scarce.name == "Partial"
    story = get_trace().request("poor")
    assert story.status == RequestStatus.PARTIAL and story.response_source == "plain"
    assert story.error is not None and "US dollars of the 0.000001 that it may" in story.error
    assert story.totals.controller_calls < get_trace().request("rich").totals.controller_calls
    assert len(controller.stages()) - calls == story.totals.controller_calls


def test_nothing_is_paid_for_that_may_cost_nothing(
    controller: OpenAIServer, photo: Path, priced: Callable[[], None]
) -> None:
    priced()
    state = answer_request(
        "Do", [str(photo)], options=RequestOptions(plan=PLAN, max_cost=0), request_id="nothing", return_state=True
    )
    assert state.name == "Partial"
    assert controller.calls == []
    story = get_trace().request("nothing")
    assert [task.status for task in story.tasks] == [TaskStage.COMPLETED, TaskStage.FAILED]


def test_calls_that_wait_for_their_turn_see_what_those_before_them_have_cost(
    controller: OpenAIServer, priced: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUGGINGGPT_CONTROLLER_CONCURRENCY", "1")
    priced()

    def slow(call: object) -> str:
        time.sleep(1)
        return "Edges."

    controller.script = {"summarization": slow}
    plan = [
        {"task": "summarization", "id": number, "dep": [-1], "args": {"text": f"A long story, part {number}."}}
        for number in range(3)
    ]
    state = answer_request(
        "Do", options=RequestOptions(plan=plan, max_cost=1e-6), request_id="scarce", return_state=True
    )
    assert state.name == "Partial"
    assert controller.stages() == ["summarization"]


def test_options_that_nobody_knows_are_refused(photo: Path) -> None:
    with pytest.raises(ParameterTypeError, match="max_costs"):
        answer_request("Do", [str(photo)], options={"plan": PLAN, "max_costs": 0.01}, request_id="misspelt")
    assert get_trace().requests() == []
    # What an older or a newer version wrote is read all the same.
    get_trace().queue_request(
        text="Do", resources=[], conversation_id=None, options={"plan": PLAN[1:], "gone": 1}, request_id="kept"
    )
    assert answer_request("", request_id="kept", return_state=True).is_completed()
