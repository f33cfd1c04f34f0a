import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from apps.cli.main import main
from hugginggpt.plan import parse_plan
from tests.stand_ins.openai_server import OpenAIServer

EDGES = {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (8, 8), "white").save(path)
    return path


def test_prints_what_ask_takes(inside: CliRunner, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer({"plan": {"tasks": [{**EDGES, "args": {"image": "photo.png", "colour": "red"}}]}}) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        planned = inside.invoke(main, ["plan", "-", "--file", str(photo)], input="Draw its edges\n")
        assert planned.exit_code == 0
        assert parse_plan(planned.stdout).to_list() == [EDGES]
        assert "Repaired: Task 0 (canny-control) takes no argument 'colour'" in planned.stderr
        assert "Draw its edges" in server.calls[0].text
        whole = json.loads(inside.invoke(main, ["plan", "Draw its edges", "--file", str(photo), "--json"]).stdout)
    assert whole["plan"] == [EDGES]
    assert len(whole["repairs"]) == 1
    assert "canny-control" in whole["offered_kinds"]


def test_a_step_that_cannot_run_here_is_noted(inside: CliRunner, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move = {"task": "image-to-video", "id": 1, "dep": [-1], "args": {"image": "photo.png"}}
    monkeypatch.setenv("HUGGINGGPT_MODEL_MEMORY", "0")
    with OpenAIServer({"plan": {"tasks": [EDGES, move]}}) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        planned = inside.invoke(main, ["plan", "Draw and move it", "--file", str(photo)])
        whole = json.loads(inside.invoke(main, ["plan", "Draw and move it", "--file", str(photo), "--json"]).stdout)
    assert planned.exit_code == 0 and parse_plan(planned.stdout).to_list() == [EDGES, move]
    (noted,) = [line for line in planned.stderr.splitlines() if line.startswith("Note: Task")]
    assert noted.startswith("Note: Task 1: image-to-video cannot run here. ")
    assert whole["obstacles"] == [noted.removeprefix("Note: ")]


def test_an_empty_plan_says_so(inside: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer({"plan": {"tasks": []}}) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        planned = inside.invoke(main, ["plan", "Hello"])
    assert (planned.exit_code, planned.stdout) == (0, "[]\n")
    assert "the request is answered directly" in planned.stderr


def test_problems_that_remain_are_a_line_each(inside: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [{"task": "canny-control", "id": 0, "args": {"image": name}} for name in ("a.png", "b.png")]
    with OpenAIServer({"plan": {"tasks": bad}}) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        planned = inside.invoke(main, ["plan", "Draw"])
        assert server.stages() == ["plan", "plan"]
    assert (planned.exit_code, planned.stdout) == (1, "")
    assert [line.split("'")[1] for line in planned.stderr.splitlines()] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["plan", "  "], 2, "The request is empty: say what to do."),
        (["plan", "Read it", "--file", "nowhere.png"], 2, "nowhere.png does not exist; check the path."),
        (["plan", "Read scan.png aloud"], 1, "names 'scan.png', which is not a file of the request"),
        (["plan", "Draw a red car on a beach"], 1, "text-to-image cannot run here. "),
    ],
)
def test_what_cannot_be_planned(inside: CliRunner, arguments: list[str], code: int, sentence: str) -> None:
    refused = inside.invoke(main, arguments)
    assert (refused.exit_code, refused.stdout) == (code, "")
    assert sentence in refused.stderr
