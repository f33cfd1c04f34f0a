"""Requests in line are given flow runs, each one, whatever became of the runs before."""

import base64
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from filelock import FileLock
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Crashed, Failed, Pending, Running, Scheduled
from prefect.types._datetime import now

from flows.answer import answer_request
from flows.queue import answer_queued, start_run
from hugginggpt.errors import ClusterUnavailableError, ConfigurationError, HuggingGPTError, OrchestratorUnavailableError
from hugginggpt.resources import artifact_reference, load_resources
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import CHECKOUT, get_settings
from hugginggpt.submission import Submission, submit
from hugginggpt.trace import queue as trace_queue
from hugginggpt.trace.story import AskedRequest, EndedRun
from tasks import open as opening
from tasks import queue
from tasks import start_run as starting
from tests import forked
from tests.servers import wait_until
from tests.trace.samples import finish

PLAN = [{"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}]


def put(request_id: str, text: str = "Draw its edges") -> None:
    options = {"plan": None, "fresh": False}
    asked = AskedRequest(text=text, resources=(), conversation_id=None, options=options, request_id=request_id)
    get_trace().queue.put(asked)


def runs_of(request_id: str) -> list[FlowRun]:
    """The runs of deployments for a request; those of other files' tests have none, and are too many for one page."""
    deployed = FlowRunFilter.model_validate({"deployment_id": {"is_null_": False}})
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=deployed, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
    return [run for run in runs if run.parameters.get("request_id") == request_id]


def set_state(run: FlowRun, state: object) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, state, force=True)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def _deployed(prefect_server: None) -> None:
    """Only what a request needs of the deployments."""
    deploy()


def deploy(name: str = "on-demand") -> None:
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="hugginggpt", type="hugginggpt"), overwrite=True)
    command = ["--no-prompt", "deploy", "--name", name, "--prefect-file", "deployments.yaml"]
    environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    forked.run(command, CHECKOUT, environment, module="prefect").check_returncode()


@pytest.fixture
def short_claims(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(queue, "CLAIM_SECONDS", 0.0)
    yield


def test_each_request_in_line_gets_one_run_whose_name_reads_like_it(_deployed: None, short_claims: None) -> None:
    put("first", "Draw the\nedges of it")
    put("second")
    assert answer_queued() == 2
    assert answer_queued() == 2  # their claims have run out, and the same runs are found again
    (run,) = runs_of("first")
    assert (run.name, run.idempotency_key) == ("Draw the edges of it", "first")
    assert run.state is not None and run.state.is_scheduled()
    assert len(runs_of("second")) == 1


def run_of(state: Any) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id)


def test_a_run_of_the_schedule_is_named_by_what_waits(_deployed: None) -> None:
    empty: Any = answer_queued(return_state=True)
    assert (run_of(empty).name, empty.message) == ("answer-queued: 0 waiting", None)
    put("named")
    busy: Any = answer_queued(return_state=True)
    assert (run_of(busy).name, busy.message) == ("answer-queued: 1 waiting", "1 run started.")


def test_a_run_of_the_schedule_leaves_the_work_to_one_that_is_at_it(_deployed: None) -> None:
    put("left-to-it")
    with FileLock(get_settings().home_dir / "answer-queued.lock", mode=0o600):
        state: Any = answer_queued(return_state=True)
    assert (state.name, state.message) == ("Completed", "Another run is still at work on the same requests.")
    assert run_of(state).name == "answer-queued: another run is at work"
    assert runs_of("left-to-it") == []
    assert answer_queued() == 1


def test_overdue_runs_of_the_schedule_are_deleted_and_no_others(_deployed: None) -> None:
    deploy("every-minute")

    def scheduled() -> list[FlowRun]:
        wanted = FlowRunFilter.model_validate({"state": {"type": {"any_": ["SCHEDULED"]}}})
        flow = FlowFilter.model_validate({"name": {"any_": ["answer-queued"]}})
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(flow_filter=flow, flow_run_filter=wanted)

    # Prefect's scheduler makes the runs of the coming minutes by itself.
    wait_until(lambda: len(scheduled()) > 5)
    mine, *overdue = scheduled()[:4]
    for run in (mine, *overdue):
        set_state(run, Scheduled(scheduled_time=now("UTC") - timedelta(hours=1)))
    by_hand = run_deployment("answer-queued/every-minute", timeout=0, as_subflow=False)
    assert isinstance(by_hand, FlowRun)
    state = run_flow(answer_queued, flow_run=mine, parameters={}, return_type="state")
    assert isinstance(state, State) and state.is_completed()
    left = {run.id for run in scheduled()}
    assert by_hand.id in left and len(left) > 1
    assert not left & {run.id for run in overdue}


def test_a_claim_keeps_others_away(_deployed: None) -> None:
    put("claimed")
    assert answer_queued() == 1
    assert answer_queued() == 0


def test_a_run_that_is_over_is_followed_by_another(_deployed: None, short_claims: None) -> None:
    put("again")
    first = start_run("again", "Draw")
    set_state(first, Crashed())
    assert answer_queued() == 1
    assert {run.idempotency_key for run in runs_of("again")} == {"again", "again/2"}
    assert answer_queued() == 1
    assert len(runs_of("again")) == 2


def test_runs_that_end_before_they_begin_are_counted_and_the_request_is_given_up(
    _deployed: None, short_claims: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_queue, "MOST_STARTS", 2)
    put("futile")
    for number in (1, 2):
        assert answer_queued() == 1
        newest = f"futile/{number}" if number > 1 else "futile"
        (run,) = [run for run in runs_of("futile") if run.idempotency_key == newest]
        set_state(run, Failed(message="The cluster is away."))
        assert get_trace().queue.starts("futile") == number
    assert answer_queued() == 0
    assert len(runs_of("futile")) == 2
    story = get_trace().requests.get("futile")
    assert story.status is RequestStatus.FAILED
    assert story.error is not None and story.error.endswith("the last one said: The cluster is away.")


def test_a_request_whose_run_was_cancelled_before_it_began_is_cancelled(_deployed: None, short_claims: None) -> None:
    put("unwelcome")
    set_state(start_run("unwelcome", "Draw"), Cancelled())
    assert answer_queued() == 0
    assert get_trace().requests.get("unwelcome").status is RequestStatus.CANCELLED
    assert len(runs_of("unwelcome")) == 1
    # Whoever wants it after all gets another run.
    get_trace().lifecycle.reopen("unwelcome")
    assert answer_queued() == 1
    assert {run.idempotency_key for run in runs_of("unwelcome")} == {"unwelcome", "unwelcome/2"}


def test_a_run_whose_process_died_is_crashed_and_followed_by_another(_deployed: None, short_claims: None) -> None:
    put("dead")
    first = start_run("dead", "Draw")
    set_state(first, Running())
    asked = AskedRequest(text="", resources=(), conversation_id=None, options={}, request_id="dead")
    get_trace().lifecycle.open(asked, holder="elsewhere:1:0.0", lease_seconds=0.1, flow_run_id=str(first.id))
    time.sleep(0.2)
    assert answer_queued() == 1
    states = {run.idempotency_key: run.state.type.value for run in runs_of("dead") if run.state}
    assert states == {"dead": "CRASHED", "dead/2": "SCHEDULED"}


def begun(request_id: str) -> FlowRun:
    """A flow run that has begun a request, as Prefect sees it."""
    put(request_id)
    run = start_run(request_id, "Draw")
    set_state(run, Running())
    asked = AskedRequest(text="", resources=(), conversation_id=None, options={}, request_id=request_id)
    get_trace().lifecycle.open(asked, holder=request_id, lease_seconds=60, flow_run_id=str(run.id))
    return run


def test_runs_that_are_at_work_in_prefect_alone_are_ended_there(
    _deployed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["answered", "in-part", "unanswered", "given-up", "left", "at-work"]
    runs = {name: begun(name) for name in names}
    for name, status in zip(
        names, (RequestStatus.COMPLETED, RequestStatus.PARTIAL, RequestStatus.FAILED), strict=False
    ):
        error = "It cannot be done." if status is RequestStatus.FAILED else None
        response = None if error else "The edges\nwere drawn."
        finish(get_trace(), name, status=status, response=response, response_source="none", error=error)
    get_trace().lifecycle.cancel("given-up")
    get_trace().lifecycle.release_flow_run(str(runs["left"].id), ending="died")
    get_trace().lifecycle.cancel("left")

    def states() -> dict[str, str]:
        with get_client(sync_client=True) as client:
            found = {name: client.read_flow_run(run.id).state for name, run in runs.items()}
        return {name: f"{state.type.value} {state.name} {state.message}" for name, state in found.items() if state}

    answer_queued()
    assert set(states().values()) == {"RUNNING Running None"}  # they may be ending yet
    monkeypatch.setattr(queue, "ENDED_SECONDS", 0.0)
    answer_queued()
    assert states() == {
        "answered": "COMPLETED Completed The edges were drawn.",
        "in-part": "COMPLETED Partial The edges were drawn.",
        "unanswered": "FAILED Failed It cannot be done.",
        "given-up": "CANCELLED Cancelled It was cancelled.",
        "left": "CRASHED Crashed Its process died.",
        "at-work": "RUNNING Running None",
    }


def test_a_run_that_is_deleted_meanwhile_does_not_keep_the_others_from_being_ended(
    _deployed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, other = begun("gone"), begun("other")
    for name in ("gone", "other"):
        finish(get_trace(), name, status=RequestStatus.COMPLETED, response="Done.", response_source="none", error=None)
    monkeypatch.setattr(queue, "ENDED_SECONDS", 0.0)
    ending = queue._ending

    def delete_one(ended: EndedRun) -> State[Any]:
        with get_client(sync_client=True) as client, suppress(ObjectNotFound):
            client.delete_flow_run(gone.id)
        return ending(ended)

    monkeypatch.setattr(queue, "_ending", delete_one)
    assert answer_queued(return_state=True).is_completed()
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(other.id).state
    assert state is not None and state.is_completed()


def test_a_run_that_a_worker_lost_before_it_began_is_followed_by_another(
    _deployed: None, short_claims: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("lost")
    set_state(start_run("lost", "Draw"), Pending())
    assert answer_queued() == 1
    assert len(runs_of("lost")) == 1  # it may be starting yet
    monkeypatch.setattr(starting, "START_SECONDS", 0.0)
    assert answer_queued() == 1
    assert len(runs_of("lost")) == 2


def test_a_work_pool_that_was_deleted_is_said_and_what_waited_in_it_gets_another_run(
    _deployed: None, short_claims: None
) -> None:
    put("stranded")
    first = start_run("stranded", "Draw")
    with get_client(sync_client=True) as client:
        client.delete_work_pool("hugginggpt")
    try:
        with pytest.raises(ConfigurationError, match=r"on-demand has no work pool any more.* apply the deployments"):
            start_run("stranded", "Draw")
        assert answer_queued(return_state=True).is_failed()
        assert [run.id for run in runs_of("stranded")] == [first.id]
    finally:
        deploy()
    assert answer_queued() == 1
    assert answer_queued() == 1
    states = {run.idempotency_key: run.state.type.value for run in runs_of("stranded") if run.state}
    assert states == {"stranded": "CRASHED", "stranded/2": "SCHEDULED"}


def test_what_cannot_be_started_stays_in_line(_deployed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "DEPLOYMENT", "answer-request/elsewhere")
    put("stays")
    state = answer_queued(return_state=True)
    assert state.is_failed()
    assert str(state.message).startswith("No run could be started for 1 of 1 requests, which stay in line: Prefect")
    assert get_trace().requests.get("stays").status is RequestStatus.QUEUED
    with pytest.raises(ConfigurationError, match="no deployment answer-request/elsewhere: start everything") as raised:
        start_run("stays", "Draw")
    assert f"--prefect-file {CHECKOUT / 'deployments.yaml'}`" in raised.value.message


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (401, ConfigurationError, "refused the login .HTTP 401.: set PREFECT_API_AUTH_STRING"),
        (422, ConfigurationError, "refused to start a run .HTTP 422."),
        (501, OrchestratorUnavailableError, "could not start a run .HTTP 501."),
    ],
)
def test_what_prefects_server_says_is_told_apart(
    status: int, kind: type[HuggingGPTError], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    put("told")
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        elsewhere = temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{server.server_port}/api"})
        with elsewhere, pytest.raises(kind, match=sentence):
            start_run("told", "Draw")
        server.shutdown()


def run_of_deployment(request: str, **parameters: Any) -> FlowRun:
    asked = {"request": request, **parameters}
    run = run_deployment(starting.DEPLOYMENT, parameters=asked, timeout=0, as_subflow=False)
    assert isinstance(run, FlowRun)
    return run


def begin(run: FlowRun) -> State[Any]:
    """Do what a worker does with a flow run, in this process."""
    state = run_flow(answer_request, flow_run=run, parameters=dict(run.parameters), return_type="state")
    assert isinstance(state, State)
    return state


def test_what_a_deployment_is_asked_is_in_line_before_anything_can_fail(
    _deployed: None, photo: Path, short_claims: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise ClusterUnavailableError("The cluster is away.")

    monkeypatch.setenv("HUGGINGGPT_FILE_ROOTS", str(photo.parent))
    reset()
    with monkeypatch.context() as patch:
        patch.setattr(opening, "wait_for_workers", away)
        run = run_of_deployment("Draw its edges", files=[str(photo)], options={"plan": PLAN})
        assert "The cluster is away" in str(begin(run).message)
        refused = run_of_deployment("Draw its edges", files=["/nowhere.png"])
        assert str(begin(refused).message).startswith("The file /nowhere.png is outside the folders")
    # Nobody else begins it while its run may still do so.
    assert [(r.request_id, r.status) for r in get_trace().requests.latest()] == [(str(run.id), RequestStatus.QUEUED)]
    assert answer_queued() == 0

    monkeypatch.setattr(opening, "OPENING_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "wait_for_workers", away)
        begin(run_of_deployment("Draw its edges", files=[str(photo)], options={"plan": PLAN}, request_id="mine"))
    assert answer_queued() == 1
    (again,) = [found for found in runs_of("mine") if found.idempotency_key == "mine"]
    assert begin(again).is_completed()
    story = get_trace().requests.get("mine")
    assert (story.status, len(story.resources)) == (RequestStatus.COMPLETED, 1)


def refusal(**parameters: Any) -> str:
    """Why a deployed run took no file; no request was begun by it."""
    state = begin(run_of_deployment("What does it say?", **parameters))
    assert state.is_failed()
    return str(state.message)


def test_a_deployed_run_reads_no_path_outside_of_the_configured_folders(
    _deployed: None, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the key is 1234", "utf-8")
    assert "HUGGINGGPT_FILE_ROOTS" in refusal(files=[str(secret)])

    shared = tmp_path / "shared"
    shared.mkdir()
    photo.rename(shared / "photo.png")
    monkeypatch.setenv("HUGGINGGPT_FILE_ROOTS", str(shared))
    reset()
    assert "HUGGINGGPT_FILE_ROOTS" in refusal(files=[secret.as_uri()])
    given = [{"task": "text-to-speech", "id": 0, "args": {"text": str(secret)}}]
    assert "secret.txt" in refusal(options={"plan": given})
    assert all(get_store().find(one.sha256) != secret.read_bytes() for one in get_store().stored())
    state = begin(run_of_deployment("Draw its edges", files=["photo.png"], options={"plan": PLAN}))
    assert state.is_completed(), state.message


def test_files_that_were_stored_first_need_no_configured_folder(_deployed: None, photo: Path) -> None:
    (resource,) = load_resources([str(photo)], get_settings(), get_store())
    asked = {"options": {"plan": PLAN}}
    assert begin(run_of_deployment("Draw its edges", files=[artifact_reference(resource)], **asked)).is_completed()
    encoded = "data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode()
    plan = [{**PLAN[0], "args": {"image": "data.png"}}]
    assert begin(run_of_deployment("Draw its edges", files=[encoded], options={"plan": plan})).is_completed()
    submission = Submission(request="Draw its edges", files=(str(photo),), id="stored", plan=PLAN)
    submit(submission, get_settings(), get_store(), get_trace())
    assert begin(start_run("stored", "Draw its edges")).is_completed()


def test_an_empty_request_is_refused_before_there_is_a_run(_deployed: None) -> None:
    with get_client(sync_client=True) as client:
        before = len(client.read_flow_runs())
        with pytest.raises(PrefectHTTPStatusError, match="Validation failed for field 'request'"):
            run_of_deployment("")
        assert len(client.read_flow_runs()) == before
    blank = begin(run_of_deployment(" "))
    assert (blank.name, blank.message) == ("Failed", "The request is empty: say what to do.")
    assert get_trace().requests.latest() == []


def test_a_trigger_sent_twice_is_answered_once(photo: object) -> None:
    first = answer_request(
        "Draw its edges", [str(photo)], options={"plan": PLAN}, request_id="twice", return_state=True
    )
    again = answer_request(
        "Draw its edges", [str(photo)], options={"plan": PLAN}, request_id="twice", return_state=True
    )
    other = answer_request("Draw its edges", [__file__], request_id="twice", return_state=True)
    assert first.result() == again.result()
    assert other.is_failed() and "id twice belongs to a different request" in str(other.message)
    assert len(get_trace().requests.get("twice").lives) == 1


def test_a_cancelled_request_in_line_is_not_begun() -> None:
    put("unwanted")
    get_trace().lifecycle.cancel("unwanted")
    state = answer_request("Draw its edges", request_id="unwanted", return_state=True)
    assert state.is_cancelled()
    assert get_trace().requests.get("unwanted").lives == ()


def test_a_run_is_tagged_with_its_conversation(photo: object) -> None:
    answer_request("Draw its edges", [str(photo)], options={"plan": PLAN}, request_id="tagged")
    story = get_trace().requests.get("tagged")
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(story.flow_run_id))
    assert f"conversation:{story.conversation_id[:8]}" in run.tags
