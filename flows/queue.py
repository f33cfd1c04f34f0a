"""The flow that has requests in line answered, and what puts them there."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State
from pydantic import Field

from flows.server import flow
from tasks.queue import end_lost, start_run, start_waiting

__all__ = ["answer_queued", "start_run"]


@flow(name="answer-queued", persist_result=False)
def answer_queued(limit: Annotated[int, Field(ge=1)] = 500) -> int | State[Any]:
    """Start a flow run for each request that waits in line.

    A request waits when it was put there with `hugginggpt submit --later`, or when the process that
    worked on it died. Two runs at once never start the same one. Flow runs that Prefect still has at
    work a minute after their requests have ended are ended there, too.

    Args:
        limit: start at most so many.

    Returns:
        how many were started.

    Raises:
        DatabaseUnavailableError: the trace cannot be reached; everything stays in line.
        ConfigurationError: there is no deployment to start, or Prefect's server does not let us; what waits stays in
            line.
        OrchestratorUnavailableError: Prefect's server cannot start runs now; what waits stays in line.
    """
    started = start_waiting(limit)
    end_lost()
    return started
