"""Requests in line, answered by several workers on PostgreSQL, with workers killed on the way: each exactly once.

    python -m benchmarks.queued_requests [--requests 200] [--flow-workers 2] [--expert-workers 2] [--kill]

Everything is real and on loopback: Prefect's server and the trace on PostgreSQL, a Dask scheduler, expert workers,
flow workers, and the schedule's flow, here begun every few seconds. The controller is a scripted stand-in, the plan of
each request has two tasks on a picture of its own. With --kill one worker of each kind is ended by SIGKILL with all
that it started when a third of the requests is answered, and started again ten seconds later.

Printed: requests per minute, how many lives the requests had, and how many tasks were done more than once.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
import psycopg
from PIL import Image as PILImage

from tests.servers import free_port, postgresql, postgresql_programs, wait_until
from tests.stand_ins.openai_server import OpenAIServer

ROOT = Path(__file__).resolve().parent.parent
PLAN = [
    {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "picture.png"}},
    {"task": "hed-control", "id": 1, "dep": [0], "args": {"image": "<GENERATED>-0"}},
]
LEASE_SECONDS = 10


class Worker:
    """A process in a session of its own, so that all it starts can be killed with it."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command, self._log = command, log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def kill(self) -> None:
        """End it by SIGKILL with all that it started, which is in sessions of its own."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        self.end(signal.SIGKILL)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def end(self, sign: signal.Signals = signal.SIGTERM) -> None:
        try:
            os.killpg(self.process.pid, sign)
            self.process.wait(timeout=30)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--flow-workers", type=int, default=2)
    parser.add_argument("--expert-workers", type=int, default=2)
    parser.add_argument("--kill", action="store_true", help="kill one worker of each kind on the way")
    wanted = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        measure(wanted, folder, stack)


def measure(wanted: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
    programs = postgresql_programs()
    if programs is None:
        raise SystemExit("This needs PostgreSQL with its contrib extensions, from the system's packages.")
    trace = stack.enter_context(postgresql(programs))
    prefect_database = trace.set(database="prefect")
    with psycopg.connect(trace.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("CREATE DATABASE prefect")
    controller = stack.enter_context(OpenAIServer(script={"respond": "The edges were drawn."}, key="sk-stand-in"))
    api, dask = free_port(), free_port()
    os.environ.update(
        {
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{api}/api",
            "PREFECT_API_DATABASE_CONNECTION_URL": prefect_database.set(
                drivername="postgresql+asyncpg"
            ).render_as_string(hide_password=False),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "HUGGINGGPT_HOME": str(folder / "home"),
            "HUGGINGGPT_DATABASE_URL": trace.render_as_string(hide_password=False),
            "HUGGINGGPT_LEASE_SECONDS": str(LEASE_SECONDS),
            "HUGGINGGPT_TASK_RUNNER": "dask" if wanted.expert_workers else "threads",
            "HUGGINGGPT_DASK_ADDRESS": f"tcp://127.0.0.1:{dask}",
            "HUGGINGGPT_CPU_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "OPENAI_BASE_URL": controller.url,
            "OPENAI_API_KEY": "sk-stand-in",
        }
    )
    prefect, ours = [sys.executable, "-m", "prefect", "--no-prompt"], [sys.executable, "-m", "apps.cli"]

    def part(name: str, *command: str) -> Worker:
        worker = Worker(list(command), folder / f"{name}.log")
        stack.callback(worker.end)
        return worker

    part("server", sys.executable, "-m", "apps.up.prefect_server", "--port", str(api))
    wait_until(lambda: answers(f"http://127.0.0.1:{api}/api/health"))
    subprocess.run(
        [*prefect, "work-pool", "create", "hugginggpt", "--type", "process"], cwd=ROOT, check=True, capture_output=True
    )
    deploy = [*prefect, "deploy", "--name", "on-demand", "--prefect-file", "deployments.yaml"]
    subprocess.run(deploy, cwd=ROOT, check=True, capture_output=True)
    put_in_line(wanted.requests, folder)

    experts = []
    if wanted.expert_workers:
        part("scheduler", *ours, "expert-worker", "--scheduler", "--host", "127.0.0.1", "--port", str(dask))
        address = f"tcp://127.0.0.1:{dask}"
        experts = [
            part(f"expert-{n}", *ours, "expert-worker", "--address", address) for n in range(wanted.expert_workers)
        ]
    flows = [
        part(f"flow-{n}", sys.executable, "-m", "apps.up.flow_worker", "--limit", "2", "--name", f"flow-{n}")
        for n in range(wanted.flow_workers)
    ]
    time.sleep(10)  # what starts here is not what is measured
    began = time.monotonic()
    watch(wanted, [flows[0], *experts[:1]] if wanted.kill else [])
    seconds = time.monotonic() - began
    report(wanted, seconds)


def put_in_line(count: int, folder: Path) -> None:
    from hugginggpt.services import get_store, get_trace
    from hugginggpt.settings import get_settings
    from hugginggpt.submission import Submission, submit

    random = np.random.default_rng(0)
    path = folder / "picture.png"
    for number in range(count):
        PILImage.fromarray(random.integers(0, 255, (96, 128, 3), dtype=np.uint8)).save(path)
        submission = Submission(request=f"Draw the edges of picture {number}", files=(str(path),), plan=PLAN)
        submit(submission, get_settings(), get_store(), get_trace())


def watch(wanted: argparse.Namespace, victims: list[Worker]) -> None:
    """Have what waits started every few seconds, until everything is answered."""
    from flows.queue import answer_queued
    from hugginggpt.services import get_trace

    killed_at: float | None = None
    restarted = False
    while True:
        answer_queued()
        stories = get_trace().requests.latest(wanted.requests)
        done = sum(story.finished_at is not None for story in stories)
        print(f"\r{done} of {wanted.requests} answered", end="", file=sys.stderr, flush=True)
        if done == wanted.requests:
            print(file=sys.stderr)
            return
        if victims and killed_at is None and done >= wanted.requests // 3:
            wait_until(lambda: is_at_work(victims[0]))
            for victim in victims:
                victim.kill()
            killed_at = time.monotonic()
        if killed_at is not None and not restarted and time.monotonic() > killed_at + 10:
            for victim in victims:
                victim.start()
            restarted = True
        time.sleep(3)


def is_at_work(flow_worker: Worker) -> bool:
    """Whether a request is in the hands of a process that a flow worker started."""
    from hugginggpt.services import get_trace

    started = {process.pid for process in psutil.Process(flow_worker.process.pid).children(recursive=True)}
    requests = get_trace().requests
    stories = [requests.get(one.request_id) for one in requests.latest(1000) if one.status == "running"]
    holders = [story.lives[-1].holder for story in stories if story.lives and story.lives[-1].ended_at is None]
    return any(int(holder.split(":")[-2]) in started for holder in holders)


def report(wanted: argparse.Namespace, seconds: float) -> None:
    from hugginggpt.services import get_trace, reset

    trace = get_trace()
    stories = [trace.requests.get(summary.request_id) for summary in trace.requests.latest(wanted.requests)]
    finished = Counter(sum(life.ending == "finished" for life in story.lives) for story in stories)
    completed = [
        sum(attempt.status == "completed" for attempt in task.attempts) for story in stories for task in story.tasks
    ]
    figures = {
        "requests": len(stories),
        "flow_workers": wanted.flow_workers,
        "expert_workers": wanted.expert_workers,
        "killed": bool(wanted.kill),
        "seconds": round(seconds, 1),
        "per_minute": round(60 * len(stories) / seconds, 1),
        "status": dict(Counter(str(story.status) for story in stories)),
        "answered_once": finished == Counter({1: len(stories)}),
        "lives": dict(sorted(Counter(len(story.lives) for story in stories).items())),
        "tasks": len(completed),
        "tasks_done_again": sum(count > 1 for count in completed),
    }
    print(json.dumps(figures))
    reset()


if __name__ == "__main__":
    main()
