"""Requests handed to the deployed flow, by every documented way, and answered by a real worker."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from apps.cli.main import main
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace, reset
from hugginggpt.settings import CHECKOUT
from hugginggpt.trace.story import RequestTrace
from tests import forked
from tests.apps.conftest import Run, deploy
from tests.servers import prefect_client, wait_until

DOCS = (CHECKOUT / "docs" / "triggering.md").read_text()
PLAN = [{"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "sign.png"}}]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the worker and those who submit."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def worker(prefect_api: str, prefect_home: Path, home: Path) -> Iterator[None]:
    """The deployment, and a worker that runs it."""
    environment = os.environ | {
        "PREFECT_HOME": str(prefect_home),
        "PREFECT_API_URL": prefect_api,
        "HUGGINGGPT_HOME": str(home),
        "HUGGINGGPT_CPU_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
    }
    deploy(prefect_api, prefect_home, "on-demand")
    start = [sys.executable, "-m", "apps.up.flow_worker", "--limit", "2"]
    with (home / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            start, env=environment | {"PREFECT_WORKER_QUERY_SECONDS": "1"}, stdout=log, stderr=log
        )
    yield
    process.terminate()
    process.wait()


@pytest.fixture
def deployed(
    worker: None, prefect_api: str, home: Path, alone: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    monkeypatch.setenv("HUGGINGGPT_HOME", str(home))
    reset()
    yield
    reset()


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    path = tmp_path / "sign.png"
    image = PILImage.new("RGB", (640, 640), "white")
    ImageDraw.Draw(image).text((30, 40), "TOTAL 42.50 EUR", fill="black", font=ImageFont.load_default(size=56))
    image.save(path)
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    return path


def ended(request_id: str) -> RequestTrace:
    def has_ended() -> bool:
        latest = get_trace().requests.latest(100)
        return any(one.request_id == request_id and one.finished_at is not None for one in latest)

    wait_until(has_ended)
    return get_trace().requests.get(request_id)


def python(block: str, folder: Path) -> str:
    (folder / "program.py").write_text(block)
    done = forked.run([], folder, os.environ, module="program")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_submit_and_wait_prints_the_answer(deployed: None, hugginggpt: Run, sign: Path) -> None:
    arguments = ("submit", "What does it say?", "--file", sign.name, "--plan", "plan.json", "--id", "sign-1")
    done = hugginggpt(*arguments, "--wait", "--json", "--out", "made")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["request_id"], report["status"]) == ("sign-1", "completed")
    assert "42.50" in Path(sign.parent / "made" / "sign-text.txt").read_text()

    again = hugginggpt(*arguments)
    assert (again.returncode, again.stdout) == (0, "sign-1\n")
    assert "was submitted before" in again.stderr
    shown = hugginggpt(*arguments, "--wait")
    assert re.search(r"^In Prefect: http://127\.0\.0\.1:\d+/runs/flow-run/\S+$", shown.stderr, re.MULTILINE)
    assert len(get_trace().requests.get("sign-1").lives) == 1
    other = hugginggpt("submit", "Something else", "--id", "sign-1")
    assert other.returncode == 2
    assert "id sign-1 belongs to a different request" in other.stderr


def test_a_schema_is_kept_to_by_the_deployment(deployed: None, hugginggpt: Run, sign: Path) -> None:
    schema = {"type": "object", "properties": {"total": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}}
    (sign.parent / "schema.json").write_text(json.dumps(schema))
    arguments = ("submit", "Fill this in.", "--file", sign.name, "--plan", "plan.json", "--schema", "schema.json")
    done = hugginggpt(*arguments, "--id", "form-1", "--wait", "--out", "made")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) in ({"total": 42.5}, {})
    assert "Saved in made: sign-text.txt" in done.stderr
    assert get_trace().requests.get("form-1").options["answer_schema"] == schema


def test_a_batch_takes_its_good_lines_and_names_the_others(deployed: None, hugginggpt: Run, sign: Path) -> None:
    lines: list[Any] = [
        {"request": "Read it", "files": [sign.name], "plan": PLAN, "id": "batch-1"},
        {"files": [sign.name]},
        {"request": "Read it", "files": ["nowhere.png"]},
        {"request": "Read it", "urgent": True},
        {"request": "Read it", "deadline": "soon"},
        {"request": "  "},
    ]
    text = "\n".join([json.dumps(lines[0]), "", "not json", "[]", *map(json.dumps, lines[1:])])
    done = hugginggpt("submit", "--batch", "-", "--wait", stdin=text)
    assert done.returncode == 3
    assert done.stdout.startswith("batch-1  completed  ")
    complaints = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert [re.match(r"Error: Line (\d+): ", line)[1] for line in complaints] == ["3", "4", "5", "6", "7", "8", "9"]  # type: ignore[index]
    assert "'request' cannot be used: field required." in complaints[2]
    assert "nowhere.png does not exist" in complaints[3]
    assert hugginggpt("submit", "--batch", "-", stdin="{}").returncode == 2
    assert "There is no request in" in hugginggpt("submit", "--batch", "-", stdin="\n").stderr


@pytest.fixture
def closed_server() -> Iterator[str]:
    """The API of a Prefect server that is well, and lets nobody in."""

    class Closed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b"true"
            self.send_response(200 if self.path.endswith("/health") else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


def test_what_prefect_cannot_start_stays_in_line_and_its_id_is_told(
    hugginggpt: Run, sign: Path, closed_server: str
) -> None:
    there = {"PREFECT_API_URL": closed_server}
    done = hugginggpt("submit", "Read it", "--file", sign.name, "--id", "stays-1", **there)
    assert (done.returncode, done.stdout) == (0, "stays-1\n")
    assert "Note: Request stays-1 is in line and starts as soon as Prefect can: Prefect's server " in done.stderr
    lines = "\n".join(json.dumps({"request": "Read it", "id": f"stays-{n}"}) for n in (2, 3))
    done = hugginggpt("submit", "--batch", "-", "--json", stdin=lines, **there)
    assert done.returncode == 0
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(t["request_id"], t["flow_run_id"]) for t in told] == [("stays-2", None), ("stays-3", None)]
    assert done.stderr.count("is in line") == 1
    listed = json.loads(hugginggpt("trace", "list", "--json").stdout)
    assert {(r["request_id"], r["status"]) for r in listed} == {(f"stays-{n}", "queued") for n in (1, 2, 3)}


def test_for_later_needs_no_server(hugginggpt: Run, sign: Path) -> None:
    done = hugginggpt("submit", "Read it", "--file", sign.name, "--later", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["new"] and told["flow_run_id"] is None
    shown = hugginggpt("trace", "list", "--json")
    assert [(r["request_id"], r["status"]) for r in json.loads(shown.stdout)] == [(told["request_id"], "queued")]
    cancelled = hugginggpt("cancel", told["request_id"][:8])
    assert cancelled.stdout == f"Cancelled request {told['request_id']}.\n"
    again = hugginggpt("cancel", told["request_id"][:8])
    assert again.returncode == 1 and "has already ended (cancelled)" in again.stderr

    refused = hugginggpt("submit", "Read it")
    assert refused.returncode == 1
    assert "There is no Prefect server to submit the request to" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([""], "Error: The request is empty: say what to do."),
        ([" \n"], "Error: The request is empty: say what to do."),
        (["Read it", "--deadline", "nan"], "Error: Invalid value for '--deadline': nan is not a number of seconds."),
        (["Read it", "--max-cost", "nan"], "Error: Invalid value for '--max-cost': nan is not a number of dollars."),
    ],
)
def test_what_cannot_be_meant_is_not_submitted(inside: CliRunner, arguments: list[str], line: str) -> None:
    refused = inside.invoke(main, ["submit", *arguments])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1] == line
    assert get_trace().requests.latest() == []


def test_an_id_that_cannot_be_taken_is_wrong_usage(inside: CliRunner) -> None:
    assert inside.invoke(main, ["submit", "Read it", "--id", "mine", "--later"]).exit_code == 0
    for text, name, sentence in (
        ("Read it", "a b/c", "The request id 'a b/c' is not valid: use letters, digits, '.', '_' and '-'."),
        ("Sum it", "mine", "The id mine belongs to a different request: give this one another id."),
    ):
        refused = inside.invoke(main, ["submit", text, "--id", name, "--later"])
        assert (refused.exit_code, refused.stdout, refused.stderr) == (2, "", f"Error: {sentence}\n")


def test_the_documented_program_is_answered(deployed: None, sign: Path) -> None:
    run, refer, look = blocks("python")[:3]
    (reference,) = re.findall(r"artifact://\S+", python(refer, sign.parent))
    assert reference.endswith("/sign.png")
    said = python(run.replace("https://example.com/sign.png", reference), sign.parent)
    assert said.startswith(("Completed", "Partial"))
    story = ended("sign-18")
    assert story.resources[0].name == "sign.png" and story.options["deadline"] == 120
    assert python(look, sign.parent) == f"{story.status} {story.response}\n"


def test_the_documented_call_over_http_is_answered_once(deployed: None, sign: Path) -> None:
    (_, curl) = blocks("bash")
    refer = blocks("python")[1]
    (reference,) = re.findall(r"artifact://\S+", python(refer, sign.parent))
    command = curl.replace("https://example.com/sign.png", reference)
    ids = set()
    for _ in range(2):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=os.environ)
        assert done.returncode == 0, done.stderr
        ids.add(json.loads(done.stdout)["id"])
    assert len(ids) == 1
    story = ended("sign-19")
    assert story.status in (RequestStatus.COMPLETED, RequestStatus.PARTIAL)
    assert (story.flow_run_id, len(story.lives)) == (ids.pop(), 1)


def test_the_documented_event_starts_a_run(deployed: None, prefect_api: str, sign: Path) -> None:
    automation, emit = blocks("python")[3:]
    python(automation, sign.parent)
    python(emit, sign.parent)

    def asked() -> list[dict[str, Any]]:
        with prefect_client(prefect_api) as client:
            found = client.post("/flow_runs/filter", json={}).json()
        return [r["parameters"] for r in found if r["parameters"].get("request", "").startswith("Say in a word")]

    wait_until(lambda: bool(asked()))
    assert [r.text for r in [ended(asked()[0]["request_id"])]] == ["Say in a word what an invoice is."]


def test_cancelling_in_prefect_stops_the_run_and_its_experts(
    deployed: None, hugginggpt: Run, prefect_api: str, sign: Path
) -> None:
    sleepy = [{"task": "text-to-speech", "id": 0, "dep": [-1], "args": {"text": "Slowly. " * 4000}}]
    (sign.parent / "plan.json").write_text(json.dumps(sleepy))
    done = hugginggpt("submit", "Say it", "--plan", "plan.json", "--id", "say-1", "--json")
    run = json.loads(done.stdout)["flow_run_id"]
    wait_until(lambda: any(t.attempts for t in get_trace().requests.get("say-1").tasks))
    with prefect_client(prefect_api) as client:
        cancelling = {"state": {"type": "CANCELLING"}, "force": True}
        client.post(f"/flow_runs/{run}/set_state", json=cancelling).raise_for_status()
    wait_until(lambda: get_trace().requests.get("say-1").status is RequestStatus.CANCELLED)
    story = get_trace().requests.get("say-1")
    assert (story.lives[0].ending, story.tasks[0].outputs) == ("cancelled", ())
