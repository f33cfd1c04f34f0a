"""The job template of our work pool: a flow run can change nothing about the process that runs it.

Prefect's own template for such pools lets a flow run set a command, an environment and a folder.
"""

from typing import Any

JOB_TEMPLATE: dict[str, Any] = {
    # Prefect treats a template without either of these keys as no template at all.
    "job_configuration": {"env": {}},
    "variables": {"type": "object", "properties": {}, "additionalProperties": False},
}
