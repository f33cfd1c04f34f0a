"""Prefect takes `deployments.yaml` as it is, and its entry points load."""

import os
import subprocess
import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL

from hugginggpt.settings import CHECKOUT


def test_every_deployment_is_applied() -> None:
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="hugginggpt", type="process"))
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments.yaml"]
    environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("answer-request/on-demand")
    assert not deployment.pull_steps
    assert set(deployment.parameter_openapi_schema["properties"]) >= {"request", "files", "conversation_id", "options"}
    assert deployment.entrypoint is not None
    assert load_flow_from_entrypoint(deployment.entrypoint).name == "answer-request"
