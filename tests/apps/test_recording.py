"""What Prefect's server records of events, task runs and artifacts, which come in large numbers."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from apps.up.recording import AWAY_SECONDS
from hugginggpt.environment import ARTIFACTS_PATH
from tests.servers import prefect_client, prefect_server, wait_until

RUNS = 120


@pytest.fixture(scope="module")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="module")
def client(server_home: Path) -> Iterator[httpx.Client]:
    with prefect_server(server_home) as api, prefect_client(api) as client:
        yield client


@pytest.fixture
def flow_run(client: httpx.Client) -> str:
    flow = client.post("/flows/", json={"name": "recorded"}).raise_for_status().json()["id"]
    return str(client.post("/flow_runs/", json={"flow_id": flow}).raise_for_status().json()["id"])


def events_of(client: httpx.Client, kind: str, about: str) -> int:
    """How many events of a kind the server shows about an object."""
    wanted = {"event": {"name": [kind]}, "related": {"id": [about]}}
    return int(client.post("/events/filter", json={"filter": wanted}).raise_for_status().json()["total"])


def event(flow_run: str, number: int, task_run: str, state: str, seconds: float) -> dict[str, Any]:
    """What Prefect's client sends when a task run of it takes on a state."""
    return {
        "id": str(uuid4()),
        "occurred": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(),
        "event": f"prefect.task-run.{state}",
        "resource": {
            "prefect.resource.id": f"prefect.task-run.{task_run}",
            "prefect.resource.name": f"run {number}",
            "prefect.orchestration": "client",
        },
        "related": [{"prefect.resource.id": f"prefect.flow-run.{flow_run}", "prefect.resource.role": "flow-run"}],
        "payload": {
            "validated_state": {"type": state.upper(), "name": state, "state_details": {}},
            "task_run": {"name": f"run {number}", "task_key": "key", "dynamic_key": str(number)},
        },
    }


def completed(client: httpx.Client, flow_run: str) -> int:
    """How many task runs of a flow run have the state Completed."""
    wanted = {"flow_run_id": {"any_": [flow_run]}, "state": {"name": {"any_": ["Completed"]}}}
    return int(client.post("/task_runs/count", json={"task_runs": wanted}).raise_for_status().json())


def test_each_state_of_a_task_run_and_each_event_is_recorded_once(client: httpx.Client, flow_run: str) -> None:
    runs = {str(uuid4()): number for number in range(RUNS)}
    sent = [
        event(flow_run, number, run, state, seconds)
        for run, number in runs.items()
        for seconds, state in enumerate(("Pending", "Running", "Completed"))
    ]
    for _ in range(2):  # the second time, all of it is known
        client.post("/events", json=sent).raise_for_status()
    about = f"prefect.flow-run.{flow_run}"

    wait_until(
        lambda: completed(client, flow_run) == RUNS and events_of(client, "prefect.task-run.Completed", about) == RUNS
    )
    assert events_of(client, "prefect.task-run.Running", about) == RUNS
    states = client.get("/task_run_states/", params={"task_run_id": next(iter(runs))}).raise_for_status().json()
    assert [state["name"] for state in states] == ["Pending", "Running", "Completed"]


def test_a_state_that_cannot_be_recorded_takes_no_others_along(client: httpx.Client, flow_run: str) -> None:
    gone = str(uuid4())
    sent = [event(of, number, str(uuid4()), "Completed", 0.0) for number in range(RUNS // 3) for of in (gone, flow_run)]
    client.post("/events", json=sent).raise_for_status()
    wait_until(lambda: completed(client, flow_run) == RUNS // 3)
    assert completed(client, gone) == 0


def test_states_wait_for_a_database_that_is_away(client: httpx.Client, flow_run: str, server_home: Path) -> None:
    with closing(sqlite3.connect(server_home / "prefect.db", timeout=60, isolation_level=None)) as database:
        database.execute("ALTER TABLE task_run RENAME TO away")
        client.post("/events", json=[event(flow_run, 0, str(uuid4()), "Completed", 0.0)]).raise_for_status()
        time.sleep(2 * AWAY_SECONDS)
        database.execute("ALTER TABLE away RENAME TO task_run")
    wait_until(lambda: completed(client, flow_run) == 1)


def test_a_flow_run_changes_with_its_artifacts(client: httpx.Client, flow_run: str) -> None:
    artifact = {"key": "plan", "type": "markdown", "data": "A plan.", "flow_run_id": flow_run}
    about = [{"prefect.resource.id": f"prefect.flow-run.{flow_run}", "prefect.resource.role": "flow-run"}]
    body = {"artifacts": [artifact], "related": about, "flow_run_id": flow_run, "changes": {"tags": ["one"]}}
    client.post(ARTIFACTS_PATH, json=body).raise_for_status()
    client.post(ARTIFACTS_PATH, json={"flow_run_id": flow_run, "changes": {"name": "another"}}).raise_for_status()
    run = client.get(f"/flow_runs/{flow_run}").raise_for_status().json()
    assert (run["name"], run["tags"]) == ("another", ["one"])
    wanted = {"artifacts": {"flow_run_id": {"any_": [flow_run]}}}
    (shown,) = client.post("/artifacts/filter", json=wanted).raise_for_status().json()
    assert (shown["key"], shown["data"]) == ("plan", "A plan.")
    assert events_of(client, "prefect.artifact.created", f"prefect.flow-run.{flow_run}") == 1


def test_nothing_is_shown_of_a_flow_run_that_was_deleted(client: httpx.Client, flow_run: str) -> None:
    client.delete(f"/flow_runs/{flow_run}").raise_for_status()
    body = {"artifacts": [{"key": "late", "data": "-"}], "flow_run_id": flow_run, "changes": {"name": "another"}}
    assert client.post(ARTIFACTS_PATH, json=body).status_code == 409
    assert client.get("/artifacts/late/latest").status_code == 404
