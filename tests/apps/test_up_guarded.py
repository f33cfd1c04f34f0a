"""`up` with expert workers where others might get in or in its way.

It listens beyond loopback, behind a login. Its umask lets everybody in. It was started by the installed command, in a
folder with packages of somebody else that have the names of ours.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.up.certificate import make_certificate
from hugginggpt.cluster.address import Certificates
from tests.apps.installation import Installation
from tests.apps.test_strangers import INSTALLED, PLAN, put_strangers
from tests.apps.test_up import EDGES
from tests.apps.test_up_on_postgresql import (  # noqa: F401
    server,
    test_the_controller_of_the_command_answers_and_is_named,
)
from tests.servers import free_port, listening, open_to_others, prefect_client

pytest.importorskip("prefect_dask")

LOGIN = "admin:between-us-alone"


class Guarded(Installation):
    """An installation that remembers what its commands said.

    Attributes:
        told: what they said, which everybody may read.
    """

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.strangers = folder / "strangers"
        put_strangers(self.strangers)
        super().__init__(folder, 0, HUGGINGGPT_ALLOWED_HOSTS="prefect.example", TMPDIR=str(self.temporary))
        self.dask_port = free_port()
        self.told: list[str] = []

    def run(self, *arguments: str | Path, **environment: str | None) -> "subprocess.CompletedProcess[str]":
        done = super().run(*arguments, **environment)
        self.told += [done.stdout, done.stderr]
        return done

    def run_installed(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run the installed command among the strangers."""
        done = subprocess.run(
            [*INSTALLED, *arguments],
            cwd=self.strangers,
            env=self.environment | environment,
            umask=self.umask,
            capture_output=True,
            text=True,
        )
        self.told += [done.stdout, done.stderr]
        return done


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    installation = Guarded(tmp_path_factory.mktemp("guarded"))
    workers = ("--expert-workers", "2", "--dask-port", str(installation.dask_port))
    command = installation.up("--host", "0.0.0.0", *workers, "--detach")
    try:
        begun = installation.run_installed(*command, PREFECT_SERVER_API_AUTH_STRING=LOGIN)
        assert begun.returncode == 0, begun.stdout + begun.stderr
        assert f"expert workers:  2 at tls://127.0.0.1:{installation.dask_port}\n" in begun.stdout
        yield installation
    finally:
        installation.end()


@pytest.fixture
def beside(here: Guarded) -> Guarded:
    """Its controller is the embedded one."""
    pytest.importorskip("xllamacpp")
    return here


def written(here: Guarded, *tasks: dict[str, Any]) -> Path:
    path = here.folder / "plan.json"
    path.write_text(json.dumps(tasks))
    return path


def test_beyond_loopback_with_a_login_everything_works(here: Guarded) -> None:
    question, out = ("--file", here.photo, "--plan", written(here, EDGES)), here.folder / "out"
    assert httpx.get(f"{here.api}/flow_runs/x").status_code == 401
    user, _, password = LOGIN.partition(":")
    with prefect_client(here.api, auth=(user, password)) as client:
        assert client.get("/deployments/name/answer-request/on-demand").is_success
        for name, code in (("prefect.example", 200), ("0.0.0.0", 403), ("evil.example", 403)):
            assert client.get("/health", headers={"Host": name}).status_code == code
    status = here.run("status", "--json")
    asked = here.run("ask", "Draw the edges.", *question, "--out", out)
    submitted = here.run("submit", "Draw these edges.", *question, "--wait")
    assert (status.returncode, asked.returncode, submitted.returncode) == (0, 0, 0), asked.stderr + submitted.stderr
    assert len(json.loads(status.stdout)["experts"]) == 2
    # What is not in the home is as its user has it.
    assert (out.stat().st_mode & 0o777, {file.stat().st_mode & 0o777 for file in out.iterdir()}) == (0o777, {0o666})


def test_only_the_server_listens_beyond_loopback(here: Guarded) -> None:
    beyond = here.state["parts"]["prefect-server"]
    assert listening(beyond) == {"0.0.0.0"}
    others = [process.pid for process in here.processes() if process.pid != beyond]
    assert {ip for process in others for ip in listening(process)} == {"127.0.0.1"}


def test_the_expert_workers_know_no_stranger(here: Guarded, tmp_path: Path) -> None:
    from distributed import Client

    make_certificate(tmp_path / "stranger.pem")
    stranger = Certificates(tmp_path / "stranger.pem", tmp_path / "stranger.pem").security()
    port = here.dask_port
    for address, known in ((f"tls://127.0.0.1:{port}", stranger), (f"tcp://127.0.0.1:{port}", None)):
        with pytest.raises(OSError):
            Client(address, security=known, timeout=5, set_as_default=False)


def test_packages_of_somebody_else_are_left_alone(here: Guarded) -> None:
    answered = here.run_installed("submit", "Say it", "--plan", "plan.json", "--wait", "--json")
    assert answered.returncode in (0, 3), answered.stderr
    assert [task["status"] for task in json.loads(answered.stdout)["tasks"]] == ["completed"] * len(PLAN)


def test_only_its_owner_gets_in_and_nobody_is_told_the_login(here: Guarded) -> None:
    assert open_to_others(here.home) == []
    assert (here.home / "up.json").stat().st_mode & 0o077 == 0
    here.run("trace", "list", "--json")
    here.told.append(here.commands())
    down = here.run_installed("down")
    assert (down.returncode, down.stdout) == (0, f"Stopped everything for {here.home}.\n")
    assert not here.processes()
    assert open_to_others(here.home) == []
    made = {path.name for path in here.home.iterdir()}
    assert made >= {"trace.db", "artifacts", "results", "logs", "prefect"} and "dask.pem" not in made
    assert not list(here.temporary.glob("hugginggpt-*"))
    _, _, secret = LOGIN.partition(":")
    assert not any(secret in text for text in here.told)
    kept = [file for file in here.folder.rglob("*") if file.is_file()]
    assert not [file for file in kept if secret.encode() in file.read_bytes()]
