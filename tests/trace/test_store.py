"""What is recorded is there afterwards, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from hugginggpt.capabilities import ValueType
from hugginggpt.errors import RequestIdError, TraceError
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.plan import Plan
from hugginggpt.resource import Resource
from hugginggpt.results import ItemResult, RequestStatus, TaskStatus
from hugginggpt.trace.store import Trace
from hugginggpt.trace.story import AttemptEnd, RequestTrace
from tests.trace.samples import (
    INVOICE,
    PLAN,
    artifact,
    begin,
    call,
    candidate,
    choice,
    finish,
    outcome,
    planned,
    result,
    run_of,
    run_of_attempt,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone(timedelta(hours=2)))


def test_a_new_request_begins_a_conversation_and_keeps_its_files(trace: Trace) -> None:
    opened = begin(trace)

    assert (opened.life, opened.status, opened.known) == (1, RequestStatus.RUNNING, False)
    assert opened.resources == (INVOICE,)
    assert trace.requests.latest_conversation() == opened.conversation_id
    story = trace.requests.get(opened.request_id)
    assert story.status is RequestStatus.RUNNING
    assert (story.text, story.options) == ("What is the total?", {"fresh": False})
    assert story.plan is None


def test_an_unknown_id_creates_the_request_under_it(trace: Trace) -> None:
    assert begin(trace, request_id="mine").request_id == "mine"


@pytest.mark.parametrize("request_id", ["../up", "a b", "%", "-x"])
def test_an_id_that_is_no_name_is_refused(trace: Trace, request_id: str) -> None:
    with pytest.raises(RequestIdError, match="is not valid"):
        begin(trace, request_id=request_id)


def test_an_unknown_conversation_is_refused_and_nothing_is_written(trace: Trace) -> None:
    with pytest.raises(TraceError, match="no conversation 'nowhere'"):
        begin(trace, conversation_id="nowhere")
    assert trace.requests.latest() == []


def test_the_plan_comes_back_as_it_was(trace: Trace) -> None:
    opened = planned(trace)

    assert run_of(trace, opened.request_id).plan() == PLAN
    assert trace.requests.get(opened.request_id).plan_source == "controller"


def test_an_empty_plan_is_a_plan(trace: Trace) -> None:
    opened = begin(trace)
    assert run_of(trace, opened.request_id).plan() is None

    run_of(trace, opened.request_id).record_plan(Plan(), "controller")

    assert run_of(trace, opened.request_id).plan() == Plan()


def test_a_plan_may_be_replaced_until_work_on_it_begins(trace: Trace) -> None:
    opened = planned(trace)
    shorter = Plan(tasks=PLAN.tasks[:1])

    run_of(trace, opened.request_id).record_plan(shorter, "given")
    assert run_of(trace, opened.request_id).plan() == shorter

    run_of(trace, opened.request_id).record_choices({0: choice()})
    run_of(trace, opened.request_id).record_plan(shorter, "given")
    with pytest.raises(TraceError, match="another plan"):
        run_of(trace, opened.request_id).record_plan(PLAN, "given")


def test_every_version_of_a_plan_is_known(trace: Trace) -> None:
    opened = planned(trace)
    run = run_of(trace, opened.request_id)
    assert run.plan() == PLAN and run.plan_version() == (1, 3)
    without_speech = Plan(tasks=(PLAN.tasks[0], PLAN.tasks[2]), version=2)
    run.record_further_plan(without_speech)
    story = trace.requests.get(opened.request_id)
    assert story.plan == without_speech and run.plan_version() == (2, 3)
    assert [[task.id for task in plan.tasks] for plan in story.earlier_plans] == [[0, 1, 2]]
    assert [outcome.planned.id for outcome in run.went_around()[0]] == [1]


def test_choices_come_back_with_their_ranking(trace: Trace) -> None:
    opened = planned(trace)

    run_of(trace, opened.request_id).record_choices({0: choice("a/b", "c/d", "e/f")})
    run_of(trace, opened.request_id).record_choices({0: choice("c/d", "a/b")}, cached=True)

    assert run_of(trace, opened.request_id).choices() == {0: choice("c/d", "a/b")}
    selection = trace.requests.get(opened.request_id).tasks[0].selection
    assert selection is not None and selection.cached


def test_results_of_lists_keep_their_order_and_their_failures(trace: Trace) -> None:
    opened = planned(trace)
    made = result(0, "one", "two", "one").model_copy(
        update={"items": (*result(0, "one", "two", "one").items, ItemResult(error="Too dark."))}
    )

    run_of(trace, opened.request_id).record_result(made)
    run_of(trace, opened.request_id).record_result(made)

    assert run_of(trace, opened.request_id).results() == {0: made}
    files = trace.requests.get(opened.request_id).files
    assert [(f.item, f.position, f.artifact.preview) for f in files] == [(0, 0, "one"), (1, 0, "two"), (2, 0, "one")]


def test_a_task_that_has_a_result_keeps_it(trace: Trace) -> None:
    opened = planned(trace)
    run_of(trace, opened.request_id).record_no_result(0, TaskStatus.FAILED, "No model could.")
    run_of(trace, opened.request_id).record_result(result(0))
    run_of(trace, opened.request_id).record_no_result(0, TaskStatus.FAILED, "No model could.")

    task = trace.requests.get(opened.request_id).tasks[0]
    assert (task.status, task.error) == (TaskStatus.COMPLETED, None)


def test_only_failures_for_good_in_this_life_count(trace: Trace) -> None:
    opened = planned(trace)
    for name, passing in (("busy/one", True), ("broken/one", False)):
        attempt = run_of(trace, opened.request_id, 1).start_attempt(0, candidate(name, Endpoint.LOCAL), run_count=1)
        run_of_attempt(trace, attempt).finish_attempt(
            attempt, status="failed", seconds=0.1, error="No.", error_type="ExpertError", passing=passing
        )
    run_of(trace, opened.request_id, 1).start_attempt(0, candidate("running/one"), run_count=2)

    assert run_of(trace, opened.request_id, 1).earlier(0) == (None, {"local:broken/one"})
    assert run_of(trace, opened.request_id, 2).earlier(0) == (None, set())
    assert run_of(trace, opened.request_id, 1).earlier(1) == (None, set())


def test_the_progress_of_an_attempt_is_told_until_it_ends(trace: Trace) -> None:
    request_id = planned(trace).request_id
    attempt = run_of(trace, request_id, 1).start_attempt(0, candidate(), run_count=1)

    def progress() -> str | None:
        return trace.requests.get(request_id).tasks[0].attempts[0].progress

    assert progress() is None
    for told in ("1 of 3 steps", "2 of 3 steps"):
        run_of_attempt(trace, attempt).record_progress(attempt, told)
        assert progress() == told
    run_of_attempt(trace, attempt).finish_attempt(
        attempt, status="failed", seconds=0.1, error="No.", error_type="ExpertError"
    )
    run_of_attempt(trace, attempt).record_progress(attempt, "3 of 3 steps")
    assert progress() == "2 of 3 steps"


def test_an_attempt_completes_with_its_result_and_not_before(trace: Trace) -> None:
    opened = planned(trace)
    attempt = run_of(trace, opened.request_id, 1).start_attempt(0, candidate(), run_count=1)
    with pytest.raises(TraceError):
        run_of(trace, "nobody", 1).record_result(result(0), attempt=AttemptEnd(attempt, 1.0, None))
    assert trace.requests.get(opened.request_id).tasks[0].attempts[0].status == "running"
    run_of(trace, opened.request_id, 1).record_result(result(0), attempt=AttemptEnd(attempt, 1.0, 0.5))
    (told,) = trace.requests.get(opened.request_id).tasks[0].attempts
    assert (told.status, told.seconds, told.load_seconds, told.error) == ("completed", 1.0, 0.5, None)
    assert told.ended_at is not None and run_of(trace, opened.request_id).results().keys() == {0}


def test_the_first_of_two_runs_of_a_task_counts(trace: Trace) -> None:
    run = run_of(trace, planned(trace).request_id, 1)
    first, second = (run.start_attempt(0, candidate(), run_count=1) for _ in range(2))
    one, other = result(0, "one"), result(0, "other")
    assert run.record_result(one, attempt=AttemptEnd(second, 1.0, None)) == one
    assert run.record_result(other, attempt=AttemptEnd(first, 2.0, None)) == one
    assert run.results() == {0: one}
    attempts = trace.requests.get(run.request_id).tasks[0].attempts
    assert [attempt.status for attempt in attempts] == ["interrupted", "completed"]
    assert attempts[0].error == "Another run of this task finished first."


def test_a_result_that_is_made_anew_replaces_the_one_before(trace: Trace) -> None:
    run = run_of(trace, planned(trace).request_id, 1)
    for text in ("one", "other"):
        attempt = run.start_attempt(0, candidate(), run_count=1)
        run.record_result(result(0, text), attempt=AttemptEnd(attempt, 1.0, None))
    assert run.results() == {0: result(0, "other")}


def test_what_could_not_be_recorded_at_once_is_completed_at_the_end(trace: Trace) -> None:
    opened = planned(trace)
    for name in ("other/ocr", result(0).model):
        run_of(trace, opened.request_id, 1).start_attempt(0, candidate(name), run_count=1)
    ended = outcome(0, result=result(0))
    finish(trace, opened.request_id, outcomes=(ended,))
    attempts = trace.requests.get(opened.request_id).tasks[0].attempts
    assert [attempt.status for attempt in attempts] == ["interrupted", "completed"]


def test_the_attempt_of_a_worker_that_died_is_not_completed_by_the_one_that_did_it_again(trace: Trace) -> None:
    run = run_of(trace, planned(trace).request_id, 1)
    _, done = (run.start_attempt(0, candidate(result(0).model), run_count=1) for _ in range(2))
    run.record_result(result(0), attempt=AttemptEnd(done, 1.0, None))
    finish(trace, run.request_id, outcomes=(outcome(0, result=result(0)),))
    attempts = trace.requests.get(run.request_id).tasks[0].attempts
    assert [attempt.status for attempt in attempts] == ["interrupted", "completed"]


def test_the_whole_story_goes_to_json_and_back(trace: Trace) -> None:
    opened = planned(trace, flow_run_id="flow-1")
    request_id = opened.request_id
    run_of(trace, request_id).record_controller_call(None, call("plan"))
    run_of(trace, request_id).record_controller_call(0, call("select", error="Not JSON.", cost_microdollars=None))
    run_of(trace, request_id).record_choices({0: choice()})
    attempt = run_of(trace, request_id, opened.life).start_attempt(0, candidate(), run_count=1)
    run_of_attempt(trace, attempt).finish_attempt(attempt, status="completed", seconds=1.25)
    run_of(trace, request_id).record_result(result(0))
    spoken = result(1).model_copy(
        update={"items": (ItemResult(outputs=(artifact("RIFF", ValueType.AUDIO, "audio/wav"),)),)}
    )
    finish(
        trace,
        request_id,
        status=RequestStatus.PARTIAL,
        outcomes=[
            outcome(0, result=result(0).model_copy(update={"seconds": 1.5}), ended_at=NOON),
            outcome(1, TaskStatus.CACHED, result=spoken, prefect_task_run_id="run-1"),
        ],
    )

    story = trace.requests.get(request_id[:8])

    assert RequestTrace.model_validate_json(story.model_dump_json()) == story
    assert (story.status, story.response) == (RequestStatus.PARTIAL, "The total is 12.50.")
    assert story.flow_run_id == "flow-1"
    read, said, sorted_ = story.tasks
    assert (read.status, read.seconds, read.ended_at) == (TaskStatus.COMPLETED, 1.5, NOON)
    assert read.ended_at is not None and read.ended_at.tzinfo is UTC
    assert [a.model for a in read.attempts] == ["rapidocr"]
    assert (said.status, said.cached, said.result) == (TaskStatus.CACHED, True, spoken)
    assert said.prefect_task_run_id == "run-1"
    assert (sorted_.status, sorted_.error) == (TaskStatus.SKIPPED, "The request ended before this task was done.")
    assert [(f.task_id, f.artifact.mime) for f in story.files] == [(0, "text/plain"), (1, "audio/wav")]
    assert (story.totals.controller_calls, story.totals.prompt_tokens) == (2, 1400)
    assert story.totals.cost_microdollars == 135
    assert [life.ending for life in story.lives] == ["finished"]


def test_after_the_end_nothing_changes(trace: Trace) -> None:
    opened = planned(trace)
    attempt = run_of(trace, opened.request_id, 1).start_attempt(0, candidate(), run_count=1)
    finish(trace, opened.request_id)
    before = trace.requests.get(opened.request_id)

    writes = [
        lambda: run_of(trace, opened.request_id).record_plan(PLAN, "given"),
        lambda: run_of(trace, opened.request_id).record_resources([INVOICE]),
        lambda: run_of(trace, opened.request_id).record_choices({0: choice()}),
        lambda: run_of(trace, opened.request_id, 1).start_attempt(0, candidate(), run_count=2),
        lambda: run_of_attempt(trace, attempt).finish_attempt(attempt, status="completed", seconds=1.0),
        lambda: run_of(trace, opened.request_id).record_result(result(0)),
        lambda: run_of(trace, opened.request_id).record_no_result(0, TaskStatus.FAILED, "Late."),
        lambda: run_of(trace, opened.request_id).record_controller_call(None, call()),
        lambda: finish(trace, opened.request_id, status=RequestStatus.FAILED),
    ]
    for write in writes:
        with pytest.raises(TraceError, match="no longer changes"):
            write()
    finish(trace, opened.request_id)

    assert trace.requests.get(opened.request_id) == before
    assert before.tasks[0].attempts[0].status == "interrupted"
    again = begin(trace, request_id=opened.request_id)
    assert (again.status, again.known, again.life) == (RequestStatus.COMPLETED, True, 1)


def test_a_wrong_ending_leaves_the_request_open(trace: Trace) -> None:
    opened = planned(trace)

    with pytest.raises(TraceError, match="has no task 9"):
        finish(trace, opened.request_id, outcomes=[outcome(9, TaskStatus.SKIPPED)])

    assert trace.requests.get(opened.request_id).status is RequestStatus.RUNNING
    assert trace.requests.get(opened.request_id).tasks[0].status is TaskStatus.PLANNED


def test_what_is_not_there_is_refused(trace: Trace) -> None:
    opened = planned(trace)
    with pytest.raises(TraceError, match="no request 'nobody'"):
        run_of(trace, "nobody", 1).record_plan(PLAN, "given")
    with pytest.raises(TraceError, match="has no task 9"):
        run_of(trace, opened.request_id).record_choices({9: choice()})
    with pytest.raises(TraceError, match="no attempt 99"):
        run_of(trace, opened.request_id).finish_attempt(99, status="completed", seconds=0.0)


def test_requests_are_found_by_the_beginning_of_their_id(trace: Trace) -> None:
    for request_id in ("abc-1", "abc-2", "xyz", "x_z"):
        begin(trace, request_id=request_id)

    assert trace.requests.get("xy").request_id == "xyz"
    assert trace.requests.get("x_").request_id == "x_z"
    with pytest.raises(TraceError, match="Several requests begin with 'abc'"):
        trace.requests.get("abc")
    for unknown in ("nothing", "", "%"):
        with pytest.raises(TraceError, match="no request"):
            trace.requests.get(unknown)


def test_conversations_are_found_by_the_beginning_of_their_id(trace: Trace) -> None:
    ids = [begin(trace).conversation_id for _ in range(17)]  # two of them begin with the same of 16 digits

    assert [trace.requests.conversation(whole) for whole in ids] == ids
    assert [trace.requests.conversation(whole[:-1]) for whole in ids] == ids
    twice = next(whole[0] for n, whole in enumerate(ids) if whole[0] in {other[0] for other in ids[:n]})
    with pytest.raises(TraceError, match=f"Several conversations begin with '{twice}'"):
        trace.requests.conversation(twice)
    for unknown in ("nothing", "", "%"):
        with pytest.raises(TraceError, match=f"no conversation '{unknown}' in the trace"):
            trace.requests.conversation(unknown)


def test_the_latest_requests_come_first(trace: Trace) -> None:
    first = planned(trace, text="one")
    run_of(trace, first.request_id).record_result(result(0))
    finish(trace, first.request_id)
    second = begin(trace, text="two", conversation_id=first.conversation_id)
    other = begin(trace, text="three")

    assert [s.text for s in trace.requests.latest()] == ["three", "two", "one"]
    assert [s.text for s in trace.requests.latest(limit=1)] == ["three"]
    ours = trace.requests.latest(conversation_id=first.conversation_id)
    assert [s.request_id for s in ours] == [second.request_id, first.request_id]
    assert (ours[1].status, ours[1].tasks, ours[1].tasks_done) == (RequestStatus.COMPLETED, 3, 1)
    assert trace.requests.latest_conversation() == other.conversation_id
    assert trace.requests.counts() == {RequestStatus.COMPLETED: 1, RequestStatus.RUNNING: 2}


def test_turns_give_history_with_named_results(trace: Trace) -> None:
    first = planned(trace, text="Read it.")
    run_of(trace, first.request_id).record_result(result(0, "one", "two"))
    finish(trace, first.request_id, response="It says one and two.")
    failed = begin(trace, text="Fail.", conversation_id=first.conversation_id)
    finish(trace, failed.request_id, status=RequestStatus.FAILED, response=None, error="No plan.")
    third = begin(trace, text="And now?", conversation_id=first.conversation_id)

    (turn,) = trace.requests.turns(first.conversation_id, before=third.request_id)

    said = turn.exchange
    assert (turn.request_id, said.text, said.response) == (first.request_id, "Read it.", "It says one and two.")
    assert said.plan is not None and said.plan.tasks == PLAN.tasks
    assert [(r.task_id, r.item, r.name) for r in said.results] == [(0, 0, "turn1-0.txt"), (0, 1, "turn1-0-2.txt")]
    assert [(r.name, r.artifact.preview) for r in turn.resources] == [
        ("turn1-0.txt", "one"),
        ("turn1-0-2.txt", "two"),
    ]
    assert {r.source for r in turn.resources} == {first.request_id}
    assert turn.files == (INVOICE,)
    assert trace.requests.turns(first.conversation_id, before=first.request_id) == []


def test_resources_can_be_added_once_the_plan_names_more(trace: Trace) -> None:
    opened = begin(trace)
    page = Resource(name="page.txt", artifact=artifact("page"), source="https://example.org/page.txt")

    run_of(trace, opened.request_id).record_resources([INVOICE, page])
    run_of(trace, opened.request_id).record_resources([page])

    assert trace.requests.get(opened.request_id).resources == (INVOICE, page)


def test_the_same_bytes_may_be_two_things(trace: Trace) -> None:
    as_text, as_table = artifact("a,b"), artifact("a,b", ValueType.TABLE, "text/csv")
    files = [Resource(name=name, artifact=a, source=name) for name, a in (("a.txt", as_text), ("a.csv", as_table))]

    opened = begin(trace, resources=files)

    assert [r.artifact.type for r in opened.resources] == [ValueType.TEXT, ValueType.TABLE]


def test_text_that_databases_refuse_is_kept_as_far_as_it_can_be(trace: Trace) -> None:
    options = {"note": "\udc80", "plan": [{"zero \x00 \\u0000": "\\\x00"}]}
    opened = planned(trace, text="zero \x00 and half \udc80 a pair", options=options)
    run_of(trace, opened.request_id).record_no_result(0, TaskStatus.FAILED, "It said \x00.")

    story = trace.requests.get(opened.request_id)
    assert story.text == "zero \ufffd and half \ufffd a pair"
    assert story.options == {"note": "\ufffd", "plan": [{"zero \ufffd \\u0000": "\\\ufffd"}]}
    assert story.tasks[0].error == "It said \ufffd."


def test_live_cards_are_replaced_as_a_whole(trace: Trace) -> None:
    assert trace.models.cards("image-to-text") is None
    cards = [ModelCard(id=f"org/model-{n}", kind="image-to-text", downloads=9 - n) for n in range(3)]
    trace.models.save_cards("image-to-text", cards)
    trace.models.save_cards("object-detection", [])

    trace.models.save_cards("image-to-text", cards[1:])

    kept = trace.models.cards("image-to-text")
    assert kept is not None and kept[0] == cards[1:]
    assert datetime.now(UTC) - kept[1] < timedelta(minutes=5)
    nothing = trace.models.cards("object-detection")
    assert nothing is not None and nothing[0] == []


def test_threads_may_share_it(trace: Trace) -> None:
    opened = planned(trace)

    def work(n: int) -> int:
        attempt = run_of(trace, opened.request_id, 1).start_attempt(n % 3, candidate(f"model/{n}"), run_count=1)
        run_of(trace, opened.request_id).record_controller_call(n % 3, call("select"))
        run_of(trace, opened.request_id).record_result(result(n % 3, f"text {n % 5}", "same"))
        run_of_attempt(trace, attempt).finish_attempt(attempt, status="completed", seconds=0.1)
        return attempt

    with ThreadPoolExecutor(12) as pool:
        attempts = list(pool.map(work, range(36)))

    story = trace.requests.get(opened.request_id)
    assert len(set(attempts)) == 36 == sum(len(t.attempts) for t in story.tasks) == len(story.controller_calls)
    assert len(story.files) == 6
    assert all(a.status == "completed" for t in story.tasks for a in t.attempts)


def test_a_sound_database_passes_its_check(trace: Trace) -> None:
    trace.check()


def test_any_number_of_requests_can_be_asked_for(trace: Trace) -> None:
    begin(trace)
    assert len(trace.requests.latest(10**40)) == 1
    assert trace.queue.claim("somebody", 60, 10**40) == []
