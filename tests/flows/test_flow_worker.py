"""The flow worker: when it looks for runs."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, WorkerStatus
from prefect.settings import PREFECT_API_URL

from flows.queue import start_run
from hugginggpt.services import get_store, get_trace
from hugginggpt.settings import CHECKOUT, get_settings
from hugginggpt.submission import Submission, submit
from hugginggpt.up_state import wake_flow_workers, woken_at
from tests import forked
from tests.flows.test_queue import deploy
from tests.servers import wait_until
from tests.stand_ins.openai_server import OpenAIServer

EDGES = {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}


@pytest.fixture
def worker(prefect_server: None) -> Iterator[None]:
    """A worker for one run at a time that looks for runs by itself once, when there are none, and then once an hour."""
    deploy()
    with OpenAIServer(script={"respond": "The edges were drawn."}, key="sk-stand-in") as controller:
        environment = os.environ | {
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "PREFECT_WORKER_QUERY_SECONDS": "3600",
            "OPENAI_BASE_URL": controller.url,
            "OPENAI_API_KEY": "sk-stand-in",
        }
        words = ["--limit", "1", "--name", "hourly"]
        process = forked.start(words, CHECKOUT, environment, module="apps.up.flow_worker")
        try:
            wait_until(_has_looked)
            yield
        finally:
            process.terminate()
            process.wait()


def _has_looked() -> bool:
    with get_client(sync_client=True) as client:
        queue = client.read_work_queue_by_name("default", work_pool_name="hugginggpt")
        workers = client.read_workers_for_work_pool("hugginggpt")
    return queue.last_polled is not None and any(
        one.name == "hourly" and one.status is WorkerStatus.ONLINE for one in workers
    )


def _ended(flow_run_id: UUID) -> FlowRun:
    with get_client(sync_client=True) as client:
        wait_until(lambda: client.read_flow_run(flow_run_id).state.is_final())  # type: ignore[union-attr]
        return client.read_flow_run(flow_run_id)


def _start(request_id: str, text: str) -> str:
    return str(start_run(request_id, text).id)


def test_it_is_woken_by_a_run_that_is_started_here_and_looks_for_the_next_as_one_ends(
    worker: None, photo: Path
) -> None:
    for number in range(3):
        submission = Submission(request=f"Draw its edges {number}", files=(str(photo),), id=f"r{number}", plan=[EDGES])
        submit(
            submission, get_settings(), get_store(), get_trace(), start=lambda one, text: str(start_run(one, text).id)
        )
    requests = get_trace().requests
    wait_until(lambda: all(requests.get(f"r{number}").finished_at for number in range(3)))
    assert {str(requests.get(f"r{number}").status) for number in range(3)} == {"completed"}
    (life,) = requests.get("r0").lives
    run = _ended(UUID(life.flow_run_id))
    assert run.name == "Draw its edges 0 → The edges were drawn."
    assert f"conversation:{requests.get('r0').conversation_id[:8]}" in run.tags
    # What its process tells, and does not ask again.
    assert (run.infrastructure_pid or "").isdecimal() and run.start_time is not None and run.run_count == 1


def test_waking_is_seen_by_those_who_looked_before(tmp_path: Path) -> None:
    assert woken_at(tmp_path) == 0
    wake_flow_workers(tmp_path)
    first = woken_at(tmp_path)
    wake_flow_workers(tmp_path)
    assert 0 < first <= woken_at(tmp_path)
    wake_flow_workers(tmp_path / "missing")  # a home folder that does not exist has no workers
