"""Concurrency limits on the tags of tasks, which a user may create on Prefect's server."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any

REMEMBERED_SECONDS = 60.0
"""For how long a process remembers that there is no limit."""

_unlimited: dict[frozenset[str], float] = {frozenset(): math.inf}
"""By a set of tags for which the server has no limit, until when that is remembered."""


def ask_for_tag_limits_seldom() -> None:
    """Have a process ask only once a minute whether the tags of a task have limits.

    Prefect asks again after five seconds, while the task waits, and goes through three threads even for an answer
    that it knows.
    """
    from prefect import task_engine  # reads the environment, which `prepare` completes first
    from prefect.concurrency.services import _cache_lock, _no_limits_cache

    hold = task_engine._concurrency  # type: ignore[attr-defined]

    @contextmanager
    def holding(names: list[str], **how: Any) -> Iterator[None]:
        tags = frozenset(names)
        with ExitStack() as held:
            if not _is_unlimited(tags):
                # Prefect, too, lets only one task at a time ask about the same tags.
                with _turn(tags):
                    if not _is_unlimited(tags):
                        held.enter_context(hold(names, **how))
                        with _cache_lock:
                            if tags in _no_limits_cache:
                                _unlimited[tags] = time.monotonic() + REMEMBERED_SECONDS
            yield

    task_engine._concurrency = holding  # type: ignore[assignment, attr-defined]


def _is_unlimited(tags: frozenset[str]) -> bool:
    return _unlimited.get(tags, -math.inf) > time.monotonic()


@lru_cache(maxsize=64)
def _turn(tags: frozenset[str]) -> threading.Lock:
    return threading.Lock()
