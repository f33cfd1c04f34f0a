"""What a second expert worker gains: the tasks per second of two workers over those of one, with experts that wait.

    python -m benchmarks.expert_workers

Everything is real and on loopback: Prefect's server on SQLite, for each number of workers a Dask cluster of
`hugginggpt expert-worker` processes, and a process that runs `answer_request` with wide plans, on both clusters in
turn. An expert of the plan computes nothing and only waits, as one does that calls a service, so the two clusters share
the machine's cores without standing in each other's way. The first request on each cluster is not counted.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.rows import Row, main
from tests.servers import free_port, wait_until
from tests.stand_ins.openai_server import OpenAIServer

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
TASKS = 32
THREADS = 2
"""Tasks that a worker does at once: few, so that waiting is what limits it."""
WAIT = 1.0
"""Seconds that an expert waits."""
EXPERT = """
import time

from hugginggpt.capabilities import Capability, Input, ValueType
from hugginggpt.experts.base import Expert
from hugginggpt.media import Text
from hugginggpt.models.card import Endpoint, ModelCard

KINDS = [Capability("waiting", "Wait.", (Input("text", ValueType.TEXT),), (ValueType.TEXT,), hub_tag=None)]
CARDS = [ModelCard(id="benchmark/waiting", kind="waiting", revision="1", runs_on=(Endpoint.EMBEDDED,))]


class Waiting(Expert):
    kind = "waiting"
    endpoint = Endpoint.EMBEDDED

    def load(self, card, context):
        return None

    def prepare(self, inputs):
        return inputs["text"].text

    def run(self, model, prepared, deadline):
        deadline.sleep(float(prepared.split()[0]))
        return prepared

    def render(self, raw, inputs):
        return [Text(raw)]


EXPERTS = [Waiting()]
"""
FLOW = """
import sys, time
from hugginggpt.environment import prepare
prepare()
from flows.answer import answer_request
from hugginggpt.request import RequestOptions
for line in sys.stdin:
    tasks, wait = line.split()
    plan = [{"task": "waiting", "id": n, "dep": [-1], "args": {"text": f"{wait} {n}"}} for n in range(int(tasks))]
    began = time.perf_counter()
    state = answer_request("Wait.", options=RequestOptions(plan=plan, fresh=True), return_state=True)
    print("SECONDS", state.name, time.perf_counter() - began, flush=True)
"""


def install(folder: Path) -> None:
    """The waiting expert, as pip would leave it in a folder of the path."""
    (folder / "benchmark_waiting.py").write_text(EXPERT, encoding="utf-8")
    described = folder / "benchmark_waiting-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: benchmark-waiting\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[hugginggpt.experts]\nwaiting = benchmark_waiting\n[hugginggpt.kinds]\nwaiting = benchmark_waiting:KINDS\n"
    )


class Flows:
    """A process that runs flows on one cluster, one after the other."""

    def __init__(self, environment: dict[str, str], log: Path, stack: ExitStack) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-c", FLOW],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stack.enter_context(log.open("wb")),
            text=True,
        )
        stack.callback(self._process.wait)
        stack.callback(self._process.kill)

    def seconds(self, tasks: int) -> float:
        """The seconds of a request with so many tasks."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(tasks, WAIT, file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("SECONDS"):
                _, name, seconds = line.split()
                if name != "Completed":
                    break
                return float(seconds)
        raise SystemExit(f"A flow did not complete:\n{self._log.read_text(errors='replace')[-2000:]}")


def measure() -> list[Row]:
    """The tasks per second of two workers over those of one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        environment = _environment(folder, stack)
        api = environment["PREFECT_API_URL"]
        server = ["apps.up.prefect_server", "--port", api.split(":")[2].removesuffix("/api")]
        stack.enter_context(process(server, environment, folder / "server.log"))
        wait_until(lambda: _answers(f"{api}/health"))
        on = {workers: _cluster(workers, environment, folder, stack) for workers in (1, 2)}
        seconds: dict[int, list[float]] = {workers: [] for workers in on}
        for flows in on.values():
            flows.seconds(2 * THREADS)
        for _ in range(ROUNDS):
            for workers, flows in on.items():
                seconds[workers].append(flows.seconds(TASKS))
    one, two = (median(seconds[workers]) for workers in (1, 2))
    ideal = TASKS * WAIT / THREADS
    return [
        Row(
            "tasks per second of two expert workers / of one, experts that wait",
            one / two,
            1.8,
            at_least=True,
            details=f"{TASKS} tasks of {WAIT:g} s, {THREADS} threads a worker: {one:.1f} s and {two:.1f} s; "
            f"waiting alone takes {ideal:.1f} s and {ideal / 2:.1f} s",
        )
    ]


def _environment(folder: Path, stack: ExitStack) -> dict[str, str]:
    controller = stack.enter_context(OpenAIServer(script={"respond": "It was done."}, key="sk-stand-in"))
    install(folder)
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "HUGGINGGPT_HOME": str(folder / "home"),
        "HUGGINGGPT_TASK_RUNNER": "dask",
        "HF_HUB_OFFLINE": "1",
        "OPENAI_BASE_URL": controller.url,
        "OPENAI_API_KEY": "sk-stand-in",
    }


def _cluster(workers: int, environment: dict[str, str], folder: Path, stack: ExitStack) -> Flows:
    """A scheduler with so many workers, and the process that runs flows on them."""
    port = free_port()
    environment = environment | {"HUGGINGGPT_DASK_ADDRESS": f"tcp://127.0.0.1:{port}"}
    scheduler = ["apps.cli", "expert-worker", "--scheduler", "--port", str(port)]
    worker = ["apps.cli", "expert-worker", "--threads", str(THREADS)]
    for number, command in enumerate([scheduler, *[worker] * workers]):
        log = folder / f"{workers}-{number}.log"
        stack.enter_context(process(command, environment, log))
        wait_until(lambda log=log: "xpert worker" in log.read_text(errors="replace"))
    return Flows(environment, folder / f"{workers}-flows.log", stack)


@contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """A module of ours that runs as long as the block."""
    with log.open("wb") as out:
        running: Any = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    try:
        yield
    finally:
        running.terminate()
        running.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main(measure)
