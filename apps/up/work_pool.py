"""Our work pool in Prefect: its name, what its flow runs may change of their process, and its deployments."""

from functools import lru_cache
from typing import Any

import yaml

from hugginggpt.settings import data_file

POOL = "hugginggpt"

JOB_TEMPLATE: dict[str, Any] = {
    # Prefect treats a template without either of these keys as no template at all.
    "job_configuration": {"stream_output": True},
    "variables": {"type": "object", "properties": {}, "additionalProperties": False},
}
"""Lets a flow run change nothing. Prefect's own template lets it set a command, an environment and a folder."""


@lru_cache(maxsize=1)
def own_deployments() -> dict[str, str]:
    """The deployments of `deployments.yaml`: names such as `answer-request/on-demand`, and their entry points."""
    listed = yaml.safe_load(data_file("deployments.yaml").read_text("utf-8"))["deployments"]
    return {f"{_flow_name(each['entrypoint'])}/{each['name']}": each["entrypoint"] for each in listed}


def _flow_name(entrypoint: str) -> str:
    return entrypoint.rpartition(".")[2].replace("_", "-")
