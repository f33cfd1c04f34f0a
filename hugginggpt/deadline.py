"""Deadlines. Every long operation has one, and stops when it passes or is cancelled."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Protocol, TypeVar

from hugginggpt.errors import DeadlineExceededError, TaskCancelledError

POLL_SECONDS = 0.1
"""How often to check a deadline while waiting for something else, because cancelling it wakes no thread."""

T = TypeVar("T")


class Lock(Protocol):
    """A lock, or a semaphore."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:
        """Take it, waiting no longer than the timeout."""

    def release(self) -> None:
        """Give it back."""


class Deadline:
    """The time by which an operation has to end.

    Threads cannot be interrupted from outside, so the operation checks its deadline.

    Args:
        seconds: time from now; infinite for a deadline that never passes.
        outer: a deadline that ends this one, too.

    Attributes:
        waited: seconds that the operation waited for resources in use elsewhere.
        loading: seconds that it took to load models; None if all were already loaded.
    """

    def __init__(self, seconds: float, outer: "Deadline | None" = None) -> None:
        self.seconds = seconds
        self._outer = outer
        self.waited = 0.0
        self.loading: float | None = None
        self._at = time.monotonic() + seconds
        self._cancelled = threading.Event()
        self._reason = ""

    def cancel(self, reason: str = "The task was cancelled.") -> None:
        """Let the deadline pass now. If it is cancelled more than once, the first reason counts."""
        if not self._cancelled.is_set():
            self._reason = reason
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it, or its outer deadline, was cancelled."""
        return self._cancelled.is_set() or (self._outer is not None and self._outer.cancelled)

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        if self._cancelled.is_set():
            return 0.0
        left = max(0.0, self._at - time.monotonic())
        return left if self._outer is None else min(left, self._outer.remaining())

    def expired(self) -> bool:
        """Whether it has passed, or was cancelled."""
        return self.remaining() == 0.0

    def check(self) -> None:
        """Raise if it has passed.

        Raises:
            TaskCancelledError: it was cancelled.
            DeadlineExceededError: it has passed.
        """
        if self._outer is not None:
            self._outer.check()
        if self._cancelled.is_set():
            raise TaskCancelledError(self._reason)
        if self.expired():
            raise DeadlineExceededError(f"The task did not finish within its {self.seconds:g} seconds.")

    def check_cancelled(self) -> None:
        """Raise if it was cancelled. If it has only passed, the results so far may be kept.

        Raises:
            TaskCancelledError: it was cancelled.
        """
        if self.cancelled:
            self.check()

    def sleep(self, seconds: float) -> None:
        """Wait, unless the deadline passes first.

        Raises:
            DeadlineExceededError: it has passed, or was cancelled.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, POLL_SECONDS))

    def wait_for(self, call: Callable[[], T]) -> T:
        """The result of a call that has no timeout of its own, such as resolving the name of a host.

        A call that takes too long continues in a thread that ends with the process.

        Raises:
            DeadlineExceededError: it took too long.
        """
        self.check()
        ended, context = threading.Event(), copy_context()
        outcome: list[T] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                outcome.append(context.run(call))
            except BaseException as error:
                failure.append(error)
            finally:
                ended.set()

        threading.Thread(target=run, name="waited-for", daemon=True).start()
        while not ended.wait(min(POLL_SECONDS, self.remaining())):
            self.check()
        if failure:
            raise failure[0]
        return outcome[0]

    @contextmanager
    def holding(self, lock: Lock) -> Iterator[None]:
        """Hold a lock inside the block; wait for it until the deadline at most.

        Raises:
            DeadlineExceededError: it did not come free in time.
        """
        self.check()
        began = time.monotonic()
        try:
            while not lock.acquire(timeout=min(POLL_SECONDS, self.remaining())):
                self.check()
        finally:
            self.waited += time.monotonic() - began
        try:
            yield
        finally:
            lock.release()


NO_DEADLINE = Deadline(math.inf)
"""A deadline that never passes."""
