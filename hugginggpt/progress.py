"""How far a long step is, told to whoever listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[int, int], None]
"""Told the steps done and all steps there are."""

_listener: ContextVar[Listener | None] = ContextVar("who is told of progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have a listener told what is reported inside the block, in the same thread."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def report(done: int, steps: int) -> None:
    """Tell the listener, if there is one, that so many of all steps are done."""
    if (listener := _listener.get()) is not None:
        listener(done, steps)
