"""The command line as its users have it: a process, with a Prefect server to report to."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from hugginggpt.services import reset
from tests.servers import prefect_server

COMMAND = [sys.executable, "-m", "apps.cli"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Prefect profile with nothing in it."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def prefect_api(prefect_home: Path) -> Iterator[str]:
    """The API of a real Prefect server."""
    with prefect_server(prefect_home) as url:
        yield url


@pytest.fixture
def alone(prefect_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server of anybody's."""
    monkeypatch.setenv("PREFECT_HOME", str(prefect_home))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def hugginggpt(alone: None, tmp_path: Path) -> Run:
    """Run `hugginggpt` in an empty folder and wait for it."""

    def run(*arguments: str | Path, stdin: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def inside(alone: None) -> Iterator[CliRunner]:
    """Run commands that need no Prefect in this process."""
    reset()
    yield CliRunner()
    reset()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    picture = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(picture).rectangle((16, 12, 48, 36), fill="black")
    picture.save(path)
    return path
