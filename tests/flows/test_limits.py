"""A request stops when it is cancelled, when its time is over, and when it has cost what it may."""

import threading
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from flows.answer import answer_request
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace
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
    controller: OpenAIServer, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.script = {"summarization": "Edges.", "respond": "They are edges."}
    refused = answer_request(
        "Do", [str(photo)], options=RequestOptions(plan=PLAN, max_cost=0.01), request_id="unpriced", return_state=True
    )
    assert refused.is_failed()
    assert "HUGGINGGPT_PRICE_PER_MILLION_PROMPT_TOKENS" in (get_trace().request("unpriced").error or "")

    from hugginggpt.services import reset

    monkeypatch.setenv("HUGGINGGPT_PRICE_PER_MILLION_PROMPT_TOKENS", "100")
    reset()
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
