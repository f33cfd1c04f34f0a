"""The flow that brings the catalog up to date."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.server import flow
from tasks.refresh import refresh_kinds, show_changes
from tasks.ui.runs import final_state_of

AT_ONCE = 4
"""Kinds that are looked up at the same time."""


@flow(task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE))
def refresh_catalog(
    kinds: list[str] = [],  # noqa: B006 - Prefect shows the default in its run form
) -> State[dict[str, Any]]:
    """Look up which models the Hub has for each kind of task, and keep its lists.

    The earlier list of a kind stays until the Hub has answered completely.

    Args:
        kinds: kinds of task to look up; if empty, every kind that the Hub has a tag for.

    Returns:
        what changed, in a state named Completed, or Partial if some kinds could not be looked up. In a state named
        Failed, a UsageError: a kind does not exist, or the Hub has no tag for it; or a HubUnavailableError: no kind
        could be looked up.
    """
    return final_state_of(lambda: show_changes(refresh_kinds(kinds)))
