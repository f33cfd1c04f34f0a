"""`status` where no `up` runs: what it says of the server of PREFECT_API_URL."""

import json
from pathlib import Path

import httpx
import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint

from apps.up.prefect_api import deployments
from hugginggpt.deployments import deployment_names
from hugginggpt.environment import POOL
from hugginggpt.settings import CHECKOUT
from tests.apps.conftest import Run, deploy
from tests.servers import prefect_client

NOWHERE = "http://127.0.0.1:9/api"


@pytest.fixture(scope="module")
def api(without_deployments: str, prefect_home: Path) -> str:
    """A server with the pool and two of the deployments."""
    deploy(without_deployments, prefect_home, "on-demand", "every-minute")
    return without_deployments


def test_the_deployments_that_are_looked_for_are_those_of_the_file() -> None:
    content = yaml.safe_load((CHECKOUT / "deployments.yaml").read_text("utf-8"))
    flows = [load_flow_from_entrypoint(each["entrypoint"]).name for each in content["deployments"]]
    names = [each["name"] for each in content["deployments"]]
    assert deployment_names() == sorted("/".join(pair) for pair in zip(flows, names, strict=True))


def test_a_server_and_a_cluster_that_do_not_answer(hugginggpt: Run) -> None:
    cluster = {"HUGGINGGPT_TASK_RUNNER": "dask", "HUGGINGGPT_DASK_ADDRESS": "tcp://127.0.0.1:9"}
    shown = hugginggpt("status", PREFECT_API_URL=NOWHERE, **cluster)
    assert shown.returncode == 1
    lines = shown.stdout.splitlines()
    assert "; using the server of PREFECT_API_URL" in lines[0]
    assert lines[1] == "Prefect server:  http://127.0.0.1:9 does not answer"
    assert lines[2] == "expert workers:  tcp://127.0.0.1:9 does not answer"


def test_no_run_is_to_come_that_is_late(api: str) -> None:
    name = "answer-request/on-demand"
    identifier = httpx.get(f"{api}/deployments/name/{name}").raise_for_status().json()["id"]
    long_ago = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2020-01-01T00:00:00Z"}}
    asked = {"state": long_ago, "parameters": {"request": "Draw"}}
    with prefect_client(api) as client:
        client.post(f"/deployments/{identifier}/create_flow_run", json=asked).raise_for_status()
    assert {each.name: each.next_run for each in deployments(api)}[name] is None


def test_what_is_missing_on_the_server_is_said(hugginggpt: Run, api: str) -> None:
    shown = hugginggpt("status", PREFECT_API_URL=api)
    assert shown.returncode == 1
    assert f"Prefect server:  {api.removesuffix('/api')}\n" in shown.stdout
    assert "flow workers:    none; running nothing" in shown.stdout
    assert "deployment:      answer-request/on-demand, runs on demand" in shown.stdout
    assert "deployment:      warm-models/nightly, missing" in shown.stdout
    with prefect_client(api) as client:
        client.delete(f"/work_pools/{POOL}").raise_for_status()
    shown = hugginggpt("status", PREFECT_API_URL=api)
    assert shown.returncode == 1
    assert "deployment:      answer-request/on-demand, cannot run: its work pool was deleted" in shown.stdout
    assert "deployments:     apply them again with `hugginggpt down` and `hugginggpt up`" in shown.stdout
    told = json.loads(hugginggpt("status", "--json", PREFECT_API_URL=api).stdout)
    assert {each["pool"] for each in told["server"]["deployments"]} == {None}
