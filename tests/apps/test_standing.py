"""How a running request stands, in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.http.standing import headline
from hugginggpt.controller_name import ControllerName
from hugginggpt.plan import Plan
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.trace.story import CallTrace, Life, RequestTrace, TaskTrace

NOW = datetime.now(UTC)


def call(stage: str, error: str | None = None, life: int = 1) -> CallTrace:
    return CallTrace.model_construct(stage=stage, life=life, error=error, started_at=NOW)


def story(*calls: CallTrace, tasks: list[TaskStatus] | None = None, server: str = "http://llm", **more: Any) -> Any:
    controller = ControllerName(model="m", server=server)
    ended = NOW - timedelta(seconds=1)
    planned = [TaskTrace.model_construct(status=status, replaced=False, ended_at=ended) for status in tasks or ()]
    known = {"options": {}, "earlier_plans": (), "created_at": ended} | more
    return RequestTrace.model_construct(
        status=RequestStatus.RUNNING,
        lives=(Life.model_construct(controller=controller),),
        plan=Plan() if tasks is not None else None,
        tasks=tuple(planned),
        controller_calls=calls,
        **known,
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, ""),
        ("no answer within 8 seconds", ": trying again, because there was no answer within 8 seconds"),
        ("the answer is empty", ": trying again, because the answer is empty"),
        ("its thoughts reached the token limit", ": trying again, because its thoughts reached the token limit"),
        ("HTTP 500: Internal error", ": trying again, because the controller's server said 'Internal error'"),
        ("HTTP 503", ": trying again, because of an answer with HTTP 503"),
        ("[Errno 111] Connection refused", ": trying again, after this: [Errno 111] Connection refused"),
        ("broken off: The request was not answered within its 6 seconds: raise its deadline.", ""),
        ("broken off: TerminationSignal", ""),
    ],
)
def test_only_what_the_server_said_is_quoted(error: str | None, said: str) -> None:
    assert headline(story(call("plan", error))) == f"Planning{said}"
    done = [TaskStatus.COMPLETED]
    assert headline(story(call("respond", error), tasks=done)) == f"Writing the answer{said}"


def test_only_the_calls_of_a_stage_are_its_troubles() -> None:
    done = [TaskStatus.COMPLETED]
    assert headline(story(call("summarization", "the answer is empty"), tasks=done)) == "Writing the answer"
    assert headline(story(call("plan", "the answer is empty", life=0))) == "Planning"


def test_what_is_missing_is_planned_before_the_answer_is_written() -> None:
    failed = [TaskStatus.COMPLETED, TaskStatus.FAILED]
    planning = "Planning what is missing"
    assert headline(story(call("plan"), tasks=failed)) == planning
    late = call("replan", "no answer within 8 seconds")
    assert (
        headline(story(late, tasks=failed)) == f"{planning}: trying again, because there was no answer within 8 seconds"
    )
    refused = call("replan", "no further plan: The controller plans nothing more.")
    assert headline(story(refused, tasks=failed)) == "Writing the answer"
    assert headline(story(tasks=[TaskStatus.COMPLETED, TaskStatus.SKIPPED])) == "Writing the answer"
    assert headline(story(tasks=failed, server="embedded")) == "Writing the answer"
    assert headline(story(tasks=failed, options={"plan": []})) == "Writing the answer"
    assert headline(story(tasks=failed, earlier_plans=(Plan(), Plan()))) == "Writing the answer"
    assert headline(story(tasks=[*failed, TaskStatus.PLANNED])) == "Working"
