"""Cancelling: threads cannot be interrupted, so long work checks its deadline.

Every process that works on a request asks the trace once a second whether to go on. So if a request is cancelled, runs
out of time, or is taken over by another process, its experts stop wherever they run.
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
"""A request, and the number of its life."""

POLL_SECONDS = 1.0
"""How often to check the trace while anything runs, in seconds."""

_MOST_REMEMBERED = 10_000
"""How many cancelled lives a process remembers, because it may still get one of their tasks."""

_running: defaultdict[Life, set[Deadline]] = defaultdict(set)
_cancelled: dict[Life, str] = {}
_lock = threading.Lock()
_watcher: threading.Thread | None = None


@contextmanager
def cancellable(life: Life, deadline: Deadline) -> Iterator[None]:
    """Cancel a deadline with its request while the block runs; at once if the request was cancelled before."""
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
    """Cancel the deadline of everything that this process runs for a life, now or later."""
    with _lock:
        _cancelled.setdefault(life, reason)
        while len(_cancelled) > _MOST_REMEMBERED:
            del _cancelled[next(iter(_cancelled))]
        for deadline in _running.get(life, ()):
            deadline.cancel(reason)


@contextmanager
def cancelled_on_error(life: Life, reason: str) -> Iterator[None]:
    """Cancel a life if the block raises an error or is interrupted."""
    try:
        yield
    except BaseException:
        cancel(life, reason)
        raise


def why_cancelled(life: Life) -> str | None:
    """Why a life was cancelled, in one sentence; None if it was not."""
    with _lock:
        return _cancelled.get(life)


def _watch() -> None:
    """Have a thread watch the trace while anything runs. The caller holds the lock."""
    global _watcher
    if _watcher is None or not _watcher.is_alive():
        _watcher = threading.Thread(target=_look, name="cancelling", daemon=True)
        _watcher.start()


def _look() -> None:
    global _watcher
    pause = threading.Event()
    while not pause.wait(POLL_SECONDS):
        with _lock:
            lives = [life for life in _running if life not in _cancelled]
            if not _running:
                _watcher = None
                return
        try:
            over = get_trace().lifecycle.lives_over(lives)
        except DatabaseUnavailableError as error:
            logger.warning("Cannot check whether requests were cancelled: %s", error.message)
            continue
        except Exception:
            # Without this thread, cancelled work and work over its time would never stop.
            logger.exception("Cannot check whether requests were cancelled.")
            continue
        for life, reason in over.items():
            cancel(life, reason)
