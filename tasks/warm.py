"""Warming models: downloading the default model of each kind, and loading it where experts run."""

from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run, task_run
from prefect.states import Completed, Failed

from hugginggpt.capabilities import known_kind
from hugginggpt.cluster.address import cluster_of
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertUnavailableError, ModelLoadError
from hugginggpt.settings import get_settings
from hugginggpt.text import counted
from hugginggpt.upkeep.warming import Warmed, kinds_to_warm, load_here, load_on_dask
from tasks.cancelling import cancellable, cancelled_on_error
from tasks.policies import LOAD_MODEL
from tasks.ui.artifacts import Row, show_table
from tasks.ui.runs import name_run
from tasks.unexpected import explained

_LIFE = 1  # each flow run has a name of its own, and one life


def warm_kinds(kinds: Sequence[str]) -> list[Warmed]:
    """Load the default models of these kinds; if there are none, of the kinds in use.

    Raises:
        UsageError: a kind does not exist.
    """
    run = flow_run.get_id() or ""
    wanted = list(dict.fromkeys(map(known_kind, kinds))) or kinds_to_warm()
    name_run(f"warm-models: {counted(len(wanted), 'kind')}")
    with cancelled_on_error((run, _LIFE), "The flow was stopped."):
        futures = [load_model.submit(kind, run) for kind in wanted]
        return [warmed for future in futures for warmed in future.result()]


@task(
    name="load-model",
    task_run_name="{kind} · load",
    tags={"models"},
    **LOAD_MODEL.options,
)
@explained
def load_model(kind: str, run: str) -> list[Warmed]:
    """Load the default model of a kind in every process that runs experts; return what happened in each.

    Raises:
        ExpertUnavailableError: the Hub or the cluster is busy or cannot be reached, and this is not the last try.
    """
    last_try = task_run.get_run_count() > load_model.retries
    try:
        warmed = _load_where_experts_run(kind, run)
    except ExpertUnavailableError as error:
        if not last_try:
            raise
        return [Warmed(kind=kind, where="", reason=error.message, passing=True)]
    passing = next((one.reason for one in warmed if one.passing), None)
    if passing is not None and not last_try:
        raise ExpertUnavailableError(passing)
    return warmed


def _load_where_experts_run(kind: str, run: str) -> list[Warmed]:
    settings = get_settings()
    deadline = Deadline(LOAD_MODEL.seconds)
    with cancellable((run, _LIFE), deadline):
        if settings.task_runner == "dask":
            return load_on_dask(kind, cluster_of(settings), deadline)
        return [load_here(kind, deadline)]


def show_warmed(warmed: Sequence[Warmed]) -> State[Any]:
    """Show which models were loaded, one row for each model and process.

    Returns:
        the final state of the flow run: Completed; Partial (also completed) if some models were not loaded; Failed if
        none was.
    """
    show_table("models", [_row(one) for one in warmed], "Models to load, and whether they were loaded")
    data = [one.model_dump(mode="json") for one in warmed]
    missing = list(dict.fromkeys(one.kind for one in warmed if not one.loaded))
    if not warmed:
        return Completed(message="No kind has a downloaded model, and none was used recently.", data=data)
    if not missing:
        return Completed(data=data)
    if any(one.loaded for one in warmed):
        return Completed(name="Partial", message=f"Not loaded everywhere: {', '.join(missing)}.", data=data)
    message = f"No model was loaded. The first, for {warmed[0].kind}: {warmed[0].reason}"
    return Failed(message=message, data=ModelLoadError(message))


def _row(one: Warmed) -> Row:
    return {
        "kind": one.kind,
        "model": one.model or "",
        "revision": (one.revision or "")[:12],
        "endpoint": one.endpoint or "",
        "loaded": f"in {one.seconds} s" if one.loaded else f"no: {one.reason}",
        "where": one.where,
    }
