"""`up`, `status` and `down` from outside: everything that a standing installation runs, for real."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prefect.workers.process import ProcessWorker

from apps.up.parts import UpOptions, part_environment
from hugginggpt.errors import UsageError
from hugginggpt.settings import CHECKOUT, get_settings
from tests.apps.installation import Installation
from tests.servers import (
    free_port,
    has_ended,
    listening,
    prefect_client,
    wait_until,
)

SPEECH = {"task": "text-to-speech", "id": 0, "dep": [-1], "args": {"text": "Slowly. " * 2000}}
EDGES = {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that is up, on SQLite, with `up` in the foreground."""
    installation = Installation(tmp_path_factory.mktemp("up"))
    with installation.is_up():
        yield installation


def test_it_says_where_each_part_is(here: Installation) -> None:
    lines = dict(line.split(":", 1) for line in here.said.splitlines())
    assert {label: text.strip() for label, text in lines.items()} == {
        "trace": f"sqlite:///{here.home}/trace.db",
        "Prefect server": f"http://127.0.0.1:{here.port}, with sqlite+aiosqlite:///{here.home}/prefect/prefect.db",
        "limits": "hugginggpt-controller 4, hugginggpt-accelerator 1",
        "deployments": lines["deployments"].strip(),
        "flow workers": "1, each for up to 2 requests at once",
        "logs": str(here.home / "logs"),
        "page": lines["page"].strip(),
    }
    assert lines["page"].strip().startswith(f"{here.state['page_url']}/enter?token=")
    assert "answer-request/on-demand" in lines["deployments"]
    assert (here.home / "prefect" / "prefect.db").is_file()
    assert {"prefect-server.log", "flow-worker-1.log"} <= {log.name for log in (here.home / "logs").iterdir()}


def test_it_answers_on_loopback_alone_to_its_own_names_and_to_its_own_pages(here: Installation) -> None:
    assert {ip for process in here.processes() for ip in listening(process.pid)} == {"127.0.0.1"}
    assert httpx.get(f"{here.api}/health").json() is True
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert httpx.get(f"{here.api}/health", headers=headers).status_code == 403
    assert httpx.post(f"{here.api}/flows/", json={"name": "made"}).status_code == 403


def test_status_shows_what_runs(here: Installation) -> None:
    shown = here.run("status", "--json")
    told = json.loads(shown.stdout)
    assert shown.returncode == 0, shown.stdout
    assert told["up"]["ui_url"] == f"http://127.0.0.1:{here.port}"
    assert not any(has_ended(pid) for pid in told["up"]["parts"].values())
    assert told["server"]["workers"] == ["flow-worker-1"]
    assert {"name": "hugginggpt-controller", "slots": 4, "taken": 0} in told["server"]["limits"]
    assert "answer-request/on-demand" in [deployment["name"] for deployment in told["server"]["deployments"]]
    assert told["experts"] is None
    text = here.run("status")
    assert text.returncode == 0
    assert f"Prefect server:  http://127.0.0.1:{here.port}, with sqlite" in text.stdout
    assert "limit:           hugginggpt-controller: 0 of 4 slots in use" in text.stdout


def test_ask_finds_the_server_by_itself(here: Installation) -> None:
    plan = here.folder / "plan.json"
    plan.write_text(json.dumps([EDGES]))
    asked = here.run("ask", "Draw the edges.", "--file", here.photo, "--plan", plan)
    assert asked.returncode in (0, 3), asked.stderr
    url = next(line for line in asked.stderr.splitlines() if line.startswith("In Prefect: "))
    run = url.rpartition("/")[2]
    assert url == f"In Prefect: http://127.0.0.1:{here.port}/runs/flow-run/{run}"
    assert httpx.get(f"{here.api}/flow_runs/{run}").json()["state"]["type"] == "COMPLETED"


def test_the_worker_answers_what_a_deployment_is_given(here: Installation) -> None:
    run = here.submit("Draw these edges.", plan=[EDGES])
    ended = {"COMPLETED", "FAILED", "CRASHED"}
    wait_until(lambda: httpx.get(f"{here.api}/flow_runs/{run}").json()["state_type"] in ended)
    log = (here.home / "logs" / "flow-worker-1.log").read_text()
    assert httpx.get(f"{here.api}/flow_runs/{run}").json()["state_type"] == "COMPLETED", log
    listed = json.loads(here.run("trace", "list", "--json").stdout)
    assert (listed[0]["text"], listed[0]["tasks"]) == ("Draw these edges.", 1)
    counts = json.loads(here.run("status", "--json").stdout)["requests"]
    assert sum(counts.values()) == len(listed)


def test_a_run_that_is_cancelled_in_prefect_ends_at_once_and_so_does_its_request(here: Installation) -> None:
    run = here.submit("Say it slowly.", plan=[SPEECH])
    process = _working_on(here, run)
    here.post(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    wait_until(lambda: httpx.get(f"{here.api}/flow_runs/{run}").json()["state_type"] == "CANCELLED")
    wait_until(lambda: not psutil.pid_exists(process))
    (listed, *_) = json.loads(here.run("trace", "list", "--json").stdout)
    assert (listed["request_id"], listed["status"]) == (run, "cancelled")


def test_a_run_whose_process_is_killed_has_crashed_and_the_worker_goes_on(here: Installation) -> None:
    run, worker = here.submit("Say it slowly.", plan=[SPEECH]), here.state["parts"]["flow-worker-1"]
    process = _working_on(here, run)
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: httpx.get(f"{here.api}/flow_runs/{run}").json()["state_type"] == "CRASHED")
    message = httpx.get(f"{here.api}/flow_runs/{run}").json()["state"]["message"]
    assert message.startswith("Process exited with status code: -9.")
    assert here.state["parts"]["flow-worker-1"] == worker
    assert here.run("cancel", run).returncode == 0


def _working_on(here: Installation, run: str) -> int:
    """Wait until a flow run has begun its request; return the run's process."""

    def has_begun() -> bool:
        (listed, *_) = json.loads(here.run("trace", "list", "--json").stdout)
        return (listed["request_id"], listed["status"]) == (run, "running")

    def process() -> int:
        return int(httpx.get(f"{here.api}/flow_runs/{run}").json()["infrastructure_pid"] or 0)

    wait_until(lambda: has_begun() and process())
    return process()


def test_no_job_variable_is_taken(here: Installation, tmp_path: Path) -> None:
    """Neither with a run, nor in a deployment; nor when somebody gives the pool a template that offers them."""
    planted = tmp_path / "planted"
    variables = {"command": f"touch {planted}", "env": {"PYTHONSTARTUP": "x"}, "working_dir": str(tmp_path)}
    with prefect_client(here.api) as client:
        deployment = client.get("/deployments/name/answer-request/on-demand").json()
        template = client.get("/work_pools/hugginggpt").json()["base_job_template"]
        assert template["variables"] == {"type": "object", "properties": {}, "additionalProperties": False}
        create = f"/deployments/{deployment['id']}/create_flow_run"
        asked = {"request": "Draw.", "files": [str(here.photo)], "options": {"plan": [EDGES]}}
        for name, value in variables.items():
            refused = client.post(create, json={"parameters": asked, "job_variables": {name: value}})
            assert refused.status_code in (409, 422), refused.text
            named = {part: deployment[part] for part in ("flow_id", "entrypoint", "work_pool_name")} | {"name": "other"}
            refused = client.post("/deployments/", json={**named, "job_variables": {name: value}})
            assert refused.status_code in (409, 422), refused.text
        prefects = ProcessWorker.get_default_base_job_template()
        client.patch("/work_pools/hugginggpt", json={"base_job_template": prefects}).raise_for_status()
        own = f"/deployments/{deployment['id']}"
        client.patch(own, json={"job_variables": variables}).raise_for_status()
        try:
            given = {"parameters": asked, "job_variables": variables}
            run = client.post(create, json=given).raise_for_status().json()["id"]
            ended = {"COMPLETED", "FAILED", "CRASHED"}
            wait_until(lambda: client.get(f"/flow_runs/{run}").json()["state_type"] in ended)
            assert client.get(f"/flow_runs/{run}").json()["state_type"] == "COMPLETED"
        finally:
            client.patch(own, json={"job_variables": {}}).raise_for_status()
            client.patch("/work_pools/hugginggpt", json={"base_job_template": template}).raise_for_status()
    assert not planted.exists()


@pytest.mark.parametrize("changed", ["entrypoint", "pull_steps", "no deployment"])
def test_only_our_own_flows_are_run(here: Installation, tmp_path: Path, changed: str) -> None:
    planted = tmp_path / "planted"
    (tmp_path / "planted_flow.py").write_text(f"import pathlib\npathlib.Path({str(planted)!r}).touch()\n")
    step = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {planted}"}}
    with prefect_client(here.api) as client:
        own = client.get("/deployments/name/answer-request/on-demand").json()
        parts = {name: own[name] for name in ("flow_id", "entrypoint", "work_pool_name")}
        parts["name"] = f"changed {changed}"
        if changed == "entrypoint":
            parts["entrypoint"] = f"{tmp_path / 'planted_flow.py'}:planted"
        if changed == "pull_steps":
            parts["pull_steps"] = [step]
        if changed == "no deployment":
            asked = {"flow_id": own["flow_id"], "work_pool_name": "hugginggpt", "state": {"type": "SCHEDULED"}}
            run = client.post("/flow_runs/", json=asked).raise_for_status().json()["id"]
        else:
            made = client.post("/deployments/", json=parts).raise_for_status().json()["id"]
            run = client.post(f"/deployments/{made}/create_flow_run", json={}).raise_for_status().json()["id"]
        wait_until(lambda: client.get(f"/flow_runs/{run}").json()["state_type"] == "CRASHED")
        message = client.get(f"/flow_runs/{run}").json()["state"]["message"]
        assert "This worker runs only deployments of HuggingGPT" in message
        if changed != "no deployment":
            client.delete(f"/deployments/{made}").raise_for_status()
    assert not planted.exists()


def test_a_second_up_is_refused(here: Installation) -> None:
    before = here.state
    refused = here.run(*here.up())
    assert (refused.returncode, refused.stdout) == (1, "")
    (sentence,) = refused.stderr.splitlines()
    assert sentence == (
        f"Error: HuggingGPT is already up for {here.home}: `hugginggpt status` shows it, `hugginggpt down` stops it."
    )
    assert here.state == before


def test_a_taken_port_is_named_before_anything_is_started(here: Installation, tmp_path: Path) -> None:
    other = Installation(tmp_path)
    other.port = here.port
    refused = other.run(*other.up())
    assert (refused.returncode, refused.stdout) == (2, "")
    (sentence,) = refused.stderr.splitlines()
    assert sentence.startswith(f"Error: Port {here.port} of 127.0.0.1 cannot be used (")
    assert sentence.endswith("): choose another with --port.")
    assert not list((other.home / "logs").iterdir()) and not other.processes()
    shown = other.run("status")
    assert shown.returncode == 1, shown.stdout
    assert f"up:              nothing for {other.home}; start it with `hugginggpt up`" in shown.stdout
    nothing = other.run("down")
    assert (nothing.returncode, nothing.stdout) == (0, f"Nothing is up for {other.home}.\n")


def test_a_server_that_dies_is_started_again_and_nothing_is_lost(here: Installation) -> None:
    at_work = here.submit("Say it slowly.", plan=[SPEECH])
    wait_until(lambda: '"running"' in here.run("trace", "list", "--json").stdout)
    limit = here.post("/v2/concurrency_limits/", {"name": "held", "limit": 1})
    asked = {"names": ["held"], "slots": 1, "mode": "concurrency", "lease_duration": 60}
    lease = here.post("/v2/concurrency_limits/increment-with-lease", asked)["lease_id"]
    server = here.state["parts"]["prefect-server"]
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: here.state["parts"].get("prefect-server", server) != server)
    assert "prefect-server:  killed by SIGKILL; restarts " in here.said
    wait_until(lambda: here.run("status").returncode == 0)
    url = f"{here.api}/v2/concurrency_limits"
    here.post(f"/v2/concurrency_limits/leases/{lease}/renew", {"lease_duration": 60})
    assert httpx.get(f"{url}/{limit['id']}").json()["active_slots"] == 1
    here.post("/v2/concurrency_limits/decrement-with-lease", {"lease_id": lease})
    assert httpx.get(f"{url}/{limit['id']}").json()["active_slots"] == 0

    def story() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(here.run("trace", "export", at_work).stdout)
        return told

    # A flow that ends while there is no server cannot tell it so; the trace knows, and the queue's flow tells it later.
    wait_until(lambda: story()["status"] == "completed")
    assert [life["ending"] for life in story()["lives"]].count("finished") == 1


def test_the_next_up_ends_what_a_killed_one_left(here: Installation) -> None:
    left = here.processes()
    supervisor = int(here.state["supervisor"].split(":")[-2])
    os.kill(supervisor, signal.SIGKILL)
    assert len(left) >= 3
    shown = here.run("status")
    assert shown.returncode == 1, shown.stdout
    assert "up:              killed, but its parts may still run; `hugginggpt down` stops them" in shown.stdout
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = here.run(*here.up()[:2], str(taken.getsockname()[1]))
    assert refused.returncode == 2
    assert refused.stdout == "cleanup:         stopped the parts that a killed `up` had left running\n"
    assert not here.processes()
    assert not (here.home / "up.json").exists()


@pytest.mark.parametrize("same", ["service_port", "dask_port"])
def test_two_parts_cannot_have_the_same_port(same: str) -> None:
    port = free_port()
    with pytest.raises(UsageError, match="Two parts cannot listen on the same port"):
        UpOptions(port=port, expert_workers=1, **{same: port}).check()


def test_the_parts_use_the_folders_that_are_meant_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUGGINGGPT_ARTIFACTS_URL", "store")
    monkeypatch.setenv("PYTHONPATH", ":packages")
    environment = part_environment(UpOptions(), get_settings())
    assert environment["PYTHONPATH"] == f"{CHECKOUT}:{tmp_path / 'packages'}"
    assert environment["HUGGINGGPT_ARTIFACTS_URL"] == str(tmp_path / "store") == get_settings().artifacts
    assert environment["HUGGINGGPT_HOME"] == str(tmp_path / "home")


def test_tasks_run_where_the_expert_workers_that_were_wished_for_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", "tls://elsewhere:8786")
    monkeypatch.setenv("HUGGINGGPT_DASK_TLS_CERT", "elsewhere.pem")
    without = part_environment(UpOptions(expert_workers=0), get_settings())
    assert without["HUGGINGGPT_TASK_RUNNER"] == "threads"
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "threads")
    having = part_environment(UpOptions(expert_workers=1), get_settings())
    runner = (having["HUGGINGGPT_TASK_RUNNER"], having["HUGGINGGPT_DASK_ADDRESS"])
    assert runner == ("dask", "tls://127.0.0.1:8786")
    assert having["HUGGINGGPT_DASK_TLS_CERT"] == str(get_settings().home_dir / "dask.pem")


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_a_home_that_cannot_be_written_is_a_sentence(tmp_path: Path, detach: list[str]) -> None:
    installation = Installation(tmp_path)
    installation.home.write_text("no folder")
    refused = installation.run(*installation.up(*detach))
    assert (refused.returncode, refused.stdout) == (2, "")
    (sentence,) = refused.stderr.splitlines()
    assert sentence.startswith(f"Error: The folder {installation.home / 'logs'} cannot be created or written (")


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_beyond_loopback_without_a_login_nothing_is_started(tmp_path: Path, detach: list[str]) -> None:
    installation = Installation(tmp_path)
    refused = installation.run(*installation.up("--host", "0.0.0.0", *detach))
    assert (refused.returncode, refused.stdout) == (2, "")
    (sentence,) = refused.stderr.splitlines()
    assert sentence.startswith("Error: Other machines can reach 0.0.0.0, and Prefect's server has no login: set")
    assert not installation.processes() and not (installation.home / "up.json").exists()


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    supervisor = installation.begin()
    wait_until(lambda: (installation.home / "up.json").exists() and installation.state["parts"])
    assert len(installation.processes()) >= 2
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait() == 0
    assert not installation.processes()
    assert not (installation.home / "up.json").exists()


def test_a_part_that_cannot_start_is_named_and_the_user_s_own_database_kept(tmp_path: Path) -> None:
    nowhere = f"sqlite+aiosqlite:///{tmp_path}/nowhere/prefect.db"
    installation = Installation(tmp_path, PREFECT_API_DATABASE_CONNECTION_URL=nowhere)
    failed = installation.run(*installation.up())
    log = installation.home / "logs" / "prefect-server.log"
    assert failed.returncode == 1
    assert failed.stderr == f"Error: The part prefect-server did not start: see its log, {log}.\n"
    assert "unable to open database file" in log.read_text()
    assert not (installation.home / "prefect" / "prefect.db").exists()
    assert not installation.processes()
    assert not (installation.home / "up.json").exists()


def test_a_server_that_another_has_taken_the_port_of_is_not_up_because_that_answers(tmp_path: Path) -> None:
    class AnswersEverything(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    installation = Installation(tmp_path)
    supervisor = installation.begin()
    wait_until(lambda: (installation.home / "up.json").exists())
    with ThreadingHTTPServer(("127.0.0.1", installation.port), AnswersEverything) as other:
        threading.Thread(target=other.serve_forever).start()
        try:
            assert supervisor.wait() == 1
        finally:
            other.shutdown()
    assert "Prefect server:" not in installation.said
    log = (installation.home / "logs" / "prefect-server.log").read_text()
    assert (
        log == f"Error: Port {installation.port} of 127.0.0.1 cannot be used (Address already in use): choose another "
        "with --port.\n"
    )
    assert not installation.processes()
