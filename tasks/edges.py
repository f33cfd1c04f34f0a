"""Edges between task runs, as Prefect draws them."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed


def edge_from(state: State[Any]) -> State[Any]:
    """What to wait for in place of a final state, so that Prefect draws an edge from its task run and does no more.

    Prefect looks for other states in everything that a state holds, several times, and does not run a task that waits
    for a failed one.
    """
    return Completed(data=True, state_details=state.state_details)
