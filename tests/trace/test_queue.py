"""Requests in line: put there, claimed, begun, cancelled, given up."""

import threading
import time
from typing import Any

import pytest

from hugginggpt.costs import Budget
from hugginggpt.errors import RequestClosedError, RequestIdError, TraceError
from hugginggpt.resource import Resource
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.trace.queue import DISK_FULL, MOST_LIVES, MOST_STARTS
from hugginggpt.trace.sameness import SHOWN_CHARS
from hugginggpt.trace.store import Trace
from hugginggpt.trace.story import AskedRequest
from tests.trace.samples import INVOICE, artifact, begin, call, candidate, choice, finish, planned, result, run_of

CONTRACT = Resource(name="contract.txt", artifact=artifact("We agree."), source="/home/ada/contract.txt")


def put(trace: Trace, request_id: str, **changes: Any) -> bool:
    values: dict[str, Any] = {
        "text": "What is the total?",
        "resources": [INVOICE],
        "conversation_id": None,
        "options": {"fresh": True},
    }
    values |= changes
    asked = AskedRequest(request_id=request_id, **{n: values.pop(n) for n in AskedRequest.model_fields if n in values})
    return trace.queue.put(asked, **values)


def claimed(trace: Trace, seconds: float = 60.0, limit: int = 10) -> list[str]:
    return [waiting.request_id for waiting in trace.queue.claim("me", seconds, limit)]


def test_a_request_in_line_is_begun_as_it_was_put_there(trace: Trace) -> None:
    assert put(trace, "first")
    assert trace.requests.get("first").status is RequestStatus.QUEUED
    assert [r.status for r in trace.requests.latest()] == [RequestStatus.QUEUED]

    opened = begin(trace, request_id="first", text="", resources=[], options={}, flow_run_id="flow")

    assert (opened.text, opened.resources, opened.options) == ("What is the total?", (INVOICE,), {"fresh": True})
    assert (opened.life, opened.status, opened.known) == (1, RequestStatus.RUNNING, True)
    assert claimed(trace) == []


def test_putting_it_in_line_twice_is_doing_so_once(trace: Trace) -> None:
    assert put(trace, "first")
    assert not put(trace, "first")
    assert len(trace.requests.latest()) == 1
    begin(trace, request_id="first")
    assert not put(trace, "first")


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "Something else"},
        {"text": "What is"},
        {"resources": [CONTRACT]},
        {"resources": [INVOICE, CONTRACT]},
        {"options": {"plan": [{"task": "image-to-text", "id": 0}]}},
    ],
)
def test_the_id_of_another_request_is_refused(trace: Trace, changes: dict[str, Any]) -> None:
    put(trace, "first")
    opened = begin(trace, request_id="first", holder="elsewhere:1:0.0", lease_seconds=0.01)
    # What the plan turned out to name was not asked with it.
    run_of(trace, opened.request_id).record_resources([CONTRACT])
    time.sleep(0.02)
    with pytest.raises(RequestIdError, match="id first belongs to a different request"):
        put(trace, "first", **changes)
    with pytest.raises(RequestIdError, match="id first belongs to a different request"):
        begin(trace, request_id="first", **changes)
    assert not put(trace, "first")
    assert trace.requests.get("first").lives[-1].life == 1


def test_submitting_without_its_files_is_another_request_and_resuming_is_not(trace: Trace) -> None:
    text = "What is the total? " * 100
    put(trace, "long", text=text)
    with pytest.raises(RequestIdError, match="id long belongs to a different request"):
        put(trace, "long", text=text, resources=[])
    for life, told in enumerate(["", text, text[:SHOWN_CHARS]], 1):
        opened = begin(
            trace, request_id="long", text=told, resources=[], options={}, holder="elsewhere:1:0.0", lease_seconds=0.01
        )
        assert (opened.life, opened.text, opened.resources) == (life, text, (INVOICE,))
        time.sleep(0.02)
    with pytest.raises(RequestIdError, match="id long belongs to a different request"):
        begin(trace, request_id="long", text=text[:20], resources=[])


def test_a_claim_holds_until_it_runs_out_and_the_new_come_first(trace: Trace) -> None:
    for name in ("a", "b", "c"):
        put(trace, name)
    assert claimed(trace, seconds=0.2, limit=2) == ["a", "b"]
    assert claimed(trace, seconds=0.2, limit=2) == ["c"]
    assert claimed(trace) == []
    put(trace, "d")
    time.sleep(0.25)
    assert claimed(trace) == ["d", "a", "b", "c"]


def test_of_many_who_claim_at_once_nobody_takes_what_another_has(trace: Trace) -> None:
    names = {f"r{n}" for n in range(60)}
    for name in names:
        put(trace, name)
    taken: list[str] = []

    def take() -> None:
        while got := claimed(trace, limit=3):
            taken.extend(got)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Who finds all that is left looked at by others goes home; what they did not get is still there.
    taken += claimed(trace, limit=100)
    assert sorted(taken) == sorted(names)


def test_what_a_dead_process_left_is_claimed_again_only_if_it_was_in_line(trace: Trace) -> None:
    put(trace, "queued")
    begin(trace, request_id="queued", lease_seconds=0.1, flow_run_id="flow-1", holder="elsewhere:1:0.0")
    begin(trace, request_id="asked", lease_seconds=0.1, holder="elsewhere:1:0.0")
    begin(trace, request_id="deployed", lease_seconds=0.1, holder="elsewhere:1:0.0", queued=True)
    time.sleep(0.15)
    found = trace.queue.claim("me", 60, 10)
    assert {(w.request_id, w.life, w.flow_run_id) for w in found} == {
        ("queued", 1, "flow-1"),
        ("deployed", 1, None),
    }
    assert begin(trace, request_id="queued").life == 2


def test_what_kills_every_process_is_given_up(trace: Trace) -> None:
    put(trace, "poison")
    for life in range(1, MOST_LIVES + 1):
        assert begin(trace, request_id="poison", lease_seconds=0.01, holder="elsewhere:1:0.0").life == life
        time.sleep(0.02)
    assert claimed(trace) == []
    story = trace.requests.get("poison")
    assert story.status is RequestStatus.FAILED
    assert story.error == f"Its process died {MOST_LIVES} times, so it is not tried again."
    assert story.lives[-1].ending == "died"


def test_what_finds_the_disk_full_is_not_given_up_but_begun_ever_more_slowly(trace: Trace) -> None:
    put(trace, "large")
    for life in range(1, MOST_LIVES + 2):
        assert begin(trace, request_id="large", flow_run_id=f"flow-{life}", holder="elsewhere:1:0.0").life == life
        assert trace.lifecycle.release_flow_run(f"flow-{life}", ending=DISK_FULL, error="There is no space left.")
    assert claimed(trace, seconds=0.02) == ["large"]
    time.sleep(0.1)
    assert claimed(trace) == []
    time.sleep(0.7)
    assert claimed(trace) == ["large"]
    assert trace.requests.get("large").status is RequestStatus.DIED


def test_runs_that_never_begin_their_request_come_ever_more_slowly_and_then_no_more(trace: Trace) -> None:
    put(trace, "unlucky")
    assert trace.queue.starts("unlucky") == 1
    assert claimed(trace, seconds=0.2) == ["unlucky"]
    for over in (1, 2):
        assert trace.queue.start_again("unlucky", over, "The cluster is away.") == over + 1
    assert trace.queue.start_again("unlucky", 1, "The cluster is away.") == 3  # who comes late counts no further
    time.sleep(0.25)
    assert claimed(trace, seconds=0.2) == ["unlucky"]
    time.sleep(0.25)
    assert claimed(trace) == []
    time.sleep(0.6)
    assert claimed(trace) == ["unlucky"]
    for over in range(3, MOST_STARTS):
        assert trace.queue.start_again("unlucky", over, "The cluster is away.") == over + 1
    with pytest.raises(RequestClosedError, match="The cluster is away"):
        trace.queue.start_again("unlucky", MOST_STARTS, "The cluster is away.")
    story = trace.requests.get("unlucky")
    assert (story.status, story.error) == (
        RequestStatus.FAILED,
        f"{MOST_STARTS} flow runs ended before they began it, so no other is started; "
        "the last one said: The cluster is away.",
    )
    with pytest.raises(RequestClosedError, match="has ended"):
        trace.queue.start_again("unlucky", MOST_STARTS, "The cluster is away.")
    with pytest.raises(TraceError, match="no request 'nobody'"):
        trace.queue.starts("nobody")


def test_what_is_begun_is_claimed_as_soon_as_its_process_died_however_long_the_claim_was(trace: Trace) -> None:
    put(trace, "begun")
    assert claimed(trace, seconds=3600) == ["begun"]
    begin(trace, request_id="begun", holder="elsewhere:1:0.0")
    assert claimed(trace) == []
    trace.lifecycle.renew_lease("begun", "elsewhere:1:0.0", -1.0)
    assert claimed(trace) == ["begun"]


def test_cancelling_ends_a_request_wherever_it_stands(trace: Trace) -> None:
    put(trace, "waiting")
    opened = planned(trace, request_id="working")
    done = planned(trace, request_id="done")
    finish(
        trace,
        done.request_id,
        status=RequestStatus.COMPLETED,
        response="12",
        response_source="plain",
    )

    assert trace.lifecycle.cancel("waiting")
    assert trace.lifecycle.cancel("working", "Cancelled by ada.")
    assert not trace.lifecycle.cancel("working")
    assert not trace.lifecycle.cancel("done")
    with pytest.raises(TraceError, match="no request 'nobody'"):
        trace.lifecycle.cancel("nobody")

    assert claimed(trace) == []
    assert trace.requests.get("waiting").status is RequestStatus.CANCELLED
    story = trace.requests.get("working")
    assert (story.status, story.error, story.lives[0].ending) == (
        RequestStatus.CANCELLED,
        "Cancelled by ada.",
        "cancelled",
    )
    assert {task.status for task in story.tasks} == {TaskStatus.SKIPPED}
    assert run_of(trace, "done").status() is RequestStatus.COMPLETED
    with pytest.raises(TraceError, match="finished"):
        run_of(trace, "working", opened.life).record_no_result(0, TaskStatus.FAILED, "late")
    assert begin(trace, request_id="working").status is RequestStatus.CANCELLED


def test_a_cancelled_request_can_be_opened_again(trace: Trace) -> None:
    put(trace, "waiting")
    planned(trace, request_id="working")
    for name in ("waiting", "working"):
        trace.lifecycle.cancel(name)
        trace.lifecycle.reopen(name)
    assert (trace.requests.get("waiting").status, trace.requests.get("working").status) == (
        RequestStatus.QUEUED,
        RequestStatus.DIED,
    )
    assert begin(trace, request_id="waiting").life == 1
    assert begin(trace, request_id="working").life == 2
    assert trace.requests.get("working").error is None


def test_the_tasks_that_cancelling_ended_are_planned_again(trace: Trace) -> None:
    planned(trace, request_id="mine")
    run_of(trace, "mine").record_result(result(0))
    run_of(trace, "mine").record_choices({1: choice()})
    run_of(trace, "mine", 1).start_attempt(1, candidate(), run_count=1)
    run_of(trace, "mine").record_no_result(2, TaskStatus.SKIPPED, "It needs the result of task 1, which failed.")
    trace.lifecycle.cancel("mine")

    story = trace.requests.get("mine")
    assert [task.status for task in story.tasks] == [TaskStatus.COMPLETED, TaskStatus.SKIPPED, TaskStatus.SKIPPED]
    assert story.tasks[1].error == "The request was cancelled before this task was done."
    attempt = story.tasks[1].attempts[0]
    assert (attempt.status, attempt.error) == ("interrupted", "The request was cancelled before this attempt ended.")

    trace.lifecycle.reopen("mine")
    begin(trace, request_id="mine")
    tasks = trace.requests.get("mine").tasks
    assert [(task.status, task.error) for task in tasks] == [
        (TaskStatus.COMPLETED, None),
        (TaskStatus.PLANNED, None),
        (TaskStatus.SKIPPED, "It needs the result of task 1, which failed."),
    ]


def test_a_cancelled_flow_run_cancels_its_request(trace: Trace) -> None:
    put(trace, "mine")
    begin(trace, request_id="mine", flow_run_id="flow")
    assert trace.lifecycle.release_flow_run("flow", ending="cancelled", error="Cancelled by the user.")
    story = trace.requests.get("mine")
    assert (story.status, story.error, story.lives[0].ending) == (
        RequestStatus.CANCELLED,
        "Cancelled by the user.",
        "cancelled",
    )
    assert claimed(trace) == []


def test_which_lives_are_over(trace: Trace) -> None:
    begin(trace, request_id="goes-on")
    begin(trace, request_id="late", options={"deadline": 0.05})
    begin(trace, request_id="cancelled")
    trace.lifecycle.cancel("cancelled")
    begin(trace, request_id="taken", lease_seconds=0.01, holder="elsewhere:1:0.0")
    time.sleep(0.1)
    begin(trace, request_id="taken")
    lives = [("goes-on", 1), ("late", 1), ("cancelled", 1), ("taken", 1), ("taken", 2), ("unknown", 1)]
    assert trace.lifecycle.lives_over(lives) == {
        ("late", 1): "The request was not answered within its 0.05 seconds: raise its deadline.",
        ("cancelled", 1): "The request was cancelled.",
        ("taken", 1): "Its process no longer works on the request.",
    }


def test_a_request_has_its_time_once_whatever_happens_to_its_process(trace: Trace) -> None:
    dying: dict[str, Any] = {"lease_seconds": 0.01, "holder": "elsewhere:1:0.0"}
    begin(trace, request_id="late", options={"deadline": 3}, **dying)
    time.sleep(3.1)
    begin(trace, request_id="late", **dying)
    assert list(trace.lifecycle.lives_over([("late", 2)])) == [("late", 2)]

    time.sleep(0.02)
    trace.lifecycle.reopen("late")  # somebody resumes it by hand
    begin(trace, request_id="late")
    assert trace.lifecycle.lives_over([("late", 3)]) == {}
    trace.lifecycle.reopen("late")  # and it is at work
    time.sleep(3.1)
    assert list(trace.lifecycle.lives_over([("late", 3)])) == [("late", 3)]


def test_what_a_request_may_cost_and_has_cost(trace: Trace) -> None:
    begin(trace, request_id="dear", options={"max_cost": 0.0005})
    assert run_of(trace, "dear").budget() == Budget(ceiling=500, spent=0)
    run_of(trace, "dear").record_controller_call(None, call())
    run_of(trace, "dear").record_controller_call(None, call(cost_microdollars=None))
    assert run_of(trace, "dear").budget() == Budget(ceiling=500, spent=135)
    begin(trace, request_id="free")
    assert run_of(trace, "free").budget() == Budget(ceiling=None, spent=0)
