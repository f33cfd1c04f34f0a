"""Global limits on a real server: who waits for a slot can be stopped, and a server that is away can come back."""

import os
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from hugginggpt.deadline import Deadline
from hugginggpt.environment import CONTROLLER_LIMIT
from hugginggpt.errors import DeadlineExceededError, OrchestratorUnavailableError, PassingError, TaskCancelledError
from hugginggpt.settings import CHECKOUT
from tasks.limits import controller_slot
from tasks.policies import RESPOND
from tests import forked


@pytest.fixture
def one_slot() -> Iterator[None]:
    """A server with one slot for the controller. Under this name the process has not asked it for limits before."""
    with temporary_settings({PREFECT_API_URL: str(PREFECT_API_URL.value()).replace("127.0.0.1", "localhost")}):
        with get_client(sync_client=True) as client:
            client.upsert_global_concurrency_limit_by_name(CONTROLLER_LIMIT, 1)
        try:
            yield
        finally:
            with get_client(sync_client=True) as client:
                client.delete_global_concurrency_limit_by_name(CONTROLLER_LIMIT)


def test_who_waits_for_a_slot_stops_when_told_and_when_its_time_is_over(one_slot: None) -> None:
    errors: list[BaseException] = []

    def wait(deadline: Deadline) -> None:
        try:
            with controller_slot(deadline):
                pass
        except DeadlineExceededError as error:
            errors.append(error)

    first, second = Deadline(600), Deadline(600)
    with controller_slot(None):
        waiting = [
            threading.Thread(target=copy_context().run, args=[wait, deadline], daemon=True)
            for deadline in (first, second)
        ]
        for thread in waiting:
            thread.start()
        time.sleep(1)
        second.cancel("Cancelled by ada.")
        first.cancel("Cancelled by ada.")
        for thread in waiting:
            thread.join()
            assert not thread.is_alive()
        with pytest.raises(DeadlineExceededError, match=r"^No slot of the limit hugginggpt-controller came free in t"):
            wait_again = Deadline(1)
            with controller_slot(wait_again):
                pass
    assert [type(error) for error in errors] == [TaskCancelledError] * 2
    assert errors[0].args == ("Cancelled by ada.",)
    assert first.waited > 0.5 and second.waited > 0.5 and wait_again.waited > 0.5
    with controller_slot(Deadline(30)):
        pass


def test_a_server_that_is_away_is_a_cause_that_can_pass(one_slot: None) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), pytest.raises(OrchestratorUnavailableError):
        controller_slot(Deadline(30)).__enter__()
    assert issubclass(OrchestratorUnavailableError, PassingError)


@pytest.mark.slow
def test_the_slot_of_a_killed_holder_comes_free_long_before_a_stage_runs_out_of_time(one_slot: None) -> None:
    reading, writing = os.pipe()
    environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    holder = forked.start([], CHECKOUT, environment, (0, writing, 2), module="tests.flows.holding")
    os.close(writing)
    with os.fdopen(reading) as said:
        assert "held" in said.readline()
    holder.kill()
    holder.wait()
    with controller_slot(Deadline(RESPOND.seconds / 2)):
        pass
