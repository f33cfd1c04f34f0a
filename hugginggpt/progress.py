"""The progress of long work, and the function that listens to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far some long work has come.

    Attributes:
        downloaded: it counts the bytes of a download, not steps.
    """

    done: int
    total: int
    downloaded: bool = False

    def __str__(self) -> str:
        if self.downloaded:
            return f"{self.done / 1e6:,.1f} of {self.total / 1e6:,.1f} MB downloaded"
        return f"{self.done} of {self.total} steps"


Listener = Callable[[Progress], None]
"""A function that receives progress. It has to return at once, because the work waits for it."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress that this thread reports inside the block to the listener."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def current_listener() -> Listener | None:
    """The listener of this thread, for other threads that work for it."""
    return _listener.get()


def report(progress: Progress) -> None:
    """Report progress to the listener, if there is one."""
    if (listener := _listener.get()) is not None:
        listener(progress)
