"""What a request made is in Prefect when its flow run ends, whatever Prefect's server does; and what its states say."""

import base64
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from flows.answer import answer_request
from flows.warm import warm_models
from hugginggpt.errors import DatabaseUnavailableError
from hugginggpt.holder import Hold
from hugginggpt.services import get_store, get_trace
from hugginggpt.settings import get_settings
from hugginggpt.trace.lifecycle import Lifecycle
from tasks import open as opening
from tasks import respond
from tasks.ui import posting
from tasks.ui.markdown import as_text
from tests.servers import wait_until
from tests.stand_ins.openai_server import OpenAIServer, wrong_key

EDGES = [{"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}]
CLOSE = [
    {
        "task": "sentence-similarity",
        "id": 0,
        "dep": [-1],
        "args": {"text1": "A cat sits on a mat.", "text2": "A kitten is on the rug."},
    }
]


def artifacts_of(state: Any) -> dict[str, Any]:
    """The artifacts of the flow run that ended in this state, by key."""
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    return {artifact.key: artifact for artifact in found if artifact.key is not None}  # others are Prefect's own


Refuse = Callable[[str, str, bytes], int | None]
"""From method, path and body of a request to the status that it is refused with; None to let it through."""


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Refuse], None]]:
    """Have what is posted go through a proxy in front of Prefect's server, which refuses some of it."""
    upstream = str(PREFECT_API_URL.value())
    refusing: list[Refuse] = []

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = refusing[0](self.command, self.path, body)
            if status is None:
                passed = ("Content-Type", "Prefect-Csrf-Client", "Prefect-Csrf-Token")
                headers = {name: self.headers[name] for name in passed if name in self.headers}
                answer = httpx.request(
                    self.command, upstream + self.path.removeprefix("/api"), content=body, headers=headers, timeout=60
                )
                status, content = answer.status_code, answer.content
            else:
                content = b'{"detail": "no"}'
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if status != 204:
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass_on

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def client(**_: object) -> SyncPrefectClient:
            return SyncPrefectClient(f"http://127.0.0.1:{server.server_port}/api")

        monkeypatch.setattr("tasks.ui.client.get_client", client)
        monkeypatch.setattr("tasks.ui.client._idle", [])
        yield refusing.append
        server.shutdown()


@pytest.fixture
def run_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What flow and task runs log of failures and other trouble, each record with its traceback."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            line = logging.Formatter("%(message)s").format(record)
            if record.levelno >= logging.WARNING or "Failed(" in line:
                lines.append(line)

    handler = Keep()
    loggers = [logging.getLogger(name) for name in ("prefect.flow_runs", "prefect.task_runs")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.setLevel(logging.INFO)
    yield lines
    for one, level in zip(loggers, levels, strict=True):
        one.removeHandler(handler)
        one.setLevel(level)


# Posting


def test_what_a_busy_server_refuses_is_posted_all_the_same(
    between: Callable[[Refuse], None], photo: Path, controller: OpenAIServer
) -> None:
    refused: list[str] = []

    def refuse(method: str, path: str, body: bytes) -> int | None:
        if path.endswith("/artifacts/") and method == "POST" and len(refused) < 2:
            refused.append(path)
            return 503
        return None

    between(refuse)
    state: Any = answer_request("Draw its edges", [str(photo)], options={"plan": EDGES}, return_state=True)
    assert len(refused) == 2
    assert state.is_completed() and artifacts_of(state).keys() == {"plan", "model-0", "result-0", "answer"}


def test_what_cannot_be_posted_is_an_error_in_the_log_and_told_by_the_run(
    between: Callable[[Refuse], None], photo: Path, controller: OpenAIServer, run_log: list[str]
) -> None:
    def refuse(method: str, path: str, body: bytes) -> int | None:
        return 422 if path.endswith("/artifacts/") and b'"result-0"' in body else None

    between(refuse)
    state: Any = answer_request("Draw its edges", [str(photo)], options={"plan": EDGES}, return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Completed")
    assert state.message == "OK. (Prefect does not show the artifact 'result-0': the log says why.)"
    assert artifacts_of(state).keys() == {"plan", "model-0", "answer"}
    (line,) = run_log
    assert line.startswith("Prefect does not show the artifact 'result-0': Client error '422")


def test_posts_that_fetch_their_tokens_at_the_same_time_do_not_void_each_others(
    between: Callable[[Refuse], None],
) -> None:
    fetched: list[str] = []

    def slow(method: str, path: str, body: bytes) -> int | None:
        if "/csrf-token" in path:
            fetched.append(path)
            time.sleep(0.5)
        return None

    between(slow)

    @flow
    def many() -> list[str]:
        for number in range(8):
            posting.post_artifact(f"one-of-{number}", "markdown", "One of eight", lambda: "Shown.")
        return posting.finish_posting()

    state: Any = many(return_state=True)
    assert state.result() == [] and len(artifacts_of(state)) == 8
    assert len(set(fetched)) == len(fetched) > 0, "no client has fetched a second token"


def test_a_post_that_is_refused_for_its_token_is_made_with_another(between: Callable[[Refuse], None]) -> None:
    fetched: list[str] = []

    def none_at_first(method: str, path: str, body: bytes) -> int | None:
        if "/csrf-token" in path:
            fetched.append(path)
            return 404 if len(fetched) == 1 else None  # as a server without such tokens answers, until it is updated
        return None

    between(none_at_first)

    @flow
    def one() -> list[str]:
        posting.post_artifact("refused-at-first", "markdown", "Refused at first", lambda: "Shown.")
        return posting.finish_posting()

    state: Any = one(return_state=True)
    assert state.result() == [] and artifacts_of(state).keys() == {"refused-at-first"}
    assert len(set(fetched)) == 2


def test_a_flow_run_waits_for_all_its_posts_together(
    between: Callable[[Refuse], None], run_log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    between(lambda method, path, body: 500 if path.endswith("/artifacts/") else None)
    monkeypatch.setattr(posting, "TRIES_FOR", 3.0)
    asked: list[str] = []

    @flow
    def many() -> list[str]:
        for number in range(3 * posting.TOGETHER):
            posting.post_artifact(f"away-{number}", "markdown", "Away", lambda: asked.append("") or "Shown.")
        return posting.finish_posting()

    state: Any = many(return_state=True)
    assert state.result() == [f"the artifact 'away-{number}'" for number in range(3 * posting.TOGETHER)]
    assert len(asked) <= posting.TOGETHER, "what has had no turn by then is not tried any more"
    told = "\n".join(run_log)
    assert all(what in told for what in state.result())


def test_artifacts_belong_to_the_task_runs_that_made_them(photo: Path, controller: OpenAIServer) -> None:
    state: Any = answer_request("Draw its edges", [str(photo)], options={"plan": EDGES}, return_state=True)
    shown = artifacts_of(state)

    def names() -> dict[Any, str]:
        wanted = FlowRunFilter.model_validate({"id": {"any_": [state.state_details.flow_run_id]}})
        with get_client(sync_client=True) as client:
            return {run.id: run.name for run in client.read_task_runs(flow_run_filter=wanted)}

    # Prefect's server hears of task runs by events, a little later.
    wait_until(lambda: names().keys() >= {one.task_run_id for one in shown.values()} - {None})
    assert {key: names().get(one.task_run_id) for key, one in shown.items()} == {
        "plan": None,
        "model-0": "select",
        "result-0": "0 · canny-control",
        "answer": "respond and record",
    }


def test_files_are_shown_by_their_names(photo: Path, controller: OpenAIServer) -> None:
    controller.script = {"respond": lambda call: f"Here: {re.findall(r'/[^ ]*?[.]png', call.text)[-1]}"}
    state: Any = answer_request("Draw its edges", [str(photo)], options={"plan": EDGES}, return_state=True)
    story = get_trace().requests.get(state.result()["request_id"])
    place = get_store().address(story.files[0].artifact)
    assert story.response == f"Here: {place}"
    assert state.message == "Here: photo-edges.png"
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(state.state_details.flow_run_id).name == "Draw its edges → Here: photo-edges.png"
    shown = artifacts_of(state)
    assert str(get_settings().home_dir) not in "".join(str(one.data) for one in shown.values())
    assert "`photo-edges.png` (image/png, " in shown["answer"].data and "`edges.png` (" in shown["result-0"].data


def test_the_plan_shows_how_its_tasks_ended(photo: Path, controller: OpenAIServer) -> None:
    plan = [
        *EDGES,
        {"task": "image-to-text", "id": 1, "dep": [-1], "args": {"image": "photo.png"}},
        {"task": "summarization", "id": 2, "dep": [1], "args": {"text": "<GENERATED>-1"}},
    ]
    state: Any = answer_request("Draw and read", [str(photo)], options={"plan": plan}, return_state=True)
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        (only,) = [one for one in client.read_artifacts(artifact_filter=wanted) if one.key == "plan"]
    picture = base64.b64decode(str(only.data).partition("base64,")[2].partition(")")[0]).decode()
    assert "<title>0 canny-control: done; 1 image-to-text: failed; 2 summarization: skipped</title>" in picture


def test_what_a_flow_run_posts_again_replaces_what_it_posted_before() -> None:
    @flow(log_prints=False)
    def posts(pause: bool) -> list[str]:
        for content in ("before", "after"):
            posting.post_artifact("again", "markdown", "Twice", lambda content=content: content, version=1)  # type: ignore[misc]
            if pause:
                posting.post_now()
                wait_until(lambda: not posting._under_way[str(flow_run.get_id())].waiting)
        return posting.finish_posting()

    for pause in (False, True):
        state: Any = posts(pause, return_state=True)
        assert state.result() == []
        wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
        with get_client(sync_client=True) as client:
            found = [one for one in client.read_artifacts(artifact_filter=wanted) if one.key == "again"]
            latest = client.request("GET", "/artifacts/{key}/latest", path_params={"key": "again"}).json()
        assert [one.data for one in found] == ["after"] and latest["data"] == "after"
        made = events("prefect.artifact.created", resource={"id": [f"prefect.artifact.{found[0].id}"]})
        assert len(made) == 1


def events(name: str, **about: Any) -> list[dict[str, Any]]:
    """The events of this name that Prefect's pages show."""
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/events/filter", json={"filter": {"event": {"name": [name]}, **about}})
    shown: list[dict[str, Any]] = found.json()["events"]
    return shown


def test_prefect_has_the_event_of_each_artifact_although_nobody_listens(photo: Path, controller: OpenAIServer) -> None:
    state: Any = answer_request("Draw its edges", [str(photo)], options={"plan": EDGES}, return_state=True)
    run = f"prefect.flow-run.{state.state_details.flow_run_id}"
    made = {f"prefect.artifact.{one.id}": one for one in artifacts_of(state).values()}

    def told() -> dict[str, dict[str, Any]]:
        found = events("prefect.artifact.created", related={"id": [run]})
        return {event["resource"]["prefect.resource.id"]: event for event in found}

    # Another test's automation may still be listening; then they come a moment late.
    wait_until(lambda: told().keys() == made.keys())
    for id_, event in told().items():
        assert event["resource"]["prefect.resource.name"] == made[id_].key
        assert event["payload"] == {name: getattr(made[id_], name) for name in ("key", "type", "description")}
        assert {one["prefect.resource.role"] for one in event["related"]} >= {"flow-run", "flow"}


def test_an_automation_hears_of_artifacts(photo: Path, controller: OpenAIServer) -> None:
    automation = {
        "name": "listens",
        "trigger": {"type": "event", "posture": "Reactive", "expect": ["prefect.artifact.created"], "threshold": 1},
        "actions": [{"type": "do-nothing"}],
    }
    with get_client(sync_client=True) as client:
        id_ = client.request("POST", "/automations/", json=automation).json()["id"]
        try:
            answer_request("Draw its edges", [str(photo)], options={"plan": EDGES}, return_state=True)
            about = {"resource": {"id": [f"prefect.automation.{id_}"]}}
            wait_until(lambda: events("prefect.automation.triggered", **about))
        finally:
            client.request("DELETE", f"/automations/{id_}")


def test_a_request_that_is_resumed_shows_what_an_earlier_life_made(
    photo: Path, controller: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailableError("The trace is away.")

    with monkeypatch.context() as patch:
        patch.setattr("tasks.recording.DATABASE_WAITS", ())
        patch.setattr(respond, "_status", away)
        first: Any = answer_request(
            "Draw its edges", [str(photo)], options={"plan": EDGES}, request_id="halved", return_state=True
        )
    assert first.is_failed() and "answer" not in artifacts_of(first)
    second: Any = answer_request("Draw its edges", request_id="halved", return_state=True)
    assert second.is_completed() and artifacts_of(second).keys() == {"plan", "model-0", "result-0", "answer"}


def test_runs_at_the_same_time_lose_nothing(photo: Path, controller: OpenAIServer) -> None:
    def run(number: int) -> Any:
        # What only this request asks is not taken from a cache, and its task runs end at once.
        similar = [{**CLOSE[0], "args": {**CLOSE[0]["args"], "text2": f"Kitten number {number} is on the rug."}}]
        return answer_request(f"Compare with {number}", options={"plan": similar}, return_state=True)

    with ThreadPoolExecutor(4) as threads:
        states = list(threads.map(run, range(12)))
    for state in states:
        assert state.is_completed() and artifacts_of(state).keys() == {"plan", "model-0", "result-0", "answer"}


# States


def test_the_final_state_says_how_the_answer_begins(photo: Path, controller: OpenAIServer) -> None:
    controller.script = {"respond": "The edges\nwere\x1b drawn. " + "Look! " * 100}
    state: Any = answer_request("Draw its edges", [str(photo)], options={"plan": EDGES}, return_state=True)
    assert state.message.startswith("The edges were drawn. Look! Look!") and state.message.endswith("…")
    assert len(state.message) == 200
    with get_client(sync_client=True) as client:
        seen = client.read_flow_run(state.state_details.flow_run_id)
    assert seen.state is not None and seen.state.message == state.message
    assert seen.name.startswith("Draw its edges → The edges were drawn. Look!") and len(seen.name) == 117


def test_a_failed_run_says_why_in_a_plain_sentence(controller: OpenAIServer, run_log: list[str]) -> None:
    controller.script = {"plan": wrong_key()}
    state: Any = answer_request("Do it", return_state=True)
    story = get_trace().requests.latest(1)[0]
    assert state.is_failed() and state.message == story.error
    assert artifacts_of(state)["answer"].data == as_text(f"Failed: {story.error}")
    # One line for the task run that could not plan, one for the flow run that says so.
    assert len(run_log) == 2 and all(line.startswith("Finished in state Failed(") for line in run_log)
    assert all("Traceback" not in line and "\n" not in line for line in run_log)


def test_an_expert_that_is_missing_is_one_line_in_the_log(controller: OpenAIServer, run_log: list[str]) -> None:
    plan = [{"task": "translation", "id": 0, "dep": [-1], "args": {"text": "Hello", "target_language": "French"}}]
    controller.script = {"translation": wrong_key()}
    state: Any = answer_request("Translate", options={"plan": [*plan, {**CLOSE[0], "id": 1}]}, return_state=True)
    assert state.name == "Partial"
    (line,) = run_log
    assert line.startswith("Finished in state Failed(") and "\n" not in line


def test_a_maintenance_run_fails_with_the_sentence_alone(run_log: list[str]) -> None:
    state: Any = warm_models(["nonsense"], return_state=True)
    assert state.message == "There is no task kind 'nonsense': `hugginggpt kinds` lists them."
    (line,) = run_log
    assert line.startswith("Finished in state Failed(") and "\n" not in line


def test_a_surprise_keeps_its_traceback(run_log: list[str]) -> None:
    @flow
    def surprising() -> None:
        raise ZeroDivisionError("by zero")

    assert surprising(return_state=True).is_failed()
    assert any("Traceback" in line for line in run_log)


# The lease


def test_a_lease_that_is_looked_at_as_its_request_ends_gives_no_alarm(
    photo: Path, controller: OpenAIServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HUGGINGGPT_LEASE_SECONDS", "1")
    get_settings.cache_clear()
    holds: list[Hold] = []
    renew = Lifecycle.renew_lease

    def noted(self: Lifecycle, *arguments: Any) -> Hold:
        holds.append(renew(self, *arguments))
        return holds[-1]

    monkeypatch.setattr(Lifecycle, "renew_lease", noted)
    all_posted = opening.all_posted

    @contextmanager
    def late() -> Iterator[None]:
        """Stay in the block of the lease until the lease was looked at once more."""
        with all_posted():
            yield
            wait_until(lambda: Hold.ENDED in holds, 30)

    monkeypatch.setattr(opening, "all_posted", late)
    with caplog.at_level("WARNING", "tasks.open"):
        state: Any = answer_request("Draw its edges", [str(photo)], options={"plan": EDGES}, return_state=True)
    assert state.is_completed()
    assert Hold.ENDED in holds
    assert [record.message for record in caplog.records if record.name == "tasks.open"] == []
