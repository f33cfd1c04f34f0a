"""Warming models: the default model of each kind is fetched, and loaded where experts run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run, task_run
from prefect.states import Completed, Failed
from prefect.tasks import exponential_backoff

from hugginggpt.capabilities import find_kind
from hugginggpt.cluster import cluster_of
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertUnavailableError, ModelLoadError, UsageError
from hugginggpt.settings import get_settings
from hugginggpt.upkeep.warming import LOADING_SECONDS, Warmed, kinds_to_warm, load_here, load_on_dask
from tasks.cancelling import cancel, cancellable
from tasks.ui import Row, counted, name_run, show_table
from tasks.unexpected import explained
from tasks.upkeep import UPKEEP

RETRIES = 2
BACKOFF = exponential_backoff(backoff_factor=10)

_LIFE = 1  # every run of the flow has a name of its own, and lives once


def warm_kinds(kinds: Sequence[str]) -> list[Warmed]:
    """Load the default models of these kinds, or of those that are in use.

    Raises:
        UsageError: there is no such kind.
    """
    run = flow_run.get_id() or ""
    wanted = list(dict.fromkeys(map(_known, kinds))) or kinds_to_warm()
    name_run(f"warm-models: {counted(len(wanted), 'kind')}")
    with _cancelled_with_the_flow(run):
        futures = [load_model.submit(kind, run) for kind in wanted]
        return [warmed for future in futures for warmed in future.result()]


@task(
    name="load-model",
    task_run_name="{kind} · load",
    tags={"models"},
    retries=RETRIES,
    retry_delay_seconds=BACKOFF,
    **UPKEEP,
)
@explained
def load_model(kind: str, run: str) -> list[Warmed]:
    """Load the default model of a kind in every process that runs experts; say of each what became of it.

    Raises:
        ExpertUnavailableError: the Hub or the cluster is busy or out of reach, and this is not the last try.
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
    deadline = Deadline(LOADING_SECONDS)
    with cancellable((run, _LIFE), deadline):
        if settings.task_runner == "dask":
            return load_on_dask(kind, cluster_of(settings), deadline)
        return [load_here(kind, deadline)]


def show_warmed(warmed: Sequence[Warmed]) -> State[Any]:
    """Show what was loaded and what was not, a row a model and process.

    Returns:
        the state in which the flow run ends: Completed; Partial (completed, too) when some models were not loaded;
        Failed when none was.
    """
    show_table("models", [_row(one) for one in warmed], "Models that were to be loaded, and what became of them")
    data = [one.model_dump(mode="json") for one in warmed]
    missing = list(dict.fromkeys(one.kind for one in warmed if not one.loaded))
    if not warmed:
        return Completed(message="No kind has a downloaded model, and none was used lately.", data=data)
    if not missing:
        return Completed(data=data)
    if any(one.loaded for one in warmed):
        return Completed(name="Partial", message=f"Not loaded everywhere: {', '.join(missing)}.", data=data)
    message = f"No model was loaded. The first of them, for {warmed[0].kind}: {warmed[0].reason}"
    return Failed(message=message, data=ModelLoadError(message))


def _known(name: str) -> str:
    kind = find_kind(name)
    if kind is None:
        raise UsageError(f"There is no task kind '{name}': `hugginggpt kinds` lists them.")
    return kind


@contextmanager
def _cancelled_with_the_flow(run: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        cancel((run, _LIFE), "The flow was stopped.")
        raise


def _row(one: Warmed) -> Row:
    return {
        "kind": one.kind,
        "model": one.model or "",
        "revision": (one.revision or "")[:12],
        "endpoint": one.endpoint or "",
        "loaded": f"in {one.seconds} s" if one.loaded else f"no: {one.reason}",
        "where": one.where,
    }
