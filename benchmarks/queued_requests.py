"""Requests in line beside bare flow runs of Prefect's process worker: how many a minute, and at what cost.

    python -m benchmarks.queued_requests

One flow worker answers requests whose plan has one task; one worker of Prefect's type `process`, beside the same
server, runs a flow whose one task does nothing. Both take two runs at a time and poll every two seconds. The batches
take turns, and while one kind works the other waits.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import numpy as np
from PIL import Image as PILImage

from benchmarks.installation import ROOT, START_SECONDS, Installation, Part, installation
from benchmarks.rows import Row, main
from tests.servers import wait_until

BARE_POOL = "bare"
ROUNDS = 3
BARE_RUNS, REQUESTS = 6, 20
"""So many in each batch."""
_MOST_SECONDS = 1200.0
EDGES = {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "picture.png"}}


@dataclass(frozen=True)
class Batch:
    """What a batch took.

    Attributes:
        per_minute: how many were done a minute.
        seconds: the processor time of each, in the worker and the processes that it started.
        server_seconds: the same in Prefect's server.
    """

    per_minute: float
    seconds: float
    server_seconds: float


def measure() -> list[Row]:
    """Measure batches of both kinds in turn.

    Returns:
        the ratio of the medians, and the processor time of a request.
    """
    with installation() as here:
        bare_worker, deployment = _bare(here)
        our_worker = here.flow_worker("flow")
        bare, ours = [], []
        # The first batch of each kind fills caches, and is not counted.
        for number in range(ROUNDS + 1):
            bare.append(_measured(here, bare_worker, BARE_RUNS, partial(_run_bare, deployment, BARE_RUNS)))
            ours.append(_measured(here, our_worker, REQUESTS, partial(_answer, number)))
        return _rows(_median(bare[1:]), _median(ours[1:]))


def _rows(bare: Batch, ours: Batch) -> list[Row]:
    def told(batch: Batch) -> str:
        return (
            f"{batch.per_minute:.1f} a minute, {batch.seconds:.2f} s of processor time each, "
            f"and {batch.server_seconds:.2f} s in Prefect's server"
        )

    return [
        Row(
            "queued requests with a tiny plan, per minute, one flow worker / bare Prefect flow runs through a process "
            "worker",
            ours.per_minute / bare.per_minute,
            4,
            at_least=True,
            details=f"{told(ours)}; bare: {told(bare)}",
        ),
        Row(
            "processor time of a queued request in s: the flow worker and all that it starts",
            ours.seconds,
            1,
            details=told(ours),
        ),
    ]


def _median(batches: list[Batch]) -> Batch:
    return Batch(
        statistics.median(one.per_minute for one in batches),
        statistics.median(one.seconds for one in batches),
        statistics.median(one.server_seconds for one in batches),
    )


def _measured(here: Installation, worker: Part, count: int, work: Callable[[], None]) -> Batch:
    spent, server, began = worker.seconds, here.server.seconds, time.monotonic()
    work()
    seconds = time.monotonic() - began
    return Batch(60 * count / seconds, (worker.seconds - spent) / count, (here.server.seconds - server) / count)


def _bare(here: Installation) -> tuple[Part, UUID]:
    """A worker of Prefect's, and the deployment that it runs."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    from benchmarks.bare_flow import bare

    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=BARE_POOL, type="process"))
        deployment = client.create_deployment(
            client.create_flow(bare), BARE_POOL, entrypoint="benchmarks.bare_flow.bare", work_pool_name=BARE_POOL
        )
    place = f"{ROOT}{os.pathsep}{here.environment.get('PYTHONPATH', '')}"
    here.environment["PYTHONPATH"] = place  # where the worker's processes find the flow
    arguments = ("--pool", BARE_POOL, "--type", "process", "--limit", "2")
    worker = here.part("bare", "-m", "prefect", "worker", "start", *arguments)
    wait_until(lambda: "started!" in worker.log, START_SECONDS)
    return worker, deployment


def _run_bare(deployment: UUID, count: int) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    with get_client(sync_client=True) as client:
        runs = [client.create_flow_run_from_deployment(deployment).id for _ in range(count)]
        completed = FlowRunFilter.model_validate({"id": {"any_": runs}, "state": {"type": {"any_": ["COMPLETED"]}}})
        wait_until(lambda: client.count_flow_runs(flow_run_filter=completed) == count, _MOST_SECONDS)


def _answer(number: int) -> None:
    """Put requests in line, have the schedule's flow start them, and wait until all are answered."""
    from prefect.deployments import run_deployment

    from hugginggpt.services import get_trace

    put_in_line(REQUESTS, number)
    run_deployment("answer-queued/every-minute", timeout=0, as_subflow=False)
    trace = get_trace()
    wait_until(lambda: all(story.finished_at for story in trace.requests.latest(REQUESTS)), _MOST_SECONDS)
    assert all(str(story.status) == "completed" for story in trace.requests.latest(REQUESTS))


def put_in_line(count: int, seed: int = 0, plan: Sequence[Mapping[str, object]] = (EDGES,)) -> None:
    """Put requests in line, each with a picture of its own, so that no result comes from a cache."""
    from hugginggpt.services import get_store, get_trace
    from hugginggpt.settings import get_settings
    from hugginggpt.submission import Submission, submit

    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        for number in range(count):
            noise(random).save(path)
            submission = Submission(request=f"Draw the edges of picture {number}", files=(str(path),), plan=list(plan))
            submit(submission, get_settings(), get_store(), get_trace())


def noise(random: np.random.Generator) -> PILImage.Image:
    """A small picture of random colours, which nobody has seen before."""
    return PILImage.fromarray(random.integers(0, 255, (96, 128, 3), dtype=np.uint8))


if __name__ == "__main__":
    main(measure)
