"""What a flow run of our work pool may change of the process that runs it: nothing.

Prefect's own template for such pools lets a flow run set a command, an environment and a folder.
"""

from typing import Any

JOB_TEMPLATE: dict[str, Any] = {
    # Prefect treats a template without either of these keys as no template at all.
    "job_configuration": {"stream_output": True},
    "variables": {"type": "object", "properties": {}, "additionalProperties": False},
}
