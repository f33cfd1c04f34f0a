"""The command line as its users have it: a process, with a Prefect server to report to."""

import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from hugginggpt.environment import POOL
from hugginggpt.services import reset
from hugginggpt.settings import CHECKOUT
from tests import forked
from tests.apps.installation import Installation, run_command
from tests.servers import prefect_client
from tests.stand_ins.openai_server import OpenAIServer

Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Begun:
    """A command that was begun.

    Attributes:
        stderr: what it says there, as it says it.
        returncode: None until `communicate` sets it.
    """

    def __init__(self, words: Sequence[str | Path], folder: Path, module: str = "apps.cli") -> None:
        self.returncode: int | None = None
        self._said = folder / f"{uuid.uuid4().hex}.stdout"
        reading, writing = os.pipe()
        self.stderr = os.fdopen(reading, encoding="utf-8")
        with open(os.devnull) as nothing, self._said.open("w") as stdout, os.fdopen(writing, "w") as stderr:
            streams = [stream.fileno() for stream in (nothing, stdout, stderr)]
            self._process = forked.start([*map(str, words)], folder, os.environ, streams, module=module)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def read_until(self, *wanted: str) -> str:
        """What it says on stderr until it has said all of these."""
        seen = ""
        while not all(part in seen for part in wanted):
            line = self.stderr.readline()
            assert line, seen
            seen += line
        return seen

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def communicate(self) -> tuple[str, str]:
        """Wait until it has ended; what it has written to stdout, and the rest of stderr."""
        with self.stderr:
            rest = self.stderr.read()
        self.returncode = self._process.wait()
        return self._said.read_text("utf-8"), rest


Begin = Callable[..., Begun]


def deploy(api: str, prefect_home: Path, *names: str) -> None:
    """Create the work pool on a Prefect server, and those deployments of `deployments.yaml`."""
    environment = os.environ | {"PREFECT_HOME": str(prefect_home), "PREFECT_API_URL": api}
    chosen = [word for name in names for word in ("--name", name)]
    for command in (
        ["work-pool", "create", POOL, "--type", "process", "--overwrite"],
        ["deploy", *chosen, "--prefect-file", "deployments.yaml"],
    ):
        forked.run(["--no-prompt", *command], CHECKOUT, environment, module="prefect").check_returncode()


@pytest.fixture(scope="module")
def without_deployments(prefect_api: str) -> Iterator[str]:
    """The API of the Prefect server that lasts, without pool and deployments before and after."""

    def clear() -> None:
        with prefect_client(prefect_api) as client:
            for deployment in client.post("/deployments/filter", json={}).raise_for_status().json():
                client.delete(f"/deployments/{deployment['id']}").raise_for_status()
            if client.get(f"/work_pools/{POOL}").is_success:
                # With it goes the queue that a worker would take runs from.
                client.delete(f"/work_pools/{POOL}").raise_for_status()

    clear()
    yield prefect_api
    clear()


@pytest.fixture(scope="session")
def stand_in() -> Iterator[OpenAIServer]:
    """The controller of `stood_up`."""
    with OpenAIServer(key="right") as server:
        yield server


@pytest.fixture(scope="session")
def stood_up(tmp_path_factory: pytest.TempPathFactory, stand_in: OpenAIServer) -> Iterator[Installation]:
    """An installation that is up, and whose controller is a stand-in, for the files of `ONE_INSTALLATION`."""
    installation = Installation(
        tmp_path_factory.mktemp("up"),
        OPENAI_BASE_URL=stand_in.url,
        OPENAI_API_KEY="right",
        HUGGINGGPT_LEASE_SECONDS="6",
    )
    with installation.is_up():
        yield installation


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
        return run_command(arguments, tmp_path, os.environ | environment, stdin)

    return run


@pytest.fixture
def begin(alone: None, tmp_path: Path) -> Begin:
    """Begin `hugginggpt` in an empty folder."""
    return lambda *arguments: Begun(arguments, tmp_path)


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
