"""Prefect takes `deployments.yaml` as it is, and its entry points load."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.client.schemas.responses import DeploymentResponse
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL

from hugginggpt.deployments import deployment_names
from hugginggpt.environment import POOL
from hugginggpt.settings import CHECKOUT
from tests import forked

SCHEDULES = {
    "answer-request/on-demand": None,
    "refresh-catalog/daily": "10 4 * * *",
    "warm-models/nightly": "30 2 * * *",
    "prune-storage/weekly": "20 3 * * 0",
    "evaluate-planner/weekly": "0 5 * * 0",
    "answer-queued/every-minute": "* * * * *",
}
PARAMETERS = {
    "answer-request/on-demand": {"request", "files", "conversation_id", "options", "request_id"},
    "refresh-catalog/daily": {"kinds"},
    "warm-models/nightly": {"kinds"},
    "prune-storage/weekly": {"max_age_days", "keep_weights_gb", "keep_artifacts_gb", "dry_run"},
    "evaluate-planner/weekly": {"dataset", "controller", "limit", "fresh"},
    "answer-queued/every-minute": {"limit"},
}


@pytest.fixture(scope="module")
def applied(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, DeploymentResponse]:
    """What the server has after the command of the file's first lines, by name."""
    content = yaml.safe_load((CHECKOUT / "deployments.yaml").read_text("utf-8"))
    content["deployments"] = [one for one in content["deployments"] if _is_there(one["entrypoint"])]
    path: Path = tmp_path_factory.mktemp("deployments") / "deployments.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="hugginggpt"), overwrite=True)
    command = ["--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
    environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    done = forked.run(command, CHECKOUT, environment, module="prefect")
    assert done.returncode == 0, done.stdout + done.stderr
    with get_client(sync_client=True) as client:
        return {name: client.read_deployment_by_name(name) for name in SCHEDULES}


def _is_there(entrypoint: str) -> bool:
    return find_spec(entrypoint.rpartition(".")[0]) is not None


def fields(deployment: DeploymentResponse) -> dict[str, Any]:
    """What the run form of the UI asks for."""
    found: dict[str, Any] = deployment.parameter_openapi_schema["properties"]
    return found


def test_every_deployment_is_applied(applied: dict[str, DeploymentResponse]) -> None:
    assert sorted(applied) == deployment_names()
    for name, deployment in applied.items():
        assert not deployment.pull_steps
        assert deployment.entrypoint is not None
        assert load_flow_from_entrypoint(deployment.entrypoint).name == name.partition("/")[0]
        assert deployment.description and "hugginggpt" in deployment.tags
        assert deployment.work_pool_name == POOL


def test_every_schedule_is_as_it_is_said(applied: dict[str, DeploymentResponse]) -> None:
    found = {name: [getattr(s.schedule, "cron", None) for s in one.schedules] for name, one in applied.items()}
    assert found == {name: [cron] if cron else [] for name, cron in SCHEDULES.items()}


def test_a_scheduled_run_never_overlaps_itself(applied: dict[str, DeploymentResponse]) -> None:
    leaves_the_work_to_the_one_before = "answer-queued/every-minute"
    assert applied[leaves_the_work_to_the_one_before].global_concurrency_limit is None
    for name, cron in SCHEDULES.items():
        if name == leaves_the_work_to_the_one_before:
            continue
        limit, options = applied[name].global_concurrency_limit, applied[name].concurrency_options
        assert limit is not None and options is not None
        wanted = (1, ConcurrencyLimitStrategy.CANCEL_NEW) if cron else (16, ConcurrencyLimitStrategy.ENQUEUE)
        assert (limit.limit, options.collision_strategy) == wanted


def test_the_run_form_explains_every_parameter(applied: dict[str, DeploymentResponse]) -> None:
    for name, parameters in PARAMETERS.items():
        assert fields(applied[name]).keys() == parameters
        assert all(field.get("description") for field in fields(applied[name]).values()), name


def test_the_run_form_has_defaults_and_bounds(applied: dict[str, DeploymentResponse]) -> None:
    prune = fields(applied["prune-storage/weekly"])
    assert (prune["max_age_days"]["default"], prune["dry_run"]["default"]) == (90.0, False)
    assert prune["keep_weights_gb"]["anyOf"][0] == {"type": "number", "minimum": 0, "maximum": 1e15}
    assert fields(applied["warm-models/nightly"])["kinds"] == {
        "default": [],
        "description": fields(applied["warm-models/nightly"])["kinds"]["description"],
        "items": {"type": "string"},
        "position": 0,
        "title": "kinds",
        "type": "array",
    }
    assert not applied["evaluate-planner/weekly"].parameter_openapi_schema.get("required")
