"""The flow that has requests in line answered, and what puts them there."""

from typing import Annotated

from prefect.client.schemas.objects import State
from pydantic import Field

from flows.server import flow
from tasks.queue import answer_waiting
from tasks.start_run import start_run
from tasks.ui.runs import final_state_of

__all__ = ["answer_queued", "start_run"]


@flow(name="answer-queued", flow_run_name="answer-queued", persist_result=False)
def answer_queued(limit: Annotated[int, Field(ge=1)] = 500) -> State[int]:
    """Start a flow run for each request that waits in line.

    A request waits when it was put there with `hugginggpt submit --later`, or when the process that
    worked on it died. Two runs at once never start the same one, and while one is at work on this machine the next
    leaves the work to it. Flow runs that Prefect still has at work a minute after their requests have ended are ended
    there, too.

    Args:
        limit: start at most so many.

    Returns:
        how many were started. Where some could not be, they stay in line, and a state named Failed has a
        DatabaseUnavailableError: the trace cannot be reached; a ConfigurationError: there is no deployment to start,
        or Prefect's server does not let us; or an OrchestratorUnavailableError: it cannot start runs now.
    """
    return final_state_of(lambda: answer_waiting(limit))
