"""Many requests at once on the default database: is everything that they made in Prefect when their runs end?

    python -m benchmarks.shown_artifacts [--runs 200] [--at-once 16] [--processes 4]

Everything is real and on loopback: Prefect's server on SQLite, as `hugginggpt up` starts it, and the embedded experts.
The controller is a scripted stand-in; the plan of each request has two quick tasks on values of its own, so that
nothing comes from a cache. The runs are begun by several processes, each of which has several at once in threads.

Prefect's server on SQLite is now and then busy for so long that Prefect itself gives a run up: it cannot begin it, or
cannot say that it has ended. Such a request is begun again under its id, as `hugginggpt resume` does, and counted.

Printed: how long it took, how often Prefect gave a run up, and how many requests lack which of their artifacts. The
exit code is 1 if any lacks one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
from PIL import Image as PILImage

from tests.servers import free_port
from tests.stand_ins.openai_server import OpenAIServer

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "apps.cli"]
SHOWN = ("plan", "model-0", "model-1", "result-0", "result-1", "answer")
MOST_TRIES = 5
"""Times that a request is begun when Prefect gives its run up, with so many seconds in between."""
PAUSE = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--processes", type=int, default=4, help="that the runs at once are spread over")
    wanted = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sys.exit(measure(wanted, folder, stack))


def measure(wanted: argparse.Namespace, folder: Path, stack: ExitStack) -> int:
    """Have the runs made, print what they lack, and return the exit code."""
    controller = stack.enter_context(OpenAIServer(script={"respond": "It is done."}, key="sk-stand-in"))
    port = free_port()
    os.environ.update(
        {
            "DO_NOT_TRACK": "1",
            "HUGGINGGPT_HOME": str(folder / "home"),
            "HUGGINGGPT_TASK_RUNNER": "threads",
            "HUGGINGGPT_CPU_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "OPENAI_BASE_URL": controller.url,
            "OPENAI_API_KEY": "sk-stand-in",
            "PREFECT_LOGGING_LEVEL": "ERROR",
        }
    )
    up = ["up", "--detach", "--port", str(port), "--dask-port", str(free_port()), "--expert-workers", "0"]
    stack.callback(subprocess.run, [*COMMAND, "down"], cwd=ROOT)
    subprocess.run([*COMMAND, *up], cwd=ROOT, check=True, stdout=sys.stderr)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"

    processes = min(wanted.processes, wanted.at_once)
    threads = wanted.at_once // processes
    began = time.monotonic()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        shares = [range(number, wanted.runs, processes) for number in range(processes)]
        runs = [run for share in pool.map(partial(answer_all, folder, threads), shares) for run in share]
    seconds = time.monotonic() - began

    missing = [name for run in runs for name in missing_of(run["flow_runs"])]
    figures = {
        "runs": len(runs),
        "at_once": processes * threads,
        "seconds": round(seconds, 1),
        "states": dict(Counter(run["state"] for run in runs)),
        "messages": dict(Counter(run["message"] for run in runs)),
        "slowest": round(max(run["seconds"] for run in runs), 1),
        "given_up_by_prefect": sum(run["given_up"] for run in runs),
        "missing": dict(Counter(missing)),
    }
    print(json.dumps(figures))
    return 1 if missing or len(runs) < wanted.runs or figures["states"].keys() != {"Completed"} else 0


def answer_all(folder: Path, threads: int, numbers: range) -> list[dict[str, Any]]:
    """Answer the requests of these numbers in this process, several at once; return how each run ended."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.answer import answer_request
    from hugginggpt.services import get_trace

    def answer(number: int) -> dict[str, Any]:
        path = folder / f"picture-{number}.png"
        noise = np.random.default_rng(number).integers(0, 255, (96, 128, 3), dtype=np.uint8)
        PILImage.fromarray(noise).save(path)
        plan = [
            {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": path.name}},
            {
                "task": "sentence-similarity",
                "id": 1,
                "dep": [-1],
                "args": {"text1": f"Cat number {number} sits on a mat.", "text2": "A kitten is on the rug."},
            },
        ]
        began = time.monotonic()
        for given_up in range(MOST_TRIES):  # noqa: B007 - how often it was is told below
            with (
                suppress(httpx.HTTPError),
                # As a run in the foreground has it. A thread of its own does not have the settings of the one before.
                temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
            ):
                state: Any = answer_request(
                    f"Draw and compare {number}",
                    [str(path)],
                    options={"plan": plan},
                    request_id=f"number-{number}",
                    return_state=True,
                )
                if get_trace().requests.get(f"number-{number}").finished_at is not None:
                    break
            time.sleep(PAUSE)
        else:
            raise SystemExit(f"Prefect gave request {number} up again and again.")
        return {
            "flow_runs": [life.flow_run_id for life in get_trace().requests.get(f"number-{number}").lives],
            "state": state.name,
            "message": state.message,
            "seconds": time.monotonic() - began,
            "given_up": given_up,
        }

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(answer, numbers))


def missing_of(flow_runs: list[str]) -> list[str]:
    """What a request made that Prefect does not have under its flow runs, of which there is one as a rule."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(one) for one in flow_runs]))
    with get_client(sync_client=True) as client:
        found = {artifact.key for artifact in client.read_artifacts(artifact_filter=wanted)}
    return [name for name in SHOWN if name not in found]


if __name__ == "__main__":
    main()
