"""What the scheduled flows and their tasks have in common."""

from collections.abc import Callable
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Failed

from hugginggpt.errors import HuggingGPTError
from tasks.policies import JITTER, can_pass
from tasks.posting import finish_posting
from tasks.ui import with_what_is_missing
from tasks.unexpected import explaining

UPKEEP: dict[str, Any] = {
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": can_pass,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
"""Options of a task that is tried again while its cause can pass, and done anew whenever it is asked for."""


def ended(work: Callable[[], State[Any]]) -> State[Any]:
    """Do the work of a scheduled flow, and wait until it is shown.

    Returns:
        the state in which the flow run ends: the one that the work returns, or Failed with one sentence and the
        HuggingGPTError that it raised.
    """
    try:
        with explaining():
            state = work()
    except HuggingGPTError as error:
        state = Failed(message=error.message, data=error)
    state.message = with_what_is_missing(state.message, finish_posting())
    return state
