"""Commands beside `up`: the same tests as without it, by commands that cannot import Prefect, and what only it has."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from apps.http.client import find_service
from apps.up.flow_run_process import LOOK_SECONDS
from hugginggpt.results import RequestStatus
from hugginggpt.service_key import proof, read_key
from hugginggpt.services import get_trace, reset
from hugginggpt.trace.report import AnswerReport
from hugginggpt.trace.story import RequestTrace
from tests import forked
from tests.apps.conftest import Begin, Begun, Run
from tests.apps.installation import COMMAND, Installation
from tests.apps.test_ask import (  # noqa: F401
    EDGES,
    SUMMARY,
    test_a_failing_branch_makes_it_partial,
    test_a_given_plan_from_request_to_files,
    test_a_plan_by_the_controller_and_a_second_turn,
    test_a_plan_that_cannot_run_here_fails,
    test_a_refused_request_is_wrong_usage_before_there_is_a_run,
    test_an_interrupted_request_is_resumed,
    test_without_the_controller_at_the_end_the_results_are_the_answer,
    written,
)
from tests.apps.test_submit import sign, test_submit_and_wait_prints_the_answer  # noqa: F401
from tests.servers import prefect_client, wait_until
from tests.stand_ins.openai_server import OpenAIServer, hangs

WITHOUT_PREFECT = """
import sys


class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "prefect":
            raise ImportError("this command has no need of Prefect")


sys.meta_path.insert(0, Refusing())
"""
COMMAND_WITHOUT_PREFECT = f"""{WITHOUT_PREFECT}
import runpy

runpy.run_module("apps.cli", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def here(stood_up: Installation) -> Installation:
    return stood_up


@pytest.fixture
def prefect_api(here: Installation) -> str:
    return here.api


@pytest.fixture
def deployed() -> None:
    """The flow worker of the `up` answers what is submitted."""


@pytest.fixture
def controller(stand_in: OpenAIServer) -> OpenAIServer:
    stand_in.script = {}
    stand_in.calls.clear()
    return stand_in


@pytest.fixture
def photo(photo: Path) -> Path:
    """A picture of this test's own, because all of them share a home and its caches."""
    picture = Image.open(photo)
    picture.putpixel((0, 0), tuple(os.urandom(3)))
    picture.save(photo)
    return photo


@pytest.fixture
def hugginggpt(
    here: Installation, controller: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Run commands in the environment of the `up`, where they cannot import Prefect."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(WITHOUT_PREFECT)
    (tmp_path / "without" / "command_without_prefect.py").write_text(COMMAND_WITHOUT_PREFECT)
    for name in [name for name in os.environ if name.startswith(("HUGGINGGPT_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    path = os.pathsep.join([str(tmp_path / "without"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    for name, value in (here.environment | {"PREFECT_API_URL": here.api, "PYTHONPATH": path}).items():
        monkeypatch.setenv(name, value)
    reset()

    def run(*arguments: str | Path, stdin: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
        words = [*map(str, arguments)]
        return forked.run(words, tmp_path, os.environ | environment, stdin, module="command_without_prefect")

    yield run
    reset()


STEPS = 6


def unseen(folder: Path) -> Path:
    """A plan to summarise a text that no test has had summarised."""
    return written(folder, SUMMARY | {"args": {"text": f"A text about {uuid.uuid4().hex}."}})


@pytest.fixture
def begin(hugginggpt: Run, tmp_path: Path) -> Begin:
    """Begin commands in the environment of the `up`, where they cannot import Prefect."""
    return lambda *arguments: Begun(arguments, tmp_path, "command_without_prefect")


AtWork = Callable[..., tuple[Begun, threading.Event]]


@pytest.fixture
def at_work(begin: Begin, controller: OpenAIServer, tmp_path: Path) -> AtWork:
    """Begin a command with a request whose last expert is at work until the event is set."""

    def at_work(*command: str) -> tuple[Begun, threading.Event]:
        go_on = threading.Event()

        def summarise(call: object) -> str:
            go_on.wait(120)
            return "It is short."

        controller.script = {"summarization": summarise, "respond": "It is done."}
        client = begin(*command, "--plan", unseen(tmp_path))
        client.read_until("2 · summarization: running")
        return client, go_on

    return at_work


def latest() -> RequestTrace:
    return get_trace().requests.get(get_trace().requests.latest(1)[0].request_id)


def holder(story: RequestTrace) -> psutil.Process:
    """The process that works on a request."""
    return psutil.Process(int(story.lives[-1].holder.split(":")[-2]))


def call(here: Installation, method: str, path: str, content: Any = None, **headers: str) -> tuple[int, Any]:
    """Ask the service, with its key unless another authorization is given."""
    address = here.state["service_url"].removeprefix("http://")
    key = read_key(here.home)
    connection = http.client.HTTPConnection(address, timeout=60)
    known = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | headers
    body = None if content is None else json.dumps(content)
    connection.request(method, f"/api/v1{path}", body, {name: value for name, value in known.items() if value})
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    return answer.status, json.loads(found) if found else None


# Who gets in


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic wrong"}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
    ],
)
def test_only_who_has_the_key_and_is_no_page_elsewhere_gets_in(
    here: Installation, hugginggpt: Run, headers: dict[str, str], status: int
) -> None:
    before = get_trace().requests.latest()
    for method, path, content in (
        ("POST", "/requests", {"id": "planted", "request": "planted", "start": "later"}),
        ("POST", "/plans", {"request": "planted"}),
        ("GET", "/status", None),
        ("GET", "/requests/planted/events?since=2026-01-01T00:00:00Z", None),
        ("POST", "/requests/planted/cancel", {}),
        ("GET", "/openapi.json", None),
    ):
        assert call(here, method, path, content, **headers)[0] == status, path
    assert get_trace().requests.latest() == before


def test_the_key_is_the_owner_s_and_goes_only_to_who_has_it(here: Installation, hugginggpt: Run) -> None:
    assert (here.home / "api.key").stat().st_mode & 0o777 == 0o600
    key = read_key(here.home)
    assert key and call(here, "GET", "/health?challenge=abc", Authorization="") == (200, {"proof": proof(key, "abc")})
    commands = here.commands()
    assert "apps.up" in commands and key not in commands
    assert not any(key in log.read_text(errors="replace") for log in (here.home / "logs").iterdir())


def test_what_is_asked_wrongly_is_refused(here: Installation, hugginggpt: Run) -> None:
    assert call(here, "POST", "/requests", {"files": []})[0] == 422
    said = {
        "type": "RequestIdError",
        "message": "The request id 'a b' is not valid: use letters, digits, '.', '_' and '-'.",
    }
    asked = {"id": "a b", "request": "Read it", "start": "later"}
    assert call(here, "POST", "/requests", asked) == (409, {**said, "error": said})
    assert call(here, "POST", "/requests", {"id": "ab", "request": "Read it", "urgent": True})[0] == 422
    assert call(here, "GET", "/requests/typo")[0] == 404
    assert call(here, "GET", "/requests/typo/events?since=2026-01-01T00:00:00Z")[0] == 404


# The commands


def test_plan_and_status_are_the_same(
    here: Installation, hugginggpt: Run, controller: OpenAIServer, photo: Path
) -> None:
    controller.script = {"plan": {"tasks": [{**EDGES, "args": {"image": "photo.png", "colour": "red"}}]}}
    planned = hugginggpt("plan", "-", "--file", photo, stdin="Draw its edges\n")
    alone = here.run("plan", "Draw its edges", "--file", photo, "--verbose")
    assert (planned.returncode, planned.stdout) == (0, alone.stdout)
    assert "Repaired: Task 0 (canny-control) takes no argument 'colour'" in planned.stderr
    assert planned.stderr.splitlines() == [line for line in alone.stderr.splitlines() if "|" not in line]
    refused = hugginggpt("plan", "Draw", "--file", "nowhere.png")
    assert (refused.returncode, refused.stdout) == (2, "") and "nowhere.png does not exist" in refused.stderr

    shown, own = hugginggpt("status", "--json"), here.run("status", "--json", "--verbose")
    assert shown.returncode == own.returncode == 0
    told, owned = json.loads(shown.stdout), json.loads(own.stdout)
    for state in (told, owned):  # what changes from one second to the next
        state["requests"], state["server"]["deployments"], state["server"]["runs"] = {}, [], []
    assert told == owned
    key = read_key(here.home)
    assert key and key not in shown.stdout and "fingerprint" not in shown.stdout


def test_what_only_the_command_has_open_is_read_by_it(
    here: Installation, hugginggpt: Run, photo: Path, tmp_path: Path
) -> None:
    plan = written(tmp_path, EDGES)
    with photo.open("rb") as opened:
        done = subprocess.run(
            [*COMMAND, "ask", "Draw the edges.", "--file", "/dev/stdin", "--plan", str(plan)],
            stdin=opened,
            cwd=tmp_path,
            env=here.environment,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert latest().resources[0].source == "/dev/stdin"
    (tmp_path / "link").symlink_to("/dev/stdin")
    for name in ("/dev/stdin", "link"):
        asked = [*COMMAND, "ask", "Draw the edges.", "--file", name]
        piped = subprocess.run(asked, input="x", cwd=tmp_path, env=here.environment, capture_output=True, text=True)
        assert piped.returncode == 2 and "is a pipe; save its content to a file first." in piped.stderr


def test_other_settings_are_not_the_service_s(here: Installation, hugginggpt: Run, photo: Path, tmp_path: Path) -> None:
    other = hugginggpt("plan", "Draw", "--file", photo, HUGGINGGPT_TOP_K="3")
    assert other.returncode == 0, other.stderr  # without Prefect, which only flows need
    refused = hugginggpt("ask", "Draw", "--plan", written(tmp_path, EDGES), "--file", photo, HUGGINGGPT_TOP_K="3")
    assert refused.returncode == 1 and "no need of Prefect" in refused.stderr


def test_cancelling_and_resuming(hugginggpt: Run, controller: OpenAIServer, tmp_path: Path) -> None:
    submitted = hugginggpt("submit", "Say it", "--later", "--id", "later-1", "--plan", unseen(tmp_path))
    assert (submitted.returncode, submitted.stdout) == (0, "later-1\n")
    cancelled = hugginggpt("cancel", "typo", "later-1")
    assert (cancelled.returncode, cancelled.stdout) == (1, "Cancelled request later-1.\n")
    assert cancelled.stderr.startswith("Error: ") and "typo" in cancelled.stderr
    again = hugginggpt("cancel", "later-1")
    assert again.returncode == 1 and "has already ended (cancelled)" in again.stderr
    controller.script = {"summarization": "It is short.", "respond": "It is done."}
    resumed = hugginggpt("resume", "later", "--json")
    assert (resumed.returncode, json.loads(resumed.stdout)["response"]) == (0, "It is done.")
    shown = hugginggpt("resume", "later-1")
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (0, "It is done.")
    assert shown.stderr == "\nFor every detail: `hugginggpt trace show later-1`\n"
    assert hugginggpt("resume", "typo", "--out", "made").returncode == 1
    assert not (tmp_path / "made").exists()


def test_an_id_can_be_any_bytes(hugginggpt: Run) -> None:
    for command, name in (("resume", "\udcff"), ("cancel", "\udcff"), ("resume", "a/events"), ("resume", "")):
        unknown = hugginggpt(command, name)
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert unknown.stderr.startswith("Error: There is no request '")
    elsewhere = hugginggpt("ask", "Read it", "--conversation", "\udcff")
    assert (elsewhere.returncode, elsewhere.stderr[:29]) == (1, "Error: There is no conversati")
    refused = hugginggpt("submit", "Read it", "--id", "\udcff")
    assert refused.returncode == 2 and refused.stderr.startswith("Error: 'id' cannot be used: ")


def test_what_is_begun_several_times_at_once_runs_once(
    here: Installation, hugginggpt: Run, controller: OpenAIServer, tmp_path: Path
) -> None:
    controller.script = {"summarization": "It is short.", "respond": "It is done."}
    asked = {"id": f"at-once-{uuid.uuid4().hex}", "request": "Do it", "start": "now"}
    asked |= {"plan": json.loads(unseen(tmp_path).read_text())}
    with ThreadPoolExecutor(4) as clients:
        begun = [*clients.map(lambda _: call(here, "POST", "/requests", asked)[0], range(4))]
    assert begun == [201] * 4
    service = find_service()
    assert service is not None
    told = [*service.events(asked["id"], lives=0, since=datetime.now(UTC), waits="waiting", resumes=False)]
    assert told[-1].name == "ended", told[-1]
    assert (latest().request_id, latest().response, len(latest().lives)) == (asked["id"], "It is done.", 1)


# What is lost


def test_a_plan_that_nobody_waits_for_is_given_up(here: Installation, begin: Begin, controller: OpenAIServer) -> None:
    def jobs() -> list[psutil.Process]:
        found = []
        for process in here.processes():
            with suppress(psutil.Error):  # it has just ended
                found += [process] if Path(process.cwd()).name.startswith("job-") else []
        return found

    wait_until(lambda: not jobs())
    controller.script = {"plan": hangs()}
    client = begin("plan", "Draw")
    wait_until(lambda: controller.calls)
    assert jobs()
    client.send_signal(signal.SIGINT)
    _, err = client.communicate()
    assert (client.returncode, err) == (130, "Error: Interrupted.\n")
    wait_until(lambda: not jobs())


def test_a_client_that_vanishes_changes_nothing(at_work: AtWork) -> None:
    client, go_on = at_work("ask", "Do it")
    client.send_signal(signal.SIGKILL)
    client.communicate()
    go_on.set()
    wait_until(lambda: latest().finished_at is not None)
    assert (latest().status, latest().response, len(latest().lives)) == (RequestStatus.COMPLETED, "It is done.", 1)


def test_a_killed_run_is_told_and_resumed(
    hugginggpt: Run, begin: Begin, controller: OpenAIServer, tmp_path: Path
) -> None:
    controller.script = {"summarization": hangs(), "respond": "It is done."}
    client = begin("ask", "Do it", "--plan", unseen(tmp_path))
    client.read_until("2 · summarization: running")
    holder(latest()).kill()
    out, err = client.communicate()
    assert (client.returncode, out) == (1, "")
    request_id = latest().request_id
    assert f"Finished results are kept: `hugginggpt resume {request_id[:8]}` continues." in err
    assert "Error: The process that worked on it ended unexpectedly" in err

    controller.script = {"summarization": "It is short.", "respond": "It is done."}
    resumed = hugginggpt("resume", request_id, "--json")
    assert AnswerReport.model_validate_json(resumed.stdout).response == "It is done.", resumed.stderr
    assert [life.ending for life in latest().lives] == ["died", "finished"]


def test_who_follows_a_request_in_line_follows_it_through_the_death_of_its_process(
    here: Installation, hugginggpt: Run, controller: OpenAIServer, tmp_path: Path
) -> None:
    controller.script = {"summarization": hangs(), "respond": "It is done."}
    asked = {"request": "Do it", "plan": json.loads(Path(unseen(tmp_path)).read_text())}
    status, taken = call(here, "POST", "/requests", asked)
    assert status == 201, taken
    service = find_service()
    assert service is not None
    headlines: list[str] = []
    killed: psutil.Process | None = None
    for event in service.events(taken["request_id"], lives=0, since=datetime.now(UTC), waits="waiting", resumes=True):
        assert event.name != "failed", event.data
        if event.name == "ended":
            break
        headlines.append(event.data["headline"])
        if any(step["running"] for step in event.data["steps"]) and not killed:
            killed = holder(latest())
            killed.kill()
            controller.script = {"summarization": "It is short.", "respond": "It is done."}
        if headlines[-1] == "Waiting to be continued":
            call(here, "POST", f"/requests/{taken['request_id']}/resume")
    assert "Waiting to be continued" in headlines
    assert event.data["report"]["response"] == "It is done."
    assert [life.ending for life in latest().lives] == ["died", "finished"]


def test_a_killed_service_comes_back_to_its_clients(here: Installation, at_work: AtWork) -> None:
    client, go_on = at_work("ask", "Do it", "--json")
    killed, address = here.state["parts"]["service"], here.state["service_url"]
    psutil.Process(killed).kill()
    wait_until(lambda: here.state["parts"].get("service", killed) != killed)
    go_on.set()
    out, err = client.communicate()
    assert client.returncode == 0, err
    whole = AnswerReport.model_validate_json(out)
    assert (whole.response, len(get_trace().requests.get(whole.request_id).lives)) == ("It is done.", 1)
    assert here.state["service_url"] == address


def test_what_runs_outlives_a_killed_fork_server_and_what_comes_next_waits_for_another(
    here: Installation, hugginggpt: Run, at_work: AtWork, photo: Path, tmp_path: Path
) -> None:
    client, go_on = at_work("ask", "Do it", "--json")
    killed, plan = here.state["parts"]["fork-server"], written(tmp_path, EDGES)
    psutil.Process(killed).kill()
    another = hugginggpt("ask", "Draw the edges", "--file", photo, "--plan", plan, "--json")
    assert AnswerReport.model_validate_json(another.stdout).status is RequestStatus.COMPLETED, another.stderr
    assert here.state["parts"]["fork-server"] != killed
    go_on.set()
    out, err = client.communicate()
    assert client.returncode == 0, err
    whole = AnswerReport.model_validate_json(out)
    assert (whole.response, len(get_trace().requests.get(whole.request_id).lives)) == ("It is done.", 1)


def test_ctrl_c_leaves_a_submitted_request_alone(at_work: AtWork) -> None:
    client, go_on = at_work("submit", "Do it", "--wait")
    client.send_signal(signal.SIGINT)
    _, err = client.communicate()
    assert client.returncode == 130 and err.endswith("Error: Interrupted.\n")
    go_on.set()
    wait_until(lambda: latest().finished_at is not None)
    assert (latest().status, len(latest().lives)) == (RequestStatus.COMPLETED, 1)


def test_a_run_that_is_suspended_in_prefect_stops_at_its_next_step_and_goes_on_when_it_is_resumed(
    here: Installation, hugginggpt: Run, controller: OpenAIServer, tmp_path: Path
) -> None:
    """The steps take four times as long as the time between two looks."""
    asked: list[object] = []
    is_suspended, is_resumed = threading.Event(), threading.Event()

    def summarise(call: object) -> str:
        asked.append(call)
        is_suspended.wait(120)
        is_resumed.wait(4 * LOOK_SECONDS / STEPS)
        return f"It is short: {uuid.uuid4().hex}."

    controller.script = {"summarization": summarise, "respond": "It is done."}
    first = SUMMARY | {"id": 0, "args": {"text": f"A text about {uuid.uuid4().hex}."}}
    steps = [first]
    for number in range(1, STEPS):
        steps.append(SUMMARY | {"id": number, "dep": [number - 1], "args": {"text": f"<GENERATED>-{number - 1}"}})
    submitted = hugginggpt("submit", "Do it", "--plan", written(tmp_path, *steps), "--json")
    run = f"/flow_runs/{json.loads(submitted.stdout)['flow_run_id']}"
    wait_until(lambda: asked)
    process = holder(latest())
    # As Prefect's page asks for it.
    until = datetime.now(UTC) + timedelta(hours=1)
    details = {"pause_timeout": until.isoformat(), "pause_reschedule": True}
    suspended = {"type": "PAUSED", "name": "Suspended", "state_details": details}
    here.post(f"{run}/set_state", {"state": suspended, "force": True})
    is_suspended.set()
    wait_until(lambda: not process.is_running())
    with prefect_client(here.api) as client:
        assert client.get(run).json()["state"]["name"] == "Suspended"
        # Nor does it go on before it is resumed, although nothing works on its request.
        wait_until(lambda: latest().status == "died")
        queue = client.get("/deployments/name/answer-queued/every-minute").raise_for_status().json()["id"]
        looked = here.post(f"/deployments/{queue}/create_flow_run", {})["id"]
        wait_until(lambda: client.get(f"/flow_runs/{looked}").json()["state_type"] == "COMPLETED")
        assert client.get(run).json()["state"]["name"] == "Suspended"
    done = len(asked)
    assert done < STEPS and len(latest().lives) == 1
    is_resumed.set()
    here.post(f"{run}/resume", {})
    wait_until(lambda: latest().finished_at is not None)
    assert (latest().status, latest().response) == (RequestStatus.COMPLETED, "It is done.")
    assert [life.ending for life in latest().lives] == ["died", "finished"]
    assert len({life.flow_run_id for life in latest().lives}) == 1
    assert len(asked) == STEPS


def test_a_command_without_stderr_answers(hugginggpt: Run, photo: Path, tmp_path: Path) -> None:
    asked = [*COMMAND, "ask", "Draw it.", "--file", str(photo), "--plan", str(written(tmp_path, EDGES)), "--json"]
    done = subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *asked], stdout=subprocess.PIPE)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "completed")


def test_the_command_is_light(here: Installation, hugginggpt: Run, photo: Path, tmp_path: Path) -> None:
    """Beside the service, an `ask` imports no more than what speaks HTTP."""
    heavy = {"prefect", "pydantic", "sqlalchemy", "httpx", "openai", "fastapi", "asyncio", "psutil", "rich"}
    code = (
        "import sys, apps.cli.main as m; m.main(standalone_mode=False); print(*{n.split('.')[0] for n in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "ask", "Draw the edges.", "--file", str(photo)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()} & heavy
