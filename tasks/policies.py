"""What the stages share: what is tried again, what cached on, what recorded along the way."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from hugginggpt.controller.client import Controller, ControllerCall
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DatabaseUnavailableError, PassingError, RequestClosedError
from hugginggpt.request import check_spent
from hugginggpt.services import get_controller, get_trace
from tasks.limits import controller_slot

BACKOFF = exponential_backoff(backoff_factor=1)
JITTER = 0.5


def can_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Prefect's retry condition: only a cause that can pass by itself is tried again."""
    return isinstance(state.data, PassingError) or isinstance(state.result(raise_on_failure=False), PassingError)


def key_of(*parts: Any) -> str:
    """A cache key over JSON-like parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


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


def recorded_controller(request_id: str, life: int, task_id: int | None = None) -> Controller:
    """The controller, each of whose calls goes into the trace of that request and keeps to its budget."""

    def record(call: ControllerCall) -> None:
        with recording(f"A controller call ({call.stage})"):
            get_trace().record_controller_call(request_id, task_id, call, life=life)

    @contextmanager
    def within_budget(deadline: Deadline | None) -> Iterator[None]:
        with controller_slot(deadline):
            check_spent(get_trace().budget(request_id))
            yield

    return get_controller().recording(record, within_budget)
