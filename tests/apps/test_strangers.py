"""Commands in a folder with packages of somebody else that have the names of ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.installation import COMMAND

INSTALLED = [sys.executable, "-P", "-m", "apps.cli"]
"""As the installed command runs: Python does not look into the current folder."""

PLAN = [{"task": "text-to-speech", "id": 0, "dep": [-1], "args": {"text": "A cat sits on a mat."}}]


def put_strangers(folder: Path) -> None:
    """Make a folder of somebody else, whose packages end every process that imports them."""
    for name in ("flows", "tasks"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('somebody else')\n")
    (folder / "plan.json").write_text(json.dumps(PLAN))


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    put_strangers(tmp_path)
    return tmp_path


def run(folder: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)


@pytest.mark.parametrize("command", [COMMAND, INSTALLED])
def test_what_needs_none_of_them_works(alone: None, strangers: Path, command: list[str]) -> None:
    listed = run(strangers, *command, "kinds")
    assert listed.returncode == 0, listed.stderr
    assert "image-to-text" in listed.stdout


@pytest.mark.parametrize("arguments", [["ask", "Say it", "--plan", "plan.json"], ["up"], ["submit", "Say it"]])
def test_a_command_that_finds_them_says_so(alone: None, strangers: Path, arguments: list[str]) -> None:
    for name in ("flows", "tasks"):
        refused = run(strangers, *COMMAND, *arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        (line,) = refused.stderr.splitlines()
        assert line.startswith(
            f"Error: Python finds {strangers / name / '__init__.py'} instead of HuggingGPT's package"
        )
        (strangers / name).rename(strangers / f"no-{name}")


def test_a_module_of_the_name_is_a_stranger_too(alone: None, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("raise SystemExit('somebody else')\n")
    refused = run(tmp_path, *INSTALLED, "status", PYTHONPATH=str(tmp_path))
    assert refused.returncode == 2
    assert f"Python finds {tmp_path / 'tasks.py'} instead of HuggingGPT's package tasks" in refused.stderr
