"""The flow that has models there before a request wants them."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.server import flow
from tasks.ui.runs import final_state_of
from tasks.warm import show_warmed, warm_kinds

AT_ONCE = 2
"""Models that are fetched at once."""


@flow(
    name="warm-models",
    flow_run_name="warm-models",
    task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE),
    persist_result=True,
    result_serializer="json",
)
def warm_models(
    kinds: list[str] = [],  # noqa: B006 - Prefect shows the default in its run form
) -> State[list[dict[str, Any]]]:
    """Fetch the default models of some kinds of task, and load them where experts run.

    That is in every worker of the Dask cluster where HUGGINGGPT_TASK_RUNNER is `dask`; else it is the process of
    this flow, and what lasts is that the models are downloaded. One that cannot be loaded does not stop the others.

    Args:
        kinds: kinds of task; when empty, those that a model is downloaded for, and those that models of this
            machine were run for in the last 30 days.

    Returns:
        what became of each model, in a state named Completed, or Partial when some were not loaded. In one named
        Failed a UsageError: there is no such kind; or a ModelLoadError: no model could be loaded.
    """
    return final_state_of(lambda: show_warmed(warm_kinds(kinds)))
