"""How the stages read and write the trace, even if its database is away for a while."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from prefect import get_run_logger

from hugginggpt.controller.call import ControllerCall
from hugginggpt.controller.client import Controller
from hugginggpt.costs import is_free
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DatabaseUnavailableError, RequestClosedError
from hugginggpt.models.card import ModelChoice
from hugginggpt.request_run import RequestRun
from hugginggpt.services import get_controller
from hugginggpt.settings import get_settings
from tasks.limits import controller_slot

DATABASE_WAITS = (1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds between tries to reach the database. An open request goes on if the database is back in time."""

T = TypeVar("T")


def retry_while_database_is_down(what: str, ask: Callable[[], T], deadline: Deadline | None = None) -> T:
    """Read or write something in the trace that the work needs; while the database is away, try again.

    Args:
        what: what is read or written, as the log names it.
        ask: reads or writes it; it may be called several times.
        deadline: also ends the wait.

    Raises:
        DatabaseUnavailableError: the database stayed unreachable.
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
    """Record something in the trace that the work does not need.

    While the database is away, the work goes on: Prefect's result store holds what was made, and the final stage, or
    a resume, records it. Results of a cancelled request are not recorded.
    """
    try:
        yield
    except DatabaseUnavailableError as error:
        get_run_logger().warning("%s could not be recorded now: %s", what, error.message)
    except RequestClosedError as error:
        get_run_logger().info("%s is not recorded: %s", what, error.message)


def record_choices(run: RequestRun, choices: Mapping[int, ModelChoice], *, cached: bool = False) -> None:
    """Record the models chosen for tasks, by task id, which no later stage records again."""
    what = "A choice of models"
    with recording(what):
        retry_while_database_is_down(what, lambda: run.trace.record_choices(choices, cached=cached))


def recorded_controller(run: RequestRun, task_id: int | None = None) -> Controller:
    """The controller, with each call recorded in the trace of a request and kept within its budget."""

    def record(call: ControllerCall) -> None:
        what = f"A controller call ({call.stage})"
        with recording(what):
            # No later stage records it again, and its cost counts.
            retry_while_database_is_down(what, lambda: run.trace.record_controller_call(task_id, call))

    def check(deadline: Deadline | None) -> None:
        if is_free(get_settings()):
            return
        budget = retry_while_database_is_down("The budget", lambda: run.trace.budget(), deadline)
        budget.check()

    controller = get_controller()
    # Each expert worker has an embedded model of its own, whose calls take turns there.
    takes_turns = controller.is_embedded and get_settings().task_runner == "dask"
    return controller.recording(record, nullcontext if takes_turns else controller_slot, check)
