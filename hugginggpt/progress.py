"""How far long work is, told to whoever listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far long work is.

    Attributes:
        downloaded: what is counted are bytes of a download, not steps.
    """

    done: int
    total: int
    downloaded: bool = False

    def __str__(self) -> str:
        if self.downloaded:
            return f"{self.done / 1e6:,.1f} of {self.total / 1e6:,.1f} MB downloaded"
        return f"{self.done} of {self.total} steps"


Listener = Callable[[Progress], None]
"""Has to return at once: the work waits for it."""

_listener: ContextVar[Listener | None] = ContextVar("who is told of progress", default=None)


@contextmanager
def listening(told: Listener) -> Iterator[None]:
    """Have a listener told what is reported inside the block, in the same thread."""
    before = _listener.set(told)
    try:
        yield
    finally:
        _listener.reset(before)


def listener() -> Listener | None:
    """Who listens to what this thread reports: for work that other threads do for it."""
    return _listener.get()


def report(progress: Progress) -> None:
    """Tell the listener, if there is one."""
    if (told := _listener.get()) is not None:
        told(progress)
