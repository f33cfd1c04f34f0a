"""The flow that makes room on the disk."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State
from pydantic import Field

from flows.server import flow
from hugginggpt.upkeep.pruning import Limits
from tasks.prune import find_what_can_go, prune_all
from tasks.ui.runs import final_state_of

# On PostgreSQL, Prefect's server cannot show runs whose parameters hold longer numbers.
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


@flow()
def prune_storage(
    max_age_days: Amount | None = 90.0,
    keep_weights_gb: Amount | None = None,
    keep_artifacts_gb: Amount | None = None,
    dry_run: bool = False,
) -> State[list[dict[str, Any]]]:
    """Delete old traces, records of results, artifacts and weights, and the unfinished files of killed writes.

    Everything that a request may still need stays.

    Args:
        max_age_days: days after which a conversation is deleted with its requests, and so are records, and artifacts
            that no trace refers to; if omitted, nothing is deleted by age.
        keep_weights_gb: gigabytes of downloaded weights to keep, the most recently needed first; if omitted, all.
        keep_artifacts_gb: gigabytes of artifacts to keep; if omitted, all. The oldest that no trace refers to are
            deleted first, then the oldest conversations with their artifacts.
        dry_run: only say what would be deleted.

    Returns:
        how much of each sort was deleted, and how much stays. In a state named Failed, a DatabaseUnavailableError: the
        trace cannot be reached; or a StorageError: the artifact store cannot be read or written.
    """
    limits = Limits.of(max_age_days, keep_weights_gb, keep_artifacts_gb)
    return final_state_of(lambda: prune_all(find_what_can_go(limits), dry_run))
