"""Which controller answers beside an `up` that has another one: real `up`, expert worker and command line."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.conftest import run_command
from tests.apps.installation import Installation
from tests.apps.test_up import EDGES
from tests.servers import free_port
from tests.stand_ins.openai_server import OpenAIServer

pytest.importorskip("prefect_dask")
pytest.importorskip("xllamacpp")

SUMMARY: dict[str, Any] = {"task": "summarization", "id": 1, "dep": [-1], "args": {"text": "Edges are borders."}}


class Beside(Installation):
    """An `up` with an expert worker, and a command line whose environment may name another controller."""

    def ask(self, *arguments: str | Path, **environment: str | None) -> "subprocess.CompletedProcess[str]":
        own = self.environment | environment
        return run_command(arguments, self.folder, {name: value for name, value in own.items() if value is not None})


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(script={}, key="sk-own") as server:
        yield server


@pytest.fixture(scope="module", params=["embedded", "server"])
def beside(
    request: pytest.FixtureRequest, server: OpenAIServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Beside]:
    """An `up` whose controller is the embedded one, then one that has a server."""
    own = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-own"}
    installation = Beside(tmp_path_factory.mktemp("beside"), **(own if request.param == "server" else {}))
    with installation.is_up("--expert-workers", "1", "--dask-port", str(free_port())):
        yield installation


def test_the_controller_of_the_command_answers_and_is_named(beside: Beside, server: OpenAIServer) -> None:
    plan = beside.folder / "plan.json"
    plan.write_text(json.dumps([EDGES, SUMMARY]))
    server.script = {"plan": {"tasks": [EDGES, SUMMARY]}, "summarization": "Borders.", "respond": "They are borders."}
    server.calls.clear()
    up_has_server = "OPENAI_BASE_URL" in beside.environment
    theirs: dict[str, str | None] = {"OPENAI_BASE_URL": None, "OPENAI_API_KEY": None}
    own = theirs if up_has_server else {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-own"}
    here = {"model": "SmolLM2-135M-Instruct", "server": "embedded"}
    far = {"model": "gpt-4o-mini", "server": server.url}
    expected, of_up = (here, far) if up_has_server else (far, here)
    # The embedded model plans what it likes.
    given = ["--plan", plan] if up_has_server else []

    asked = beside.ask("ask", "Draw the edges.", "--file", beside.photo, *given, "--json", **own)
    told = json.loads(asked.stdout)
    assert {task["task"]: task["status"] for task in told["tasks"]} == {
        "canny-control": "completed",
        "summarization": "completed",
    }, asked.stderr
    assert told["controller"].items() >= expected.items()
    assert told["tasks"][1]["model"] == expected["model"]
    assert set(server.stages()) == (set() if up_has_server else {"plan", "summarization", "respond"})
    shown = json.loads(beside.ask("trace", "show", told["request_id"], "--json").stdout)
    assert shown["controller"] == told["controller"]
    story = beside.ask("trace", "show", told["request_id"]).stdout
    assert f"controller  {expected['model']}" in story

    planned = json.loads(beside.ask("plan", "Draw the edges.", "--file", beside.photo, "--json", **own).stdout)
    assert planned["controller"] == expected

    # What is submitted is answered by the `up`, and that is said where it is another.
    submitted = beside.ask(
        "submit", "Draw them.", "--file", beside.photo, "--plan", plan, "--wait", "--json", "--fresh", **own
    )
    names = {False: "SmolLM2-135M-Instruct (embedded)", True: f"gpt-4o-mini at {server.url}"}
    sentence = (
        f"Note: The controller that answers is {names[up_has_server]}, not {names[not up_has_server]} as configured "
        "here: use `hugginggpt ask` for your own, or start `hugginggpt up` again in this environment.\n"
    )
    assert sentence in submitted.stderr
    told = json.loads(submitted.stdout)
    assert told["controller"].items() >= of_up.items()
    assert 0 < told["waiting_seconds"] < told["seconds"]
    assert " s waiting for a worker" in submitted.stderr
    assert "The controller that answers" not in beside.ask("submit", "Draw them again.", "--later").stderr
