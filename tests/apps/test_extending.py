"""The example of docs/extending.md, as a stranger's package: installed, and used by a fresh process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hugginggpt.settings import CHECKOUT
from hugginggpt.trace.report import AnswerReport
from tests.apps.conftest import Run
from tests.stand_ins.openai_server import OpenAIServer

TEXT = "Order A-4711 of 2026-11-23 comes to 81.99 EUR; ask ada@example.org."
FIND = {"task": "token-classification", "id": 0, "dep": [-1], "args": {"text": TEXT}}
BLACKEN = {"task": "redaction", "id": 1, "dep": [-1], "args": {"text": TEXT}}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example in it, as pip leaves it in site-packages. Nothing is downloaded."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(CHECKOUT / "examples" / "extending", folder / "source")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder / "site", folder / "source"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "site"


@pytest.fixture
def with_plugin(hugginggpt: Run, installed: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), str(CHECKOUT)]))
    return hugginggpt


def test_without_the_plugin_there_is_nothing_of_it(hugginggpt: Run) -> None:
    listed = json.loads(hugginggpt("models", "--kind", "token-classification", "--json").stdout)
    assert "acme/patterns" not in {candidate["id"] for candidate in listed}
    assert hugginggpt("models", "--kind", "redaction").returncode == 2


def test_its_kind_its_experts_and_its_models_are_listed(with_plugin: Run) -> None:
    kinds = {row["kind"]: row for row in json.loads(with_plugin("kinds", "--json").stdout)}
    row = kinds["redaction"]
    assert ([given["type"] for given in row["inputs"]], row["outputs"]) == (["text"], ["text"])
    assert (row["runtimes"], row["default_model"]) == (["embedded"], "acme/patterns")
    row = kinds["token-classification"]
    assert (row["runtimes"][0], row["default_model"]) == ("embedded", "acme/patterns")
    first, *others = json.loads(with_plugin("models", "--kind", "token-classification", "--json").stdout)
    assert (first["id"], first["revision"], first["endpoint"]) == ("acme/patterns", "1.0", "embedded")
    assert first["runs_here"] and first["licence"] == "apache-2.0"
    assert len(others) > 1, "the models that were there before stay"


def test_its_kind_and_its_model_are_offered_chosen_and_run(with_plugin: Run, prefect_api: str) -> None:
    with OpenAIServer(key="right") as controller:
        controller.script = {"plan": {"tasks": [FIND, BLACKEN]}, "respond": "It is order A-4711."}
        environment = {
            "OPENAI_BASE_URL": controller.url,
            "OPENAI_API_KEY": "right",
            "PREFECT_API_URL": prefect_api,
        }
        asked = with_plugin("ask", "What was ordered?", "--json", "--out", "made", **environment)
        planning = next(call.text for call in controller.calls if call.stage == "plan")
    report = AnswerReport.model_validate_json(asked.stdout)
    assert (asked.returncode, report.status, report.response) == (0, "completed", "It is order A-4711."), asked.stderr
    assert "token-classification" in planning and "redaction" in planning, "the planner is offered what it can do"
    for task in report.tasks:
        assert (task.status, task.model, task.endpoint) == ("completed", "acme/patterns", "embedded")
    marks, text = (Path(file.path).read_text() for file in report.files)
    assert text == "Order ██████ of ██████████ comes to █████████; ask ███████████████."
    found = json.loads(marks)["data"]
    assert [(entry["label"], entry["text"]) for entry in found] == [
        ("order", "A-4711"),
        ("date", "2026-11-23"),
        ("amount", "81.99 EUR"),
        ("e-mail", "ada@example.org"),
    ]
    assert all(TEXT[entry["start"] : entry["end"]] == entry["text"] for entry in found)
