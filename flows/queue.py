"""The flow that starts a flow run for each request in line, and the function that starts one run."""

from typing import Annotated

from prefect.client.schemas.objects import State
from pydantic import Field

from flows.server import flow
from tasks.queue import answer_waiting
from tasks.start_run import start_run
from tasks.ui.runs import final_state_of

__all__ = ["answer_queued", "start_run"]


@flow(persist_result=False)
def answer_queued(limit: Annotated[int, Field(ge=1)] = 500) -> State[int]:
    """Start a flow run for each request in line.

    A request is in line if it was put there with `hugginggpt submit --later`, or if the process that worked on it
    died. Concurrent runs never start the same request, and while one is at work on this machine, the next leaves the
    work to it. If Prefect still shows a flow run as running a minute after its request has ended, that run is ended in
    Prefect, too.

    Args:
        limit: start at most this many.

    Returns:
        how many were started. If some could not be started, they stay in line, and a state named Failed has a
        DatabaseUnavailableError: the trace cannot be reached; a ConfigurationError: the deployment does not exist, or
        Prefect's server refused the login; or an OrchestratorUnavailableError: it cannot start runs now.
    """
    return final_state_of(lambda: answer_waiting(limit))
