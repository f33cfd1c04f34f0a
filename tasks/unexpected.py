"""What nobody foresaw: the log has its traceback, and everything else one sentence without secrets.

Prefect writes what an exception says, as it is, into the states that its database keeps and its UI shows.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from prefect import get_run_logger

from hugginggpt.errors import HuggingGPTError, UnexpectedError
from hugginggpt.redaction import said

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def explaining() -> Iterator[None]:
    """Log an unexpected exception of the block, with its traceback, and raise one of ours in its place.

    Raises:
        UnexpectedError: there was one.
    """
    try:
        yield
    except HuggingGPTError:
        raise
    except Exception as error:
        get_run_logger().exception("It ended unexpectedly.")
        raise UnexpectedError(
            f"It ended unexpectedly ({type(error).__name__}: {said(error)}): see the traceback in the log of the run."
        ) from None


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """The function of a task, with its unexpected exceptions explained."""

    @wraps(function)
    def explaining_function(*args: P.args, **kwargs: P.kwargs) -> R:
        with explaining():
            return function(*args, **kwargs)

    return explaining_function
