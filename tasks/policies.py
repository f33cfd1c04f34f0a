"""What the stages share: what is tried again, what cached on, what recorded along the way."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from prefect import get_run_logger
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from hugginggpt.controller.client import Controller, ControllerCall
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DatabaseUnavailableError, PassingError, RequestClosedError
from hugginggpt.request import check_spent
from hugginggpt.request_run import RequestRun
from hugginggpt.services import get_controller
from hugginggpt.settings import get_settings
from tasks.limits import controller_slot

BACKOFF = exponential_backoff(backoff_factor=1)
JITTER = 0.5

DATABASE_WAITS = (1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds between tries to reach the trace: a request that was opened goes on when its database comes back by then."""

T = TypeVar("T")


def can_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Prefect's retry condition: only a cause that can pass by itself is tried again."""
    return isinstance(state.data, PassingError) or isinstance(state.result(raise_on_failure=False), PassingError)


def key_of(*parts: Any) -> str:
    """A cache key over JSON-like parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def patiently(what: str, ask: Callable[[], T], deadline: Deadline | None = None) -> T:
    """Ask or tell the trace what the work cannot go on without; while the database is away, wait for it.

    Args:
        what: what is asked or told, as the log calls it.
        ask: does so; it may be called several times.
        deadline: ends the waiting, too.

    Raises:
        DatabaseUnavailableError: the database stayed away.
        DeadlineExceededError: the deadline has passed, or was cancelled.
    """
    for wait in DATABASE_WAITS:
        try:
            return ask()
        except DatabaseUnavailableError as error:
            get_run_logger().warning("%s: next try in %g s: %s", what, wait, error.message)
        if deadline is None:
            time.sleep(wait)
        else:
            deadline.sleep(wait)
    return ask()


@contextmanager
def recording(what: str) -> Iterator[None]:
    """Record in the trace what another stage will record again at the end.

    While the database is away the work goes on: Prefect's result store holds what was made, and
    the final stage, or a resume, records it. What a cancelled request still makes is not recorded.
    """
    try:
        yield
    except DatabaseUnavailableError as error:
        get_run_logger().warning("%s could not be recorded now: %s", what, error.message)
    except RequestClosedError as error:
        get_run_logger().info("%s is not recorded: %s", what, error.message)


def recorded_controller(run: RequestRun, task_id: int | None = None) -> Controller:
    """The controller, each of whose calls goes into the trace of that request and keeps to its budget."""

    def record(call: ControllerCall) -> None:
        what = f"A controller call ({call.stage})"
        with recording(what):
            # Nobody records it again, and what it cost counts.
            patiently(what, lambda: run.trace.record_controller_call(task_id, call))

    def check(deadline: Deadline | None) -> None:
        budget = patiently("What it may cost", run.trace.budget, deadline)
        check_spent(budget, get_settings())

    return get_controller().recording(record, controller_slot, check)
