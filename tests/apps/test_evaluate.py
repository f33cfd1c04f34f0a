"""`evaluate` from outside."""

import json
import os
import signal
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table

from apps.cli.main import main
from apps.cli.scores import score_tables
from hugginggpt.evaluation.datasets import Form
from hugginggpt.evaluation.metrics import Group
from hugginggpt.evaluation.report import EvaluationReport, GroupScores
from tests.apps.conftest import Begin, Run
from tests.servers import wait_until
from tests.stand_ins.openai_server import OpenAIServer, hangs, wrong_key

READ = {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "scan.png"}}
OWN = {"id": "a", "request": "Read scan.png", "files": ["scan.png"], "plan": [READ]}
THEIRS = {
    "id": "b",
    "user_request": "Read scan.png",
    "task_nodes": [{"task": "Image-to-Text", "arguments": ["scan.png"]}],
}


@pytest.fixture
def hugginggpt(hugginggpt: Run, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """With the lasting server, which spares every run the start of its own."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    return hugginggpt


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with OpenAIServer({"plan": {"tasks": [READ]}}, key="right") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        yield server


def written(tmp_path: Path, *rows: dict[str, Any] | str) -> Path:
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), "utf-8")
    return path


def test_one_object_and_nothing_else(hugginggpt: Run, controller: OpenAIServer, tmp_path: Path) -> None:
    path = written(tmp_path, OWN, OWN | {"id": "c"}, {"id": "d", "request": "Hello", "plan": []})
    done = hugginggpt("evaluate", "--dataset", path.name, "--limit", "2", "--json")
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)
    assert EvaluationReport.model_validate(whole).model_dump(mode="json") == whole
    assert (whole["dataset"], whole["controller"], whole["model"]) == (str(path), "openai", "gpt-4o-mini")
    assert (whole["samples"], whole["node_f1"], whole["value_f1"], whole["valid"]) == (2, 100.0, 100.0, 100.0)
    assert whole["seconds_median"] > 0

    again = hugginggpt("evaluate", "--dataset", path, "--limit", "2", "--json")
    assert json.loads(again.stdout) == whole
    assert controller.stages().count("plan") == 2
    fresh = hugginggpt("evaluate", "--dataset", path, "--limit", "2", "--json", "--fresh")
    assert json.loads(fresh.stdout)["evaluation_id"] != whole["evaluation_id"]
    assert controller.stages().count("plan") == 4


def test_published_figures_stand_beside_taskbenchs_requests_alone(
    hugginggpt: Run, controller: OpenAIServer, tmp_path: Path
) -> None:
    stopwatch = THEIRS | {"task_nodes": [{"task": "Stopwatch", "arguments": []}]}
    theirs = hugginggpt("evaluate", "--dataset", written(tmp_path, THEIRS, stopwatch))
    assert theirs.returncode == 0, theirs.stderr
    assert "gpt-4o-mini (openai)" in theirs.stdout
    assert "gpt-3.5-turbo, as published" in theirs.stdout
    assert "they count as missed: Stopwatch (1)." in theirs.stderr
    own = hugginggpt("evaluate", "--dataset", written(tmp_path, OWN))
    assert "gpt-4o-mini (openai)" in own.stdout
    assert "as published" not in own.stdout
    assert "1 request: 100.0 % with a valid plan, 100.0 % with exactly the right tasks" in own.stdout


def test_a_controller_that_is_out_of_order_is_a_sentence(
    hugginggpt: Run, controller: OpenAIServer, tmp_path: Path
) -> None:
    controller.script = {"*": wrong_key(), "plan": wrong_key(), "check": wrong_key()}
    done = hugginggpt("evaluate", "--dataset", written(tmp_path, OWN))
    assert (done.returncode, done.stdout) == (1, "")
    assert "did not accept the key" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_was_planned_before_a_controller_failed_is_kept(
    hugginggpt: Run, controller: OpenAIServer, tmp_path: Path
) -> None:
    controller.script = {"plan": [{"tasks": [READ]}, wrong_key()], "check": ["OK.", wrong_key()]}
    path = written(tmp_path, *(OWN | {"id": n} for n in range(8)))
    done = hugginggpt("evaluate", "--dataset", path, "--verbose")
    assert (done.returncode, done.stdout) == (1, "")
    assert "The plans so far are kept: run the same command without --fresh to continue.\n" in done.stderr
    assert "Error: The controller at" in done.stderr


def test_the_embedded_controller_plans_too(hugginggpt: Run, tmp_path: Path) -> None:
    path = written(tmp_path, OWN, OWN | {"id": "c"}, OWN | {"id": "d"})
    done = hugginggpt("evaluate", "--dataset", path, "--controller", "embedded", "--limit", "2", "--json")
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)
    assert EvaluationReport.model_validate(whole).model_dump(mode="json") == whole
    assert (whole["controller"], whole["samples"]) == ("embedded", 2)
    assert whole["calls"] >= 2


@pytest.mark.parametrize("width", [80, 60])
def test_no_figure_is_cut_on_a_narrow_terminal(width: int) -> None:
    figures = {"accuracy": 100.0, "precision": 100.0, "recall": 100.0, "f1": 100.0}
    report = EvaluationReport(
        evaluation_id="e" * 32,
        dataset="requests.jsonl",
        dataset_sha256="d",
        form=Form.TASKBENCH,
        controller="embedded",
        model="SmolLM2-135M-Instruct",
        planner_sha256="p",
        **dict.fromkeys(("node_f1", "edge_f1", "name_f1", "value_f1", "exact", "valid"), 100.0),
        **dict.fromkeys(("seconds_median", "seconds_p95", "seconds_mean"), 1.0),
        **dict.fromkeys(("samples", "calls", "prompt_tokens", "completion_tokens"), 12345),
        by_group={group: GroupScores(samples=12345, **figures, edit_distance=0.125) for group in Group},
    )
    tables = [part for part in score_tables(report) if isinstance(part, Table)]
    for table, widest in zip(tables, (" 100.0" * 4, " 12345" + " 100.0" * 4 + " 0.125"), strict=True):
        console = Console(width=width, file=StringIO())
        console.print(table)
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert all(len(line) <= width for line in lines)
        assert any(" ".join(line.split()).endswith(widest) for line in lines)
        assert not any("…" in line for line in lines)
        if width == 80:
            headers, notes = 2, 2 * bool(table.caption)
            assert len(lines) == headers + table.row_count + notes


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["{"], "Line 1 of the dataset {path} is not JSON."),
        ([OWN, OWN | {"plan": None}], "Line 2 of the dataset {path} has no list of tasks in 'plan'."),
        (
            [{"request": "hello"}],
            "Line 1 of the dataset {path} has no list of tasks in 'plan', nor in 'task_nodes' as TaskBench has it.",
        ),
        ([], "The dataset {path} has no samples: write one JSON object per line."),
    ],
)
def test_a_malformed_dataset_is_a_sentence(
    inside: CliRunner, tmp_path: Path, rows: list[dict[str, Any] | str], sentence: str
) -> None:
    path = written(tmp_path, *rows)
    refused = inside.invoke(main, ["evaluate", "--dataset", str(path)])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == f"Error: {sentence.format(path=path)}\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--controller", "openai"], "There is no server for the controller 'openai'"),
        (["--controller", "other"], "Invalid value for '--controller'"),
        (["--limit", "0"], "Invalid value for '--limit'"),
        (["--dataset", os.devnull], f"The dataset {os.devnull} is not a regular file"),
    ],
)
def test_wrong_options_are_a_sentence(inside: CliRunner, tmp_path: Path, options: list[str], sentence: str) -> None:
    refused = inside.invoke(main, ["evaluate", "--dataset", str(written(tmp_path, OWN)), *options])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert sentence in refused.stderr


def test_an_interrupted_evaluation_goes_on(
    hugginggpt: Run, begin: Begin, controller: OpenAIServer, tmp_path: Path
) -> None:
    controller.script = {"plan": [{"tasks": [READ]}, hangs()]}
    path = written(tmp_path, *(OWN | {"id": n} for n in range(8)))
    arguments = ["evaluate", "--dataset", str(path), "--json"]
    process = begin(*arguments)
    # One is planned, four hang.
    wait_until(lambda: controller.stages().count("plan") == 5 or not process.is_running)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert "Error: Interrupted. The plans so far are kept: run the same command" in told

    controller.script = {"plan": {"tasks": [READ]}}
    controller.calls.clear()
    done = hugginggpt(*arguments)
    assert (done.returncode, json.loads(done.stdout)["samples"]) == (0, 8)
    assert controller.stages().count("plan") == 7
