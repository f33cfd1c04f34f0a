"""A point in time, and a way to stop earlier: what every long operation is given."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from hugginggpt.errors import DeadlineExceededError, TaskCancelledError

# Cancelling a deadline wakes nobody, so who waits for something else looks at it this often, in seconds.
GLANCE = 0.1


class Lock(Protocol):
    """A lock, or a semaphore."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:
        """Take it, waiting no longer than the timeout."""

    def release(self) -> None:
        """Give it back."""


class Deadline:
    """When something has to be finished.

    Threads cannot be interrupted from outside, so what runs asks its deadline.

    Args:
        seconds: time from now.

    Attributes:
        waited: seconds that what has this deadline stood in line for what others used.
        loading: seconds until a model was loaded that was not yet; None when all were.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.waited = 0.0
        self.loading: float | None = None
        self._at = time.monotonic() + seconds
        self._cancelled = threading.Event()
        self._reason = ""

    def cancel(self, reason: str = "The task was cancelled.") -> None:
        """Bring the deadline to now; the first reason that is given stays."""
        if not self._cancelled.is_set():
            self._reason = reason
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was brought forward."""
        return self._cancelled.is_set()

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return 0.0 if self._cancelled.is_set() else max(0.0, self._at - time.monotonic())

    def expired(self) -> bool:
        """Whether it has passed, or was cancelled."""
        return self.remaining() == 0.0

    def check(self) -> None:
        """Raise if it has passed.

        Raises:
            TaskCancelledError: it was cancelled.
            DeadlineExceededError: it has passed.
        """
        if self._cancelled.is_set():
            raise TaskCancelledError(self._reason)
        if self.expired():
            raise DeadlineExceededError(f"The task did not finish within its {self.seconds:g} seconds.")

    def check_cancelled(self) -> None:
        """Raise if it was cancelled. One that has only passed lets what was made before be kept.

        Raises:
            TaskCancelledError: it was cancelled.
        """
        if self.cancelled:
            self.check()

    def sleep(self, seconds: float) -> None:
        """Wait so long, unless it passes before.

        Raises:
            DeadlineExceededError: it has passed, or was cancelled.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, GLANCE))

    @contextmanager
    def holding(self, lock: Lock) -> Iterator[None]:
        """Hold a lock inside the block, having waited for it no longer than this deadline.

        Raises:
            DeadlineExceededError: it was not to be had in time.
        """
        self.check()
        began = time.monotonic()
        try:
            while not lock.acquire(timeout=min(GLANCE, self.remaining())):
                self.check()
        finally:
            self.waited += time.monotonic() - began
        try:
            yield
        finally:
            lock.release()
