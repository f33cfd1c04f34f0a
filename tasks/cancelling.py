"""Cancelling: threads cannot be interrupted, so whatever runs looks at its deadline."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from hugginggpt.deadline import Deadline

Life = tuple[str, int]
"""A request and which of its lives."""

_running: defaultdict[Life, set[Deadline]] = defaultdict(set)
_cancelled: set[Life] = set()
_lock = threading.Lock()


@contextmanager
def cancellable(request_id: str, life: int, deadline: Deadline) -> Iterator[None]:
    """Let `cancel` reach a deadline inside the block; after `cancel` it is over before it begins."""
    key = (request_id, life)
    with _lock:
        _running[key].add(deadline)
        if key in _cancelled:
            deadline.cancel()
    try:
        yield
    finally:
        with _lock:
            _running[key].discard(deadline)
            if not _running[key]:
                del _running[key]


def cancel(request_id: str, life: int) -> None:
    """Bring the deadline of everything that this process runs, or will yet begin, for a life to now."""
    with _lock:
        _cancelled.add((request_id, life))
        for deadline in _running.get((request_id, life), ()):
            deadline.cancel()
