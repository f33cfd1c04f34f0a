"""A request stops when it is cancelled, when its time is over, and when it has cost what it may."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import ParameterTypeError

from flows.answer import answer_request
from hugginggpt.catalog import hub
from hugginggpt.errors import DeadlineExceededError
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import get_settings
from hugginggpt.submission import Submission, submit
from hugginggpt.trace.report import report as report_of
from hugginggpt.trace.story import AskedRequest, RequestTrace
from tests.flows.conftest import Answer
from tests.servers import wait_until
from tests.stand_ins.inference_server import InferenceServer
from tests.stand_ins.openai_server import OpenAIServer, hangs
from tests.trace.samples import run_of

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
    wait_until(lambda: "summarization" in controller.stages() and 0 in run_of(get_trace(), "stop").results())
    assert get_trace().lifecycle.cancel("stop", "Cancelled by ada.")
    flow.join()
    assert not flow.is_alive()
    assert states[0].is_cancelled() and states[0].message == "Cancelled by ada."
    story = get_trace().requests.get("stop")
    assert story.status is RequestStatus.CANCELLED
    assert [task.status for task in story.tasks] == [TaskStatus.COMPLETED, TaskStatus.SKIPPED]
    assert "respond" not in controller.stages()

    # What had finished is kept: going on from there runs only the rest.
    controller.script = {"summarization": "Edges.", "respond": "They are edges."}
    get_trace().lifecycle.reopen("stop")
    assert answer_request("", request_id="stop", return_state=True).is_completed()
    story = get_trace().requests.get("stop")
    assert [life.ending for life in story.lives] == ["cancelled", "finished"]
    assert [attempt.life for attempt in story.tasks[0].attempts] == [1]


def test_over_its_deadline_it_is_answered_with_what_is_there(
    controller: OpenAIServer, photo: Path, answer: Answer
) -> None:
    controller.script = {"summarization": hangs()}
    state = answer_request(
        "Do",
        [str(photo)],
        options=RequestOptions(plan=PLAN, deadline=20.0),  # a busy machine needs some for the first task
        request_id="late",
        return_state=True,
    )
    assert state.name == "Partial"
    story = get_trace().requests.get("late")
    assert story.status is RequestStatus.PARTIAL
    assert [task.status for task in story.tasks] == [TaskStatus.COMPLETED, TaskStatus.FAILED]
    assert story.tasks[1].error == "The request was not answered within its 20 seconds: raise its deadline."
    assert story.response_source == "plain"
    assert "respond" not in controller.stages()


@pytest.fixture
def dripping(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a picture that comes byte by byte, for longer than a test may take, and may be fetched."""
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                for byte in b"\x89PNG\r\n\x1a\n" + bytes(6000):
                    if stopping.wait(0.1):
                        return
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("HUGGINGGPT_TRUSTED_HOSTS", "127.0.0.1")
    reset()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/photo.png"
    stopping.set()
    server.shutdown()
    server.server_close()


def test_its_time_counts_from_before_its_files_are_fetched(controller: OpenAIServer, dripping: str) -> None:
    options = RequestOptions(plan=PLAN, deadline=3.0)
    state = answer_request("Do", [dripping], options=options, request_id="files", return_state=True)
    assert state.is_failed()
    assert "files did not all arrive within its 3 seconds" in str(state.message)
    assert not get_trace().requests.latest() and not controller.stages()


def test_its_time_ends_the_fetching_of_what_its_plan_names(controller: OpenAIServer, dripping: str) -> None:
    plan = [{**PLAN[0], "args": {"image": dripping}}]
    options = RequestOptions(plan=plan, deadline=3.0)
    state = answer_request("Do", options=options, request_id="plan", return_state=True)
    assert state.is_failed()
    assert (
        get_trace().requests.get("plan").error
        == "The request was not answered within its 3 seconds: raise its deadline."
    )


def test_what_is_put_in_line_has_its_files_in_time_or_not_at_all(dripping: str) -> None:
    submission = Submission(request="Do", files=(dripping,), id="line", deadline=0.5)
    with pytest.raises(DeadlineExceededError, match=r"0\.5 seconds"):
        submit(submission, get_settings(), get_store(), get_trace())
    assert not get_trace().requests.latest()


def test_its_time_ends_the_looking_up_of_models(
    controller: OpenAIServer, monkeypatch: pytest.MonkeyPatch, photo: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        reset()
        monkeypatch.setattr(hub, "PROBE_SECONDS", 3600.0)  # a Hub that is slow rather than away
        plan = [{"task": "image-classification", "id": 0, "args": {"image": "photo.png"}}]
        options = RequestOptions(plan=plan, deadline=3.0)
        state = answer_request("Do", [str(photo)], options=options, request_id="hub", return_state=True)
        assert state.is_failed()
        assert "within its 3 seconds" in (get_trace().requests.get("hub").error or "")


def test_what_has_cost_its_ceiling_costs_no_more(
    controller: OpenAIServer, photo: Path, priced: Callable[[], None]
) -> None:
    controller.script = {"summarization": "Edges.", "respond": "They are edges."}
    refused = answer_request(
        "Do", [str(photo)], options=RequestOptions(plan=PLAN, max_cost=0.01), request_id="unpriced", return_state=True
    )
    assert refused.is_failed()
    assert "HUGGINGGPT_PRICE_PER_MILLION_PROMPT_TOKENS" in str(refused.message)
    assert not get_trace().requests.knows("unpriced")

    priced()
    plenty = answer_request(
        "Do", [str(photo)], options=RequestOptions(plan=PLAN, max_cost=100), request_id="rich", return_state=True
    )
    assert plenty.name == "Completed"
    cost = run_of(get_trace(), "rich").budget().spent
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
    story = get_trace().requests.get("poor")
    assert story.status == RequestStatus.PARTIAL and story.response_source == "plain"
    assert story.error is not None and "of at most 0.000001 US dollars" in story.error
    assert story.totals.controller_calls < get_trace().requests.get("rich").totals.controller_calls
    assert len(controller.stages()) - calls == story.totals.controller_calls


def test_what_remote_experts_report_counts_too(
    controller: OpenAIServer, provider: InferenceServer, priced: Callable[[], None]
) -> None:
    priced()
    controller.script = {"respond": "It says good day."}
    chat = "Qwen/Qwen2.5-0.5B-Instruct"
    plan = [
        {"task": "conversational", "id": 0, "dep": [-1], "args": {"text": "Hello"}},
        {"task": "fill-mask", "id": 1, "dep": [-1], "args": {"text": "It was [MASK]."}},
        {"task": "conversational", "id": 2, "dep": [0], "args": {"text": "<GENERATED>-0"}},
    ]

    def ask(name: str, most: float) -> RequestTrace:
        options = RequestOptions(plan=plan, max_cost=most, models={"conversational": chat}, fresh=True)
        answer_request("Chat", options=options, request_id=name, return_state=True)
        return get_trace().requests.get(name)

    provider.cost = 0.5
    story = ask("dear", 100)
    assert [task.status for task in story.tasks] == [TaskStatus.COMPLETED] * 3
    assert [task.attempts[-1].cost_microdollars for task in story.tasks] == [500_000, None, 500_000]
    filler = story.tasks[1].attempts[-1].model
    assert story.totals.unpriced == (filler,)
    paid = sum(call.cost_microdollars or 0 for call in story.controller_calls)
    assert story.totals.cost_microdollars == 1_000_000 + paid
    assert run_of(get_trace(), "dear").budget().spent == 1_000_000 + paid
    report = report_of(story, {})
    assert (report.cost.dollars, report.cost.unknown) == ((1_000_000 + paid) / 1e6, (filler,))

    story = ask("too-dear", 0.3)
    assert story.tasks[0].status is TaskStatus.COMPLETED and story.tasks[2].status is TaskStatus.FAILED
    assert "of at most 0.3 US dollars" in str(story.tasks[2].error)
    assert story.status is RequestStatus.PARTIAL and story.response_source == "plain"
    assert controller.stages().count("respond") == 1


def test_nothing_is_paid_for_that_may_cost_nothing(
    controller: OpenAIServer, photo: Path, priced: Callable[[], None]
) -> None:
    priced()
    state = answer_request(
        "Do", [str(photo)], options=RequestOptions(plan=PLAN, max_cost=0), request_id="nothing", return_state=True
    )
    assert state.name == "Partial"
    assert controller.calls == []
    story = get_trace().requests.get("nothing")
    assert [task.status for task in story.tasks] == [TaskStatus.COMPLETED, TaskStatus.FAILED]


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
    assert get_trace().requests.latest() == []
    # What an older or a newer version wrote is read all the same.
    options = {"plan": PLAN[1:], "gone": 1}
    asked = AskedRequest(text="Do", resources=(), conversation_id=None, options=options, request_id="kept")
    get_trace().queue.put(asked)
    assert answer_request("", request_id="kept", return_state=True).is_completed()
