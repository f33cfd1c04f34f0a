"""What Prefect's server knows of a flow run's task runs, of which it learns by events, a moment late."""

import time
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import TaskRun

from tests.servers import wait_until

_PAUSE = 0.5  # seconds; the server records what it hears within 0.1 s


def task_runs_of(flow_run_id: Any, at_least: int = 0) -> list[TaskRun]:
    """The task runs of a flow run that has ended, so many at least, once the server has recorded all of them."""
    wanted = FlowRunFilter.model_validate({"id": {"any_": [flow_run_id]}})
    seen: list[set[tuple[Any, Any]]] = [set()]
    with get_client(sync_client=True) as client:

        def read() -> list[TaskRun]:
            return client.read_task_runs(flow_run_filter=wanted)

        def is_all() -> bool:
            time.sleep(_PAUSE)
            runs = read()
            seen.append({(run.id, run.state_type) for run in runs})
            is_same = len(runs) >= at_least and seen[-1] == seen[-2]
            return is_same and all(run.state is not None and run.state.is_final() for run in runs)

        wait_until(is_all)
        return read()
