"""The Prefect server that a run starts where there is no other: it ends with its process, closed as the one of `up`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from tests import forked
from tests.servers import open_to_others, wait_until
from tests.stand_ins.openai_server import OpenAIServer, hangs

EDGES = {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}
SUMMARY = {"task": "summarization", "id": 0, "dep": [-1], "args": {"text": "A long text."}}
SPEECH = {"task": "text-to-speech", "id": 0, "dep": [-1], "args": {"text": "Slowly. " * 2000}}

PROGRAM = """
from flows.answer import answer_request
from hugginggpt.request import RequestOptions

state = answer_request("Draw the edges.", ["photo.png"], options=RequestOptions(plan=PLAN), return_state=True)
print(state.name)
"""


def with_photo(folder: Path) -> Path:
    picture = Image.new("RGB", (64, 48), "white")
    picture.paste("black", (20, 10, 44, 38))
    picture.save(folder / "photo.png")
    return folder


@pytest.fixture
def folder(alone: None, tmp_path: Path) -> Path:
    return with_photo(tmp_path)


@pytest.fixture
def started(folder: Path) -> Iterator[list[forked.Fork]]:
    """Processes that are ended with the test."""
    processes: list[forked.Fork] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def ask(
    folder: Path,
    plan: dict[str, object],
    log: str = "asked.log",
    umask: int = -1,
    environment: Mapping[str, str] = os.environ,
) -> forked.Fork:
    (folder / "plan.json").write_text(json.dumps([plan]))
    arguments = ["ask", "Do it.", "--file", "photo.png", "--plan", "plan.json"]
    with (folder / log).open("wb") as said:
        return forked.start(arguments, folder, environment, (0, said.fileno(), said.fileno()), umask)


def servers(folder: Path) -> list[psutil.Process]:
    """The Prefect servers that were started for the home in a folder, whoever runs them now."""
    found = []
    for process in psutil.process_iter():
        try:
            home, command = process.environ().get("HUGGINGGPT_HOME"), process.cmdline()
            ours = home == str(folder / "home") and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if ours and any("uvicorn" in word or "prefect_server" in word for word in command):
            found.append(process)
    return found


def address(server: psutil.Process) -> str | None:
    """Where it listens, once it answers."""
    for connection in server.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN:
            url = f"http://127.0.0.1:{connection.laddr.port}"
            try:
                return url if httpx.get(f"{url}/api/health", timeout=1).is_success else None
            except httpx.TransportError:
                return None
    return None


@dataclass(frozen=True)
class AtWork:
    """An `ask` whose last expert is at work."""

    folder: Path
    prefect_home: Path
    process: forked.Fork

    @property
    def said(self) -> str:
        return (self.folder / "asked.log").read_text()

    @property
    def server(self) -> psutil.Process:
        (server,) = servers(self.folder)
        return server


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtWork]:
    folder = with_photo(tmp_path_factory.mktemp("at-work"))
    others = {name: value for name, value in os.environ.items() if not name.startswith(("HUGGINGGPT_", "PREFECT_"))}
    with OpenAIServer(script={"summarization": hangs()}, key="sk-stand-in") as controller:
        environment = others | {
            "HUGGINGGPT_HOME": str(folder / "home"),
            "HF_HUB_OFFLINE": "1",
            "PREFECT_HOME": str(folder / "prefect"),
            "OPENAI_BASE_URL": controller.url,
            "OPENAI_API_KEY": "sk-stand-in",
        }
        found = AtWork(folder, folder / "prefect", ask(folder, SUMMARY, environment=environment))
        try:
            wait_until(lambda: controller.calls or found.process.poll() is not None)
            yield found
        finally:
            found.process.kill()
            found.process.wait()


def test_the_folder_of_prefect_that_the_user_names_is_its_folder(at_work: AtWork) -> None:
    databases = {Path(file.path).parent for file in at_work.server.open_files() if file.path.endswith("prefect.db")}
    assert databases == {at_work.prefect_home}


def test_another_user_of_the_machine_reads_and_starts_nothing(at_work: AtWork) -> None:
    """Who is not told its login is refused, in pages and on websockets; the run is reported to it all the same."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect
    from websockets.typing import Subprotocol

    url = address(at_work.server)
    assert url is not None
    with httpx.Client(base_url=f"{url}/api", headers={"Prefect-Csrf-Client": "a-stranger"}) as stranger:
        assert stranger.get("/csrf-token", params={"client": "a-stranger"}).status_code == 401
        for path in ("/flow_runs/count", "/deployments/filter", "/flows/", "/events/filter", "/logs/filter"):
            assert stranger.post(path, json={}).status_code in (401, 403)
        for path in ("/admin/version", "/admin/settings", "/artifacts/plan/latest", "/variables/name/health"):
            assert stranger.get(path).status_code == 401
    for path, login in (("events/out", None), ("events/in", "guessed"), ("logs/out", "guessed")):
        with connect(f"{url.replace('http', 'ws')}/api/{path}", subprotocols=[Subprotocol("prefect")]) as socket:
            socket.send(json.dumps({"type": "auth", "token": login}))
            with pytest.raises(ConnectionClosed):
                while json.loads(socket.recv(timeout=30))["type"] != "auth_success":
                    pass
    assert at_work.process.poll() is None, at_work.said


def test_it_ends_with_an_ask_that_is_killed_at_work(at_work: AtWork) -> None:
    assert at_work.server.is_running(), at_work.said
    at_work.process.send_signal(signal.SIGKILL)
    wait_until(lambda: not servers(at_work.folder))


def test_it_ends_with_an_ask_that_is_killed_while_it_comes_up(folder: Path, started: list[forked.Fork]) -> None:
    started.append(ask(folder, SPEECH))
    wait_until(lambda: servers(folder))
    started[0].send_signal(signal.SIGKILL)
    wait_until(lambda: not servers(folder))


def test_it_outlives_ctrl_c_until_the_ask_has_ended(folder: Path, started: list[forked.Fork]) -> None:
    started.append(ask(folder, SPEECH))
    wait_until(lambda: "Working" in (folder / "asked.log").read_text() or started[0].poll() is not None)
    (server,) = servers(folder)
    server.send_signal(signal.SIGINT)  # as a terminal sends it to both
    started[0].send_signal(signal.SIGINT)
    assert started[0].wait() == 130
    said = (folder / "asked.log").read_text()
    assert "Interrupted. Finished results are kept" in said and "Traceback" not in said
    assert not servers(folder)


def test_a_python_program_has_the_same(
    folder: Path, started: list[forked.Fork], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []

    def look(call: object) -> str:
        (server,) = servers(folder)
        url = address(server)
        assert url is not None
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            refused.append(httpx.get(f"{url}/api/health", headers=headers).status_code)
        refused.append(httpx.post(f"{url}/api/flows/filter", json={}).status_code)
        for login in (None, ("admin", "meant for an up")):
            refused.append(httpx.get(f"{url}/api/admin/version", auth=login).status_code)
        assert "hugginggpt:" not in " ".join(server.cmdline()), "everybody can read it there"
        return "The edges are drawn."

    with OpenAIServer(script={"respond": look}, key="sk-stand-in") as controller:
        monkeypatch.setenv("OPENAI_BASE_URL", controller.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-stand-in")
        monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "admin:meant for an up")
        (folder / "program.py").write_text(f"PLAN = {[EDGES]!r}\n{PROGRAM}")
        done = forked.run([], folder, os.environ, module="program")
    assert (done.returncode, done.stdout) == (0, "Completed\n"), done.stderr
    assert refused == [403, 403, 403, 401, 401]
    assert not servers(folder)


def test_what_it_writes_lies_in_the_private_home(
    folder: Path, started: list[forked.Fork], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is with a umask that lets everybody in, with two at once, and with a profile of the user's."""
    profiles = folder / "user" / ".prefect" / "profiles.toml"
    profiles.parent.mkdir(parents=True)
    profiles.write_text('active = "mine"\n[profiles.mine]\nPREFECT_SERVER_LOGGING_LEVEL = "ERROR"\n')
    monkeypatch.setenv("HOME", str(folder / "user"))
    monkeypatch.setenv("PREFECT_PROFILE", "mine")
    monkeypatch.delenv("PREFECT_HOME")
    with OpenAIServer(script={"respond": "The edges are drawn."}, key="sk-stand-in") as controller:
        monkeypatch.setenv("OPENAI_BASE_URL", controller.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-stand-in")
        started += [ask(folder, EDGES, f"{name}.log", umask=0) for name in ("one", "two")]
        for process, name in zip(started, ("one", "two"), strict=True):
            code, said = process.wait(), (folder / f"{name}.log").read_text()
            assert code == 0 and "WARNING" not in said, said
    home = Path(os.environ["HUGGINGGPT_HOME"])
    assert (home / "prefect" / "temporary" / "prefect.db").is_file()
    assert open_to_others(home) == []
    assert [path for path in profiles.parent.rglob("*") if path.is_file()] == [profiles]


def test_a_server_that_does_not_come_up_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{folder}/nowhere/prefect.db")
    asked = ask(folder, EDGES)
    assert asked.wait() == 1
    assert "Error: The temporary Prefect server did not start (" in (folder / "asked.log").read_text()
    assert not servers(folder)


def test_what_is_wrong_with_the_home_is_said_by_the_command_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_HOME")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("HUGGINGGPT_HOME", "/dev/null/home")
    command = [sys.executable, "-m", "apps.up.prefect_server", "--port", "0", "--parent", str(os.getpid())]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", "")
