"""Pruning: deleting what nothing needs any more, with a task run for each sort."""

from typing import Any

from prefect import task
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH
from prefect.states import Completed
from prefect.utilities.annotations import quote

from hugginggpt.upkeep.pruning import Limits, Prunable, Pruned, Sort, find_prunable, prune
from tasks.policies import FIND_PRUNABLE, PRUNE_SORT
from tasks.ui.artifacts import Row, show_table
from tasks.ui.runs import name_run
from tasks.unexpected import explained


@task(
    name="find-prunable",
    task_run_name="find what can go",
    **FIND_PRUNABLE.options,
)
@explained
def find_what_can_go(limits: Limits) -> Prunable:
    """Find what nothing needs and these limits allow to delete.

    Raises:
        DatabaseUnavailableError: the trace cannot be reached.
        StorageError: the artifact store cannot be read.
    """
    return find_prunable(limits, PREFECT_LOCAL_STORAGE_PATH.value())


def prune_all(prunable: Prunable, dry_run: bool) -> State[Any]:
    """Delete what can go, records before the artifacts that they name, and show how much that was.

    Returns:
        the final state of the flow run.
    """
    done = [prunable.tally(sort) if dry_run else _prune(prunable, sort) for sort in Sort]
    told = "would go" if dry_run else "gone"
    show_table("storage", [_row(one, told) for one in done], f"What {'could be' if dry_run else 'was'} deleted")
    freed = sum(one.gone_bytes or 0 for one in done)
    name_run(f"prune-storage: {freed / 10**6:,.1f} MB {'could go' if dry_run else 'freed'}")
    message = f"{freed / 10**6:,.1f} MB {'would be' if dry_run else 'were'} freed."
    return Completed(message=message, data=[one.model_dump(mode="json") for one in done])


def _prune(prunable: Prunable, sort: Sort) -> Pruned:
    # Quoted, so that Prefect does not search it for futures.
    return prune_sort(prunable=quote(prunable), sort=sort, return_state=False)


@task(
    name="prune-sort",
    task_run_name="prune {sort}",
    **PRUNE_SORT.options,
)
@explained
def prune_sort(prunable: Prunable, sort: Sort) -> Pruned:
    """Delete what can go of one sort.

    Raises:
        DatabaseUnavailableError: the trace cannot be written.
        StorageError: the artifact store cannot be written.
    """
    return prune(prunable, sort)


def _row(one: Pruned, told: str) -> Row:
    return {
        "": one.sort,
        told: one.gone,
        f"{told}, bytes": "" if one.gone_bytes is None else one.gone_bytes,
        "stay": one.stay,
        "stay, bytes": "" if one.stay_bytes is None else one.stay_bytes,
    }
