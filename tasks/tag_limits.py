"""Concurrency limits on the tags of tasks, which a user may create on Prefect's server."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any

_unlimited: set[frozenset[str]] = {frozenset()}
"""The sets of tags for which the server has no limit."""


def ask_for_tag_limits_once() -> None:
    """Have each process ask only once whether the tags of a task have limits, so a new one applies to new processes.

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
            if tags not in _unlimited:
                # Prefect, too, lets only one task at a time ask about the same tags.
                with _turn(tags):
                    if tags not in _unlimited:
                        held.enter_context(hold(names, **how))
                        with _cache_lock:
                            if tags in _no_limits_cache:
                                _unlimited.add(tags)
            yield

    task_engine._concurrency = holding  # type: ignore[assignment, attr-defined]


@lru_cache(maxsize=64)
def _turn(tags: frozenset[str]) -> threading.Lock:
    return threading.Lock()
