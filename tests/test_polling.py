"""A function that is called again and again while a block runs."""

import threading
import time

from hugginggpt.polling import polling


def test_it_is_called_until_the_block_ends() -> None:
    enough, calls = threading.Event(), 0

    def look() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            enough.set()

    with polling(look, 0.01, "looking"):
        enough.wait()
    after = calls
    time.sleep(0.05)
    assert calls == after


def test_it_is_not_called_again_once_it_returns_false() -> None:
    called = threading.Semaphore(0)

    def look() -> bool:
        called.release()
        return False

    with polling(look, 0.01, "looking"):
        called.acquire()
        assert not called.acquire(timeout=0.1)
