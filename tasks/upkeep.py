"""What the tasks of the scheduled flows have in common."""

from typing import Any

from prefect.cache_policies import NO_CACHE

from tasks.policies import JITTER, can_pass

UPKEEP: dict[str, Any] = {
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": can_pass,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
"""Options of a task that is tried again while its cause can pass, and done anew whenever it is asked for."""
