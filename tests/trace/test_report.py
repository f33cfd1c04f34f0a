"""The object that `ask --json` prints."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from apps.cli.answer import present
from apps.cli.options import Output
from apps.cli.tree import request_tree
from apps.http.events import Ended
from hugginggpt.capabilities import ValueType
from hugginggpt.controller_name import ControllerName
from hugginggpt.errors import ExpertError
from hugginggpt.results import ItemResult, RequestStatus, TaskStatus
from hugginggpt.trace.report import AnswerReport, report, waited
from hugginggpt.trace.store import Trace
from hugginggpt.trace.story import Life
from tests.trace.samples import (
    INVOICE,
    PLAN,
    artifact,
    begin,
    call,
    candidate,
    finish,
    outcome,
    planned,
    result,
    run_of,
    run_of_attempt,
)


def test_a_request_with_a_cached_a_failed_and_a_partly_done_task(trace: Trace, tmp_path: Path) -> None:
    opened = planned(trace, flow_run_id="flow")
    request_id = opened.request_id
    run_of(trace, request_id).record_controller_call(None, call("plan"))
    run_of(trace, request_id).record_controller_call(None, call("respond", prompt_tokens=1, completion_tokens=2))
    for name, error in (("busy", "Busy."), ("rapidocr", None)):
        attempt = run_of(trace, request_id, 1).start_attempt(0, candidate(name), run_count=1)
        run_of_attempt(trace, attempt).finish_attempt(
            attempt, status="failed" if error else "completed", seconds=0.1, error=error
        )
    some = (*result(0, "one", "two").items, ItemResult(error="Too dark."))
    run_of(trace, request_id).record_result(result(0, "one", "two").model_copy(update={"items": some}))
    sound = artifact("RIFF", ValueType.AUDIO, "audio/wav")
    spoken = result(1, model="espeak").model_copy(update={"items": (ItemResult(outputs=(sound,)),)})
    last = run_of(trace, request_id, 1).start_attempt(2, candidate("minilm"), run_count=1)
    run_of_attempt(trace, last).finish_attempt(
        last, status="failed", seconds=0.1, error="No.", error_type=ExpertError.__name__
    )
    finish(
        trace,
        request_id,
        status=RequestStatus.PARTIAL,
        response="Here it is.",
        response_source="controller",
        outcomes=[
            outcome(1, TaskStatus.CACHED, result=spoken),
            outcome(2, TaskStatus.FAILED, error="minilm (embedded): No."),
        ],
    )

    made = report(trace.requests.get(request_id), {sound.sha256: tmp_path / "task-1.wav"})

    assert AnswerReport.model_validate_json(made.model_dump_json()) == made
    said = json.loads(made.model_dump_json())
    assert list(said) == [
        "request_id",
        "conversation_id",
        "flow_run_id",
        "status",
        "response",
        "error",
        "notes",
        "plan",
        "tasks",
        "files",
        "seconds",
        "waiting_seconds",
        "controller",
        "cost",
    ]
    assert (said["status"], said["response"], said["flow_run_id"]) == ("partial", "Here it is.", "flow")
    assert said["plan"] == PLAN.to_list()
    assert said["controller"] == {
        "model": "gpt-4o-mini",
        "server": None,
        "calls": 2,
        "prompt_tokens": 701,
        "completion_tokens": 52,
    }
    assert said["files"] == [
        {
            "path": str(tmp_path / "task-1.wav"),
            "sha256": sound.sha256,
            "mime": "audio/wav",
            "bytes": 4,
            "task_id": 1,
        }
    ]
    read, spoke, sorted_ = said["tasks"]
    assert (read["status"], read["model"], read["revision"], read["endpoint"]) == (
        "completed",
        "rapidocr",
        "3.10",
        "embedded",
    )
    assert (read["attempts"], read["seconds"], read["error"]) == (2, 1.25, "Element 2: Too dark.")
    assert [(o["item"], o["text"], o["path"]) for o in read["outputs"]] == [(0, "one", None), (1, "two", None)]
    assert (spoke["status"], spoke["model"], spoke["attempts"]) == ("cached", "espeak", 0)
    assert spoke["outputs"][0]["path"] == str(tmp_path / "task-1.wav")
    assert (sorted_["status"], sorted_["model"], sorted_["error"]) == ("failed", "minilm", "minilm (embedded): No.")
    assert sorted_["outputs"] == []


def test_a_request_without_a_plan(trace: Trace) -> None:
    opened = begin(trace)
    finish(
        trace,
        opened.request_id,
        status=RequestStatus.FAILED,
        response=None,
        response_source="none",
        error="Nothing here makes videos.",
    )

    made = report(trace.requests.get(opened.request_id), {})

    assert (made.status, made.plan, made.tasks, made.files) == ("failed", None, (), ())
    assert made.error == "Nothing here makes videos."
    assert made.controller.model is None and made.controller.calls == 0


def test_the_controller_that_answered_is_the_one_of_the_last_life(trace: Trace) -> None:
    first, second = ControllerName(model="a", server="embedded"), ControllerName(model="b", server="http://b/v1")
    opened = begin(trace, controller=first, lease_seconds=0.0, holder="gone:1:1.0")
    assert report(trace.requests.get(opened.request_id), {}).controller.model == "a"
    begin(trace, request_id=opened.request_id, controller=second)
    told = report(trace.requests.get(opened.request_id), {}).controller
    assert (told.model, told.server, told.calls) == ("b", "http://b/v1", 0)
    assert [life.controller for life in trace.requests.get(opened.request_id).lives] == [first, second]


def test_what_a_person_waited_is_split_into_work_and_waiting(trace: Trace) -> None:
    opened = begin(trace)
    finish(
        trace,
        opened.request_id,
        status=RequestStatus.FAILED,
        response=None,
        response_source="none",
        error="No.",
    )
    asked = datetime(2026, 11, 29, 12, tzinfo=UTC)

    def at(seconds: float) -> datetime:
        return asked + timedelta(seconds=seconds)

    def life(number: int, begun: float, ended: float) -> Life:
        times = {"started_at": at(begun), "seen_at": at(ended), "ended_at": at(ended)}
        return Life(life=number, flow_run_id=None, holder="", ending="died", error=None, **times)

    # In line for 9.1 s, then at work; its process dies, and five seconds later another goes on.
    lives = (life(1, 9.1, 10.0), life(2, 15.0, 17.5))
    changes = {"created_at": at(0.5), "finished_at": at(17.5), "lives": lives}
    story = trace.requests.get(opened.request_id).model_copy(update=changes)
    assert waited(story) == (17.0, 13.6)
    assert waited(story, since=at(0), until=at(18)) == (18.0, 14.6)
    assert waited(story, since=at(12), until=at(18)) == (6.0, 3.5), "who resumes it waits from then"
    assert waited(story, since=at(60), until=at(61)) == (17.0, 13.6), "who looks later did not wait for it"
    made = report(story, {}, since=at(0), until=at(18))
    assert (made.seconds, made.waiting_seconds) == (18.0, 14.6)


def test_the_notes_about_files_are_kept_and_told_once(trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "invoice.png is a JPEG image; its ending says PNG."
    given = INVOICE.model_copy(update={"notes": (sentence,)})
    again = given.model_copy(update={"name": "invoice-2.png"})
    earlier = given.model_copy(update={"name": "before.png", "earlier": True, "notes": ("It is old.",)})
    opened = begin(trace, resources=(given, again, earlier))
    story = trace.requests.get(opened.request_id)
    assert [resource.notes for resource in story.resources] == [(sentence,), (sentence,), ()]
    assert report(story, {}).notes == (sentence,)
    ended = Ended(
        report=report(story, {}).model_dump(mode="json"), refused=False, form=None, unused=[], files=[], page=None
    )
    for as_json in (False, True):
        present(ended, Output(out=None, as_json=as_json))
        out, err = capsys.readouterr()
        assert f"Note: {sentence}" in err.splitlines()
        assert (sentence in out) is as_json
    shown = io.StringIO()
    Console(file=shown, width=200).print(request_tree(story))
    assert f"note  {sentence}" in shown.getvalue()
