"""What a flow run of the work pool may change of the process that works on it: nothing.

Prefect's own template for such pools takes a command, an environment and a folder from whoever starts a run.
"""

from typing import Any

JOB_TEMPLATE: dict[str, Any] = {
    # Prefect takes a template with nothing in either of them for none at all.
    "job_configuration": {"stream_output": True},
    "variables": {"type": "object", "properties": {}, "additionalProperties": False},
}
