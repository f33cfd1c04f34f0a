"""Checks something repeatedly while other work goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def polling(look: Callable[[], bool | None], seconds: float, name: str) -> Iterator[None]:
    """Call a function every few seconds while the block runs, in a thread of its own.

    Args:
        look: the function to call; it is not called again once it returns False.
        seconds: the time between two calls, and before the first.
        name: of the thread.
    """
    stop = threading.Event()

    def keep_looking() -> None:
        while not stop.wait(seconds):
            if look() is False:
                return

    thread = threading.Thread(target=keep_looking, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
