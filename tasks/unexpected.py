"""Unexpected exceptions: the log gets the traceback, and everything else one sentence without secrets.

Prefect copies the message of an exception into the states that its database keeps and its UI shows.
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
    """Log an unexpected exception of the block with its traceback, and raise one of our errors in its place.

    Raises:
        UnexpectedError: the block raised an exception that is not ours.
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
    """Wrap the function of a task so that its unexpected exceptions are explained."""

    @wraps(function)
    def explaining_function(*args: P.args, **kwargs: P.kwargs) -> R:
        with explaining():
            return function(*args, **kwargs)

    return explaining_function
