"""Refreshing the catalog: looking up which models the Hub lists for each kind now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State
from prefect.runtime import task_run
from prefect.states import Completed, Failed

from hugginggpt.capabilities import CAPABILITIES, find_kind
from hugginggpt.catalog.changes import CatalogChanges
from hugginggpt.catalog.hub import forget_probes
from hugginggpt.errors import HuggingGPTError, UsageError
from hugginggpt.services import get_catalog
from hugginggpt.text import counted
from tasks.policies import REFRESH_KIND
from tasks.ui.artifacts import Row, show_table
from tasks.ui.runs import name_run
from tasks.unexpected import explained

_SAME_TRY = 2.0
"""Within this many seconds, all kinds that are retried share one check of whether the Hub answers."""


@dataclass(frozen=True)
class Lookup:
    """How the lookup of a kind ended: with changes, or with an error."""

    kind: str
    changes: CatalogChanges | None
    error: HuggingGPTError | None


def refresh_kinds(kinds: Sequence[str]) -> list[Lookup]:
    """Look up these kinds; if there are none, all kinds that the Hub has a tag for.

    Raises:
        UsageError: a kind does not exist, or the Hub has no tag for it.
    """
    wanted = [_known(kind) for kind in kinds] or [kind for kind in CAPABILITIES if CAPABILITIES[kind].pipeline_tag]
    name_run(f"refresh-catalog: {counted(len(set(wanted)), 'kind')}")
    futures = [(kind, refresh_kind.submit(kind)) for kind in dict.fromkeys(wanted)]
    return [_lookup(kind, future.result(raise_on_failure=False)) for kind, future in futures]


@task(
    name="refresh-kind",
    task_run_name="{kind} · refresh",
    tags={"hub"},
    **REFRESH_KIND.options,
)
@explained
def refresh_kind(kind: str) -> CatalogChanges:
    """Look up the models of one kind, and keep what the Hub lists.

    Raises:
        HubUnavailableError: the Hub did not answer completely; the earlier list stays.
        DatabaseUnavailableError: its answer cannot be stored.
        ConfigurationError: the settings do not allow asking the Hub.
    """
    if task_run.get_run_count() > 1:
        forget_probes(older_than=_SAME_TRY)
    return get_catalog().refresh(kind)


def show_changes(lookups: Sequence[Lookup]) -> State[Any]:
    """Show what changed, one row for each kind.

    Returns:
        the final state of the flow run: Completed; Partial (also completed) if some kinds could not be looked up;
        Failed if none could.
    """
    show_table("catalog", [_row(lookup) for lookup in lookups], "The Hub's models of each kind, and what changed")
    missing = {lookup.kind: lookup.error for lookup in lookups if lookup.error is not None}
    data = {
        "kinds": [lookup.changes.model_dump(mode="json") for lookup in lookups if lookup.changes is not None],
        "not_looked_up": {kind: error.message for kind, error in missing.items()},
    }
    if not missing:
        return Completed(data=data)
    if len(missing) < len(lookups):
        stays = "their earlier lists stay"
        return Completed(name="Partial", message=f"Not looked up: {', '.join(missing)}; {stays}.", data=data)
    first = next(iter(missing.values()))
    return Failed(message=f"{first.message} The earlier lists stay.", data=first)


def _known(name: str) -> str:
    kind = find_kind(name)
    if kind is None or CAPABILITIES[kind].pipeline_tag is None:
        raise UsageError(f"The Hub has no tag for the kind '{name}': choose other kinds, or none to refresh all.")
    return kind


def _lookup(kind: str, ending: CatalogChanges | BaseException) -> Lookup:
    if isinstance(ending, CatalogChanges):
        return Lookup(kind, ending, None)
    if isinstance(ending, HuggingGPTError):
        return Lookup(kind, None, ending)
    raise ending


def _row(lookup: Lookup) -> Row:
    found = lookup.changes
    if found is None:
        return {"kind": lookup.kind, "models": "", "what changed": f"not looked up: {lookup.error}"}
    said = (("new", found.new), ("gone", found.gone), ("another commit", found.revised), ("rank", found.moved))
    told = "; ".join(f"{what}: {', '.join(names)}" for what, names in said if names)
    return {"kind": lookup.kind, "models": found.models, "what changed": told or "nothing"}
