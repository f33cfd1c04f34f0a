"""A point in time, and a way to stop earlier: what every long operation is given."""

import threading
import time

from hugginggpt.errors import DeadlineExceededError


class Deadline:
    """When something has to be finished. Threads cannot be interrupted from outside, so what
    runs asks its deadline.

    Args:
        seconds: time from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Bring the deadline to now."""
        self._cancelled.set()

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return 0.0 if self._cancelled.is_set() else max(0.0, self._at - time.monotonic())

    def expired(self) -> bool:
        """Whether it has passed, or was cancelled."""
        return self.remaining() == 0.0

    def check(self) -> None:
        """Raise if it has passed.

        Raises:
            DeadlineExceededError: it has passed, or was cancelled.
        """
        if self._cancelled.is_set():
            raise DeadlineExceededError("The task was cancelled.")
        if self.expired():
            raise DeadlineExceededError(f"The task did not finish within its {self.seconds:g} seconds.")
