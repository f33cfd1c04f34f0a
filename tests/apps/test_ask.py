"""`ask` and `resume` from outside: real processes, a real Prefect server, real experts."""

import hashlib
import json
import os
import pty
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from hugginggpt.trace.report import AnswerReport
from hugginggpt.trace.story import RequestTrace
from tests import forked
from tests.apps.conftest import Begin, Run
from tests.stand_ins.openai_server import OpenAIServer, hangs, wrong_key

EDGES = {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}
SPEECH = {"task": "text-to-speech", "id": 1, "dep": [-1], "args": {"text": "A kitten is on the rug."}}
SUMMARY = {"task": "summarization", "id": 2, "dep": [-1], "args": {"text": "A long text."}}
SAID = {"task": "summarization", "id": 3, "dep": [2], "args": {"text": "<GENERATED>-2"}}


@pytest.fixture
def hugginggpt(hugginggpt: Run, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """With the lasting server, which spares every run the start of its own."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    return hugginggpt


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with OpenAIServer(key="right") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        yield server


def written(tmp_path: Path, *tasks: dict[str, Any]) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(tasks))
    return path


def test_a_given_plan_from_request_to_files(hugginggpt: Run, photo: Path, tmp_path: Path) -> None:
    plan = written(tmp_path, EDGES, SPEECH)
    arguments = ["ask", "Draw the edges and say it.", "--file", photo.name, "--plan", plan, "--out", "made"]

    began = time.monotonic()
    first = hugginggpt(*arguments, "--json")
    wall = time.monotonic() - began
    whole = AnswerReport.model_validate_json(first.stdout)
    # What the person waited: Python's start is part of it, and so is the way to the first task.
    story = RequestTrace.model_validate_json(hugginggpt("trace", "export", whole.request_id).stdout)
    worked = sum(life.seconds for life in story.lives)
    assert worked < whole.seconds <= wall + 0.02  # the start of a process is known to a hundredth of a second
    assert whole.seconds - worked == pytest.approx(whole.waiting_seconds, abs=0.01)
    (said,) = [line for line in first.stderr.splitlines() if re.match(r"(Completed|Partial) in ", line)]
    assert re.search(r" in \d+\.\d s, of which \d+\.\d s waiting", said), said
    assert first.returncode == {"completed": 0, "partial": 3}[whole.status], first.stderr
    assert [(t.task, t.status, t.endpoint, t.attempts) for t in whole.tasks] == [
        ("canny-control", "completed", "embedded", 1),
        ("text-to-speech", "completed", "embedded", 1),
    ]
    assert whole.plan == [EDGES, SPEECH]
    assert sorted(Path(file.path).name for file in whole.files) == ["photo-edges.png", "speech.wav"]
    for file in whole.files:
        content = Path(file.path).read_bytes()
        assert Path(file.path).parent == tmp_path / "made"
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.bytes)
    assert Image.open(tmp_path / "made" / "photo-edges.png").size == (64, 48)
    steps = first.stderr.splitlines()
    assert steps.index("Planned: 0 · canny-control") < steps.index(said)
    assert any(line.startswith("0 · canny-control: done in ") for line in steps)

    again = hugginggpt(*arguments)
    assert again.returncode == first.returncode
    assert again.stdout.startswith(f"{whole.response}\n")
    assert "0 · canny-control: from the cache, made by " in again.stderr
    # The answer names them, or the line after it.
    saved = "".join(line for line in again.stdout.splitlines() if line.startswith("Saved in made: "))
    assert all(f"made/{name}" in again.stdout or name in saved for name in ("photo-edges.png", "speech.wav"))
    assert str(Path(os.environ["HUGGINGGPT_HOME"])) not in again.stdout
    assert f"In Prefect: {os.environ['PREFECT_API_URL'].removesuffix('/api')}/runs/flow-run/" in again.stderr
    assert "hugginggpt trace show " in again.stderr


def test_a_plan_by_the_controller_and_a_second_turn(hugginggpt: Run, controller: OpenAIServer, photo: Path) -> None:
    controller.script = {
        "plan": [{"tasks": [EDGES]}, {"tasks": []}],
        "respond": "The edges are drawn.",
        "answer": "Yes.",
    }
    first = hugginggpt("ask", "-", "--file", photo, "--json", stdin="Draw the edges.\n")
    told = AnswerReport.model_validate_json(first.stdout)
    assert (first.returncode, told.status, told.response) == (0, "completed", "The edges are drawn.")
    assert (told.plan, told.controller.calls) == ([EDGES], len(controller.calls))
    assert Path(told.files[0].path).is_relative_to(Path(os.environ["HUGGINGGPT_HOME"]))

    second = hugginggpt("ask", "Are you sure?", "--continue", "--json")
    more = AnswerReport.model_validate_json(second.stdout)
    assert (second.returncode, more.conversation_id) == (0, told.conversation_id)
    planning = [call.text for call in controller.calls if call.stage == "plan"][-1]
    assert "The edges are drawn." in planning
    assert "turn1-0.png" in planning

    third = hugginggpt("ask", "Really?", "--conversation", told.conversation_id[:8], "--json")
    assert AnswerReport.model_validate_json(third.stdout).conversation_id == told.conversation_id


def test_a_failing_branch_makes_it_partial(
    hugginggpt: Run, controller: OpenAIServer, photo: Path, tmp_path: Path
) -> None:
    controller.script = {"summarization": wrong_key(), "respond": "The edges are drawn."}
    done = hugginggpt("ask", "Do it", "--file", photo, "--plan", written(tmp_path, EDGES, SUMMARY, SAID), "--json")
    whole = AnswerReport.model_validate_json(done.stdout)
    assert (done.returncode, whole.status) == (3, "partial")
    assert {t.id: t.status for t in whole.tasks} == {0: "completed", 2: "failed", 3: "skipped"}
    assert any(line.startswith("2 · summarization: failed: ") for line in done.stderr.splitlines())
    assert any(line.startswith("3 · summarization: skipped: ") for line in done.stderr.splitlines())
    assert "right" not in done.stderr


def test_without_the_controller_at_the_end_the_results_are_the_answer(
    hugginggpt: Run, controller: OpenAIServer, photo: Path, tmp_path: Path
) -> None:
    controller.script = {"respond": wrong_key()}
    done = hugginggpt("ask", "Do it", "--file", photo, "--plan", written(tmp_path, EDGES), "--json")
    whole = AnswerReport.model_validate_json(done.stdout)
    assert (done.returncode, whole.status) == (3, "partial")
    assert whole.response and whole.error
    assert f"Note: {whole.error}" in done.stderr.splitlines()
    assert "Error: " not in done.stderr


@pytest.mark.slow
def test_what_is_left_of_a_fresh_request_is_done_afresh(
    hugginggpt: Run, begin: Begin, controller: OpenAIServer, tmp_path: Path
) -> None:
    arguments = ["ask", "Do it", "--plan", written(tmp_path, SPEECH, SUMMARY), "--json"]
    controller.script = {"summarization": "It is short.", "respond": "It is done."}
    assert hugginggpt(*arguments).returncode == 0

    controller.script = {"summarization": hangs(), "respond": "It is done."}
    asking = begin(*arguments, "--fresh")
    asking.read_until("2 · summarization: running")
    asking.send_signal(signal.SIGINT)
    asking.communicate()

    controller.script = {"summarization": "It is a text.", "respond": "It is done."}
    request_id = json.loads(hugginggpt("trace", "list", "--json").stdout)[0]["request_id"]
    whole = AnswerReport.model_validate_json(hugginggpt("resume", request_id, "--json").stdout)
    assert [task.status for task in whole.tasks] == ["completed", "completed"]
    assert whole.tasks[1].outputs[0].text == "It is a text."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((" ",), "The request is empty: say what to do."),
        (("Read it", "--file", "nowhere.png"), "nowhere.png does not exist; check the path."),
    ],
)
def test_a_refused_request_is_wrong_usage_before_there_is_a_run(
    hugginggpt: Run, prefect_api: str, arguments: tuple[str, ...], sentence: str
) -> None:
    runs_before = httpx.post(f"{prefect_api}/flow_runs/count", json={}).json()
    listed_before = hugginggpt("trace", "list", "--json").stdout
    refused = hugginggpt("ask", *arguments, "--json")
    assert (refused.returncode, refused.stdout) == (2, "")
    (line,) = refused.stderr.splitlines()
    assert line.startswith("Error: ") and sentence in line
    assert hugginggpt("trace", "list", "--json").stdout == listed_before
    assert httpx.post(f"{prefect_api}/flow_runs/count", json={}).json() == runs_before


def test_a_plan_that_cannot_run_here_fails(hugginggpt: Run, photo: Path, tmp_path: Path) -> None:
    plan = written(tmp_path, {"task": "text-to-video", "id": 0, "args": {"text": "a cat"}})
    failed = hugginggpt("ask", "Make it", "--plan", plan, "--json")
    assert failed.returncode == 1
    assert "text-to-video" in failed.stderr
    assert json.loads(failed.stdout)["status"] == "failed"


@pytest.mark.parametrize(
    ("interruption", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_an_interrupted_request_is_resumed(
    hugginggpt: Run,
    begin: Begin,
    controller: OpenAIServer,
    photo: Path,
    tmp_path: Path,
    interruption: signal.Signals,
    code: int,
) -> None:
    controller.script = {"summarization": hangs(), "respond": "It is done."}
    text = f"A text that nobody has summarised before {interruption.name}."
    plan = written(tmp_path, EDGES, SUMMARY | {"args": {"text": text}})
    asking = begin("ask", "Do it", "--file", photo, "--plan", plan)
    seen = asking.read_until("0 · canny-control: done", "2 · summarization: running")
    request_id = json.loads(hugginggpt("trace", "list", "--json").stdout)[0]["request_id"]
    meddling = hugginggpt("resume", request_id)
    assert meddling.returncode == 1
    assert "is still running, in" in meddling.stderr

    asking.send_signal(interruption)
    out, err = asking.communicate()
    assert (asking.returncode, out) == (code, "")
    assert f"`hugginggpt resume {request_id[:8]}` continues." in err
    assert "Traceback" not in seen + err

    controller.script = {"summarization": "It is short.", "respond": "It is done."}
    resumed = hugginggpt("resume", request_id[:8], "--json", "--out", "made")
    whole = AnswerReport.model_validate_json(resumed.stdout)
    assert (resumed.returncode, whole.status, whole.request_id) == (0, "completed", request_id)
    assert [(t.id, t.attempts) for t in whole.tasks if t.id == 0] == [(0, 1)]
    story = json.loads(hugginggpt("trace", "export", request_id).stdout)
    assert [life["ending"] for life in story["lives"]] == ["crashed", "finished"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "lines"),
    [
        (
            ["--plan", "-"],
            "no plan at all",
            ["Error: <stdin>: There is no plan in this text: a JSON list of tasks was expected."],
        ),
        (["--continue"], "", ["Error: There is no conversation to continue: ask without --continue first."]),
        (["--continue", "--conversation", "a"], "", ["Error: Pass either --continue or --conversation."]),
        (["--out", "/dev/null/made"], "", None),
        (["--deadline", "nan"], "", ["Error: Invalid value for '--deadline': nan is not a number of seconds."]),
        (["--deadline", "inf"], "", ["Error: Invalid value for '--deadline': inf is not a number of seconds."]),
        (["--max-cost", "nan"], "", ["Error: Invalid value for '--max-cost': nan is not a number of dollars."]),
        (["--deadline", "abc"], "", ["Error: Invalid value for '--deadline': 'abc' is not a valid number."]),
        (["--plan", "nowhere.json"], "", None),
        (
            ["--schema", "-"],
            '{"type": "object", "properties": {"a": {"$ref": "#/b"}}}',
            ["Error: <stdin>: the schema cannot be used: its reference #/b leads nowhere."],
        ),
        (
            ["--schema", "-"],
            '{"type": "object", "properties": ' * 900 + "{}" + "}" * 900,
            ["Error: <stdin>: the schema is nested deeper than 20 times."],
        ),
        (["--schema", "-", "--plan", "-"], "{}", ["Error: Only one of the request, --plan and --schema can be -."]),
        (
            ["--model", "image-to-txt=org/a"],
            "",
            [
                "Error: Invalid value for '--model': 'image-to-txt' is neither a kind of task (did you mean "
                "image-to-text) nor the id of a task, which is a number."
            ],
        ),
        (["--model", "-1=org/a"], "", None),
        (
            ["--model", "ocr=org/a", "--model", "ocr=org/b"],
            "",
            ["Error: Invalid value for '--model': two models are given for ocr: keep one."],
        ),
        (
            ["--plan", "-"],
            '[{"task": "image-to-text", "args": {"image": "a.png"}, "model": 5}]',
            ["Error: <stdin>: the 'model' of a task of the plan is not the name of a model: give its id as a text."],
        ),
    ],
)
def test_wrong_usage_costs_nothing(hugginggpt: Run, arguments: list[str], stdin: str, lines: list[str] | None) -> None:
    refused = hugginggpt("ask", "Do it", *arguments, stdin=stdin)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Error: " in refused.stderr
    if lines is not None:
        assert refused.stderr.splitlines()[-len(lines) :] == lines
    assert json.loads(hugginggpt("trace", "list", "--json").stdout) == []


def test_the_models_of_the_user_are_used_or_named(hugginggpt: Run, photo: Path, tmp_path: Path) -> None:
    (model,) = [c["id"] for c in json.loads(hugginggpt("models", "--kind", EDGES["task"], "--json").stdout)][:1]
    arguments = ["ask", "Draw the edges", "--file", photo.name, "--plan", written(tmp_path, EDGES), "--json"]
    drawn = hugginggpt(*arguments, "--model", f"0={model}", "--model", "9=org/a", "--model", "text-to-speech=org/b")
    story = RequestTrace.model_validate_json(
        hugginggpt("trace", "export", AnswerReport.model_validate_json(drawn.stdout).request_id).stdout
    )
    (selection,) = [task.selection for task in story.tasks]
    assert selection is not None and selection.choice.chosen_by == "request"
    assert selection.choice.chosen.card.id == model
    assert [line for line in drawn.stderr.splitlines() if "was not used" in line] == [
        "Note: --model 9=org/a was not used: the plan has no such task.",
        "Note: --model text-to-speech=org/b was not used: the plan has no such task.",
    ]


def test_a_plan_that_cannot_run_is_refused_and_recorded(hugginggpt: Run, prefect_api: str) -> None:
    plan = '[{"task": "nonsense", "id": 0}, {"task": "canny-control", "id": 1, "args": {}}]'
    refused = hugginggpt("ask", "Do it", "--plan", "-", stdin=plan, PREFECT_API_URL=prefect_api)
    assert refused.returncode == 1
    assert "unknown kind 'nonsense'" in refused.stderr and "lacks its argument 'image'" in refused.stderr
    (listed,) = json.loads(hugginggpt("trace", "list", "--json").stdout)
    assert (listed["status"], listed["tasks"]) == ("failed", 0)


@pytest.mark.parametrize("other", ["--plan", "--schema"])
@pytest.mark.parametrize("command", ["ask", "submit"])
def test_the_request_is_the_only_thing_on_stdin(hugginggpt: Run, command: str, other: str) -> None:
    refused = hugginggpt(command, "-", other, "-", stdin="[]")
    assert refused.returncode == 2
    assert "Only one of the request, --plan and --schema can be -." in refused.stderr


def test_with_a_schema_stdout_is_json_or_empty(
    hugginggpt: Run, controller: OpenAIServer, photo: Path, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"total": {"$ref": "#/$defs/n"}}, "$defs": {"n": {}}}')
    arguments = ["ask", "What is it?", "--file", photo.name, "--plan", written(tmp_path, EDGES, SUMMARY)]
    controller.script = {"summarization": "The total is 42.5 EUR.", "respond": {"total": 42.5}}
    done = hugginggpt(*arguments, "--schema", schema, "--out", "made")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"total": 42.5}
    assert re.search(r"^Saved in made: .*photo-edges\.png", done.stderr, re.MULTILINE)

    controller.script = {"respond": {"total": 43.5}}
    missing = hugginggpt(*arguments, "--schema", schema)
    assert (missing.returncode, missing.stdout) == (3, "")
    assert "'43.5' is not in the results." in missing.stderr and "The total is 42.5 EUR." in missing.stderr


def test_a_request_that_no_flow_run_can_carry(hugginggpt: Run) -> None:
    refused = hugginggpt("ask", "-", stdin="x" * 600_000)
    assert refused.returncode == 2
    assert "put long texts into files" in refused.stderr
    assert len(refused.stderr) < 1000


def test_without_its_servers_nothing_is_begun(hugginggpt: Run) -> None:
    secret = "postgresql://ada:secret@127.0.0.1:9/trace"
    refused = hugginggpt("ask", "Do it", HUGGINGGPT_DATABASE_URL=secret)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: The trace database postgresql+psycopg://ada:***@127.0.0.1:9/trace cannot")
    assert len(refused.stderr.splitlines()) == 1
    refused = hugginggpt("ask", "Do it", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: The Prefect server at http://127.0.0.1:9/api cannot be used")
    assert json.loads(hugginggpt("trace", "list", "--json").stdout) == []


def test_expert_workers_without_a_lasting_server_are_refused_at_once(
    hugginggpt: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL")
    refused = hugginggpt(
        "ask", "Do it", HUGGINGGPT_TASK_RUNNER="dask", PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="0"
    )
    assert refused.returncode == 2
    (sentence,) = refused.stderr.splitlines()
    assert sentence.startswith("Error: Expert workers need a Prefect server that they can reach: start one with")


@pytest.mark.slow
def test_a_database_that_is_lost_midway_leaves_a_way_on(
    hugginggpt: Run, controller: OpenAIServer, photo: Path, tmp_path: Path
) -> None:
    home = Path(os.environ["HUGGINGGPT_HOME"])

    def lose(call: object) -> str:
        with sqlite3.connect(home / "trace.db") as database:
            database.execute("ALTER TABLE requests RENAME TO lost")
        return "The edges are drawn."

    controller.script = {"respond": lose}
    lost = hugginggpt("ask", "Do it", "--file", photo, "--plan", written(tmp_path, EDGES), HUGGINGGPT_LEASE_SECONDS="1")
    assert (lost.returncode, lost.stdout) == (1, "")
    assert "Error: The trace database" in lost.stderr
    assert "Finished results are kept: `hugginggpt resume " in lost.stderr
    assert "Traceback" not in lost.stderr


def test_on_a_terminal_with_a_temporary_server(
    hugginggpt: Run, controller: OpenAIServer, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.script = {"plan": {"tasks": [EDGES]}, "respond": "The edges\x1b[K are drawn."}
    monkeypatch.delenv("PREFECT_API_URL")
    terminal, child = pty.openpty()
    words = ["ask", "Draw the edges", "--file", str(photo)]
    asking = forked.start(words, tmp_path, os.environ | {"TERM": "xterm-256color"}, (child, child, child))
    os.close(child)
    shown = _read(terminal)
    assert asking.wait() == 0
    assert "Starting a temporary Prefect server" in shown
    assert "0 · canny-control" in shown
    assert "✓" in shown
    assert "Completed in " in shown
    assert "hugginggpt up" in shown
    assert "The edges are drawn." in shown


def _read(terminal: int) -> str:
    """Everything that is shown until the other side is closed."""
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so when nobody has the other side any more
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode()
        parts.append(part)
