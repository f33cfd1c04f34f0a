"""What Prefect sees of the arguments of task runs: the edges between the runs, which it draws, and nothing else."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed
from prefect.utilities.annotations import quote

from tasks.expert_workers.runner import dask_runner


def edge_from(state: State[Any]) -> State[Any]:
    """What to wait for in place of a final state, so that Prefect draws an edge from its task run and does no more.

    Prefect looks for other states in everything that a state holds, several times, and does not run a task that waits
    for a failed one.
    """
    return Completed(data=True, state_details=state.state_details)


def unsearched(value: Any) -> Any:
    """An argument of a task run in whose fields Prefect does not search for states.

    Dask takes Prefect's annotation for a tuple and takes it apart, so there the search stays.
    """
    return quote(value) if dask_runner() is None else value
