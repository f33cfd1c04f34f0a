"""The flow that loads models before a request needs them."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.server import flow
from tasks.ui.runs import final_state_of
from tasks.warm import show_warmed, warm_kinds

AT_ONCE = 2
"""Models that are downloaded at the same time."""


@flow(task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE))
def warm_models(
    kinds: list[str] = [],  # noqa: B006 - Prefect shows the default in its run form
) -> State[list[dict[str, Any]]]:
    """Download the default models of some kinds of task, and load them where experts run.

    If HUGGINGGPT_TASK_RUNNER is `dask`, experts run in the workers of the Dask cluster. Otherwise they run in the
    process of this flow, and only the download lasts. A model that cannot be loaded does not stop the others.

    Args:
        kinds: kinds of task; if empty, the kinds that have a downloaded model, or for which a model on this machine ran
            in the last 30 days.

    Returns:
        what happened to each model, in a state named Completed, or Partial if some were not loaded. In a state named
        Failed, a UsageError: a kind does not exist; or a ModelLoadError: no model could be loaded.
    """
    return final_state_of(lambda: show_warmed(warm_kinds(kinds)))
