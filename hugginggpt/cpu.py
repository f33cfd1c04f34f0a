"""One CPU budget for this process.

llama.cpp, torch and ONNX Runtime each spin as many threads as they are given. Two of them at once
on the same cores are slower than one after the other by orders of magnitude, so whatever computes
natively in this process takes its turn here.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hugginggpt.deadline import Deadline

_turn = threading.RLock()


@contextmanager
def computing(deadline: Deadline | None = None) -> Iterator[None]:
    """Hold the process's CPU budget while computing; the same thread may take it again inside.

    Args:
        deadline: how long to wait for the turn; for ever when None.

    Raises:
        DeadlineExceededError: the deadline passed, or was cancelled, before the turn came.
    """
    with _turn if deadline is None else deadline.holding(_turn):
        yield
