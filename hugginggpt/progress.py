"""The progress of long work, and the function that listens to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


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

    @property
    def share(self) -> float:
        """The part of the work that is done, from 0 to 1."""
        return self.done / max(1, self.total)


@dataclass(frozen=True)
class ListProgress(Progress):
    """How far the work on a list has come; the element after those that are done is being worked on.

    Attributes:
        first_page: the elements are pages of one document, from this one on; 0 for any other.
        within: how far the work on the element has come, if that is known.
    """

    first_page: int = 0
    within: Progress | None = None

    def __str__(self) -> str:
        number = min(self.done + 1, self.total)
        told = f"{number} of {self.total}"
        if self.first_page == 1:
            told = f"page {told}"
        elif self.first_page:
            told = f"page {self.first_page + number - 1} ({told})"
        return told if self.within is None else f"{told}: {self.within}"

    @property
    def share(self) -> float:
        """The part of the work that is done, from 0 to 1."""
        return (self.done + (self.within.share if self.within else 0.0)) / max(1, self.total)


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


@contextmanager
def on_element(position: ListProgress) -> Iterator[None]:
    """Report that an element of a list is worked on inside the block, and what is reported there as a part of that."""
    if (listener := _listener.get()) is None:
        yield
        return
    listener(position)
    with listening(lambda progress: listener(replace(position, within=progress))):
        yield
