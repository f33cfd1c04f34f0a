"""Whether a flow run is one of a deployment."""

from prefect.context import _deployment_id


def is_deployed() -> bool:
    """Whether this flow run, or one around it, is a run of a deployment.

    `prefect.runtime.deployment` asks Prefect's server each time if it is not.
    """
    return _deployment_id.get() is not None
