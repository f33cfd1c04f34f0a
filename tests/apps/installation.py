"""A home folder whose `up` and commands are real."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import psutil
from click.testing import CliRunner
from PIL import Image

from apps.cli.main import main
from hugginggpt.services import reset
from tests import forked
from tests.servers import SELDOM, free_port, prefect_client, wait_until

COMMAND = [sys.executable, "-m", "apps.cli"]


def run_command(
    arguments: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    stdin: str | None = None,
    umask: int = -1,
) -> "subprocess.CompletedProcess[str]":
    """Run `hugginggpt` and wait for it; in this process what only looks into the trace, which tests do often.

    Args:
        arguments: the words after `hugginggpt`.
        folder: where it runs.
        environment: all of its variables.
        stdin: what it reads there; None for nothing.
        umask: its umask; -1 for that of this process.
    """
    words = [*map(str, arguments)]
    if words[0] != "trace":
        return forked.run(words, folder, environment, stdin, umask=umask)
    with mock.patch.dict(os.environ, environment, clear=True), chdir(folder):
        reset()
        try:
            done = CliRunner().invoke(main, words)
        finally:
            reset()
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


class Installation:
    """A home folder, and how its users call; with this process's own umask when it is -1."""

    def __init__(self, folder: Path, umask: int = -1, **environment: str) -> None:
        self.umask = umask
        self.folder = folder
        self.home = folder / "home"
        self.port = free_port()
        self.service_port = free_port()
        others = {name: value for name, value in os.environ.items() if not name.startswith(("HUGGINGGPT_", "PREFECT_"))}
        self.environment = others | {
            "HUGGINGGPT_HOME": str(self.home),
            "HUGGINGGPT_CPU_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "PREFECT_HOME": str(folder / "prefect"),
            "COLUMNS": "200",
            **SELDOM,
            **environment,
        }
        self.photo = folder / "shared" / "photo.png"
        self.environment["HUGGINGGPT_FILE_ROOTS"] = str(self.photo.parent)
        self.photo.parent.mkdir()
        picture = Image.new("RGB", (64, 48), "white")
        picture.paste("black", (20, 10, 44, 38))
        picture.save(self.photo)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.home / "up.json").read_text())
        return state

    def run(self, *arguments: str | Path, **environment: str | None) -> "subprocess.CompletedProcess[str]":
        """Run `hugginggpt` here and wait for it, with variables set otherwise, or not set where they are None."""
        own = {name: value for name, value in (self.environment | environment).items() if value is not None}
        return run_command(arguments, self.folder, own, umask=self.umask)

    def up(self, *arguments: str) -> list[str]:
        return ["up", "--port", str(self.port), "--service-port", "0", "--expert-workers", "0", *arguments]

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """`up` in the foreground; what it says is in a file."""
        command = [*COMMAND, *self.up(*arguments)]
        with self.said_file.open("wb") as said:
            return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=said)

    @contextmanager
    def is_up(self, *arguments: str) -> Iterator[None]:
        """`up` in the foreground, ready until the block ends."""
        supervisor = self.begin(*arguments)
        try:
            wait_until(lambda: "page:" in self.said or supervisor.poll() is not None)
            assert supervisor.poll() is None
            yield
        finally:
            self.end()
            supervisor.wait()

    def end(self) -> None:
        """Stop whatever runs here, if a test has left it."""
        if (self.home / "up.json").exists():
            self.run("down")
        for process in self.processes():
            process.kill()

    @property
    def said_file(self) -> Path:
        return self.folder / "said.txt"

    @property
    def said(self) -> str:
        return self.said_file.read_text()

    def processes(self) -> list[psutil.Process]:
        """Whatever runs for this home folder, whoever started it."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HUGGINGGPT_HOME") == str(self.home):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def commands(self) -> str:
        """What everybody on this machine can read of them: their command lines."""
        lines = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # it has just ended
                lines.append(" ".join(process.cmdline()))
        return "\n".join(lines)

    def post(self, path: str, content: dict[str, Any]) -> Any:
        with prefect_client(self.api) as client:
            answer = client.post(path, json=content).raise_for_status()
        return answer.json() if answer.content else None

    def submit(self, request: str, **options: Any) -> str:
        """Give a request to the deployment, as any client of Prefect's API does."""
        deployment = httpx.get(f"{self.api}/deployments/name/answer-request/on-demand").raise_for_status().json()
        parameters = {"request": request, "files": [str(self.photo)], "options": options}
        run = self.post(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        identifier: str = run["id"]
        return identifier
