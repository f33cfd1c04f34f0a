"""Cancelling: threads cannot be interrupted, so whatever runs looks at its deadline.

A process that works on requests, wherever it runs, asks the trace every second whether it still has to:
a request that was cancelled, or is over its time, or has another process, stops its experts in all of them.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from hugginggpt.deadline import Deadline
from hugginggpt.errors import DatabaseUnavailableError
from hugginggpt.services import get_trace

logger = logging.getLogger(__name__)

Life = tuple[str, int]
"""A request and which of its lives."""

LOOKS_EVERY = 1.0
"""Seconds between two looks at the trace, while anything runs."""

_MOST_REMEMBERED = 10_000
"""Cancelled lives that a process keeps in mind, in case that it is still given a task of theirs."""

_running: defaultdict[Life, set[Deadline]] = defaultdict(set)
_cancelled: dict[Life, str] = {}
_lock = threading.Lock()
_watcher: threading.Thread | None = None


@contextmanager
def cancellable(life: Life, deadline: Deadline) -> Iterator[None]:
    """Let a deadline inside the block be cancelled with its request; after that it is over before it begins."""
    with _lock:
        _running[life].add(deadline)
        if life in _cancelled:
            deadline.cancel(_cancelled[life])
        _watch()
    try:
        yield
    finally:
        with _lock:
            _running[life].discard(deadline)
            if not _running[life]:
                del _running[life]


def cancel(life: Life, reason: str) -> None:
    """Bring the deadline of everything that this process runs, or will yet begin, for a life to now."""
    with _lock:
        _cancelled.setdefault(life, reason)
        while len(_cancelled) > _MOST_REMEMBERED:
            del _cancelled[next(iter(_cancelled))]
        for deadline in _running.get(life, ()):
            deadline.cancel(reason)


def why_cancelled(life: Life) -> str | None:
    """Why a life was cancelled, one sentence; None while it goes on."""
    with _lock:
        return _cancelled.get(life)


def _watch() -> None:
    """Have somebody look as long as anything runs. The lock is held."""
    global _watcher
    if _watcher is None or not _watcher.is_alive():
        _watcher = threading.Thread(target=_look, name="cancelling", daemon=True)
        _watcher.start()


def _look() -> None:
    global _watcher
    pause = threading.Event()
    while not pause.wait(LOOKS_EVERY):
        with _lock:
            lives = [life for life in _running if life not in _cancelled]
            if not _running:
                _watcher = None
                return
        try:
            over = get_trace().lifecycle.lives_over(lives)
        except DatabaseUnavailableError as error:
            logger.warning("Whether requests were cancelled cannot be seen now: %s", error.message)
            continue
        except Exception:
            # Nobody would look any more: what is cancelled, or over its time, would never stop.
            logger.exception("Whether requests were cancelled cannot be seen now.")
            continue
        for life, reason in over.items():
            cancel(life, reason)
