"""One CPU budget for this process.

llama.cpp, torch and ONNX Runtime each start as many threads as they are allowed. Running two of them at once on the
same cores is slower by orders of magnitude than running one after the other, so native computations take turns.
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
        deadline: ends the wait for the turn; None waits for ever.

    Raises:
        DeadlineExceededError: the deadline passed, or was cancelled, before the turn came.
    """
    with _turn if deadline is None else deadline.holding(_turn):
        yield
