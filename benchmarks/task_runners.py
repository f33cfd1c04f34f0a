"""What a task costs in threads and on a Dask cluster, and what a second request gains from a warm worker.

    python -m benchmarks.task_runners [--tasks 12] [--rounds 3]

Everything is real and on loopback: Prefect's server, a Dask scheduler, an expert worker, and a process for each flow.
The controller is a scripted stand-in that answers at once, so what is measured is the way of a task and not a model.
The plan has so many tasks that draw the edges of a small picture, the second half from what the first half made. A
flow's own seconds are measured inside its process, without the imports, and the first one of each way is not counted.

The second table is one task on a local model, the six layers of DistilBERT with random weights and few words: first on
a worker that has loaded nothing, then in a new process on the same worker, and in threads, where each process loads it
again.
"""

import argparse
import json
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
from PIL import Image as PILImage

from tests.flows.test_warm_models import MOOD, SENTIMENT
from tests.servers import free_port, wait_until
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.openai_server import OpenAIServer

ROOT = Path(__file__).resolve().parent.parent
FLOW = """
import json, sys, time
from hugginggpt.environment import prepare
prepare()
from flows.answer import answer_request
from hugginggpt.request import RequestOptions
given = json.loads(sys.argv[1])
for _ in range(given["times"]):
    began = time.perf_counter()
    state = answer_request(
        "Do it", given["files"], options=RequestOptions(plan=given["plan"], fresh=True), return_state=True
    )
    seconds = time.perf_counter() - began
    print("SECONDS", state.name, seconds, flush=True)
"""


def edges(tasks: int) -> list[dict[str, Any]]:
    """A chain of two for every two tasks."""
    half = (tasks + 1) // 2
    first = [{"task": "canny-control", "id": n, "dep": [-1], "args": {"image": "photo.png"}} for n in range(half)]
    second = [
        {"task": "hed-control", "id": n, "dep": [n - half], "args": {"image": f"<GENERATED>-{n - half}"}}
        for n in range(half, tasks)
    ]
    return [*first, *second]


def build_model(folder: Path) -> None:
    """The tiny model's tokenizer, with weights that take time to load."""
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    from tests.stand_ins import tiny_models

    tiny_models.build_sentiment(folder)
    config = DistilBertConfig.from_pretrained(folder, dim=768, hidden_dim=3072, n_layers=6, n_heads=12)
    DistilBertForSequenceClassification(config).eval().save_pretrained(folder)


@contextmanager
def process(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        running = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, stdout=out, stderr=out)
    try:
        yield
    finally:
        running.terminate()
        running.wait()


def says(log: Path, words: str) -> bool:
    return words in log.read_text(encoding="utf-8", errors="replace")


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def flows(runner: str, plan: list[dict[str, Any]], files: list[Path], times: int) -> list[float]:
    """Seconds of each of so many flows, one after the other in a process of their own."""
    given = json.dumps({"plan": plan, "files": [str(file) for file in files], "times": times})
    environment = os.environ | {"HUGGINGGPT_TASK_RUNNER": runner}
    command = [sys.executable, "-c", FLOW, given]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("SECONDS")]
    if len(lines) != times or any(name != "Completed" for _, name, _ in lines):
        raise SystemExit(f"A flow in {runner} did not complete:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return [float(seconds) for _, _, seconds in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        measure(arguments, folder, stack)


def measure(arguments: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
    build_model(folder / "models" / MOOD)
    hub = stack.enter_context(HubServer(folder / "models"))
    controller = stack.enter_context(OpenAIServer(script={"respond": "It was done."}, key="sk-stand-in"))
    photo = folder / "photo.png"
    PILImage.effect_mandelbrot((64, 48), (-2, -1.5, 1, 1.5), 20).save(photo)
    api, dask = free_port(), free_port()
    os.environ.update(
        {
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{api}/api",
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "HUGGINGGPT_HOME": str(folder / "home"),
            "HUGGINGGPT_MODELS_CACHE": str(folder / "cache"),
            "HUGGINGGPT_INFERENCE_MODE": "local",
            "HUGGINGGPT_DASK_ADDRESS": f"tcp://127.0.0.1:{dask}",
            "HF_ENDPOINT": hub.url,
            "OPENAI_BASE_URL": controller.url,
            "OPENAI_API_KEY": "sk-stand-in",
        }
    )
    logs = {name: folder / f"{name}.log" for name in ("server", "scheduler", "worker")}
    server = ["apps.up.prefect_server", "--port", str(api)]
    stack.enter_context(process(server, logs["server"]))
    wait_until(lambda: answers(f"http://127.0.0.1:{api}/api/health"))
    scheduler = ["apps.cli", "expert-worker", "--scheduler", "--port", str(dask)]
    stack.enter_context(process(scheduler, logs["scheduler"]))
    wait_until(lambda: says(logs["scheduler"], "The scheduler of"))
    stack.enter_context(process(["apps.cli", "expert-worker"], logs["worker"]))
    wait_until(lambda: says(logs["worker"], "Expert worker "))

    mood = [{"task": SENTIMENT, "id": 0, "dep": [-1], "args": {"text": "a great day"}}]
    flows("threads", mood, [], 1)  # downloads the model, which is not what is measured
    cold = flows("dask", mood, [], 1)[0]
    warm = median(flows("dask", mood, [], 1)[0] for _ in range(arguments.rounds))
    again = median(flows("threads", mood, [], 1)[0] for _ in range(arguments.rounds))

    plan, seconds = edges(arguments.tasks), {}
    for runner in ("threads", "dask"):
        seconds[runner] = median(flows(runner, plan, [photo], arguments.rounds + 1)[1:])

    print(f"{arguments.tasks} tasks in two levels, median of {arguments.rounds} flows\n")
    print("| task runner | seconds per flow | seconds per task | of threads |\n| --- | ---: | ---: | ---: |")
    for runner, took in seconds.items():
        print(f"| {runner} | {took:.2f} | {took / arguments.tasks:.3f} | {took / seconds['threads']:.2f} |")
    print(f"\nOne task on a local model, each flow in a new process, median of {arguments.rounds}\n")
    print("| where | seconds per flow | of a warm worker |\n| --- | ---: | ---: |")
    for where, took in {
        "the first on a cold worker (once)": cold,
        "the next on the warm worker": warm,
        "in threads": again,
    }.items():
        print(f"| {where} | {took:.2f} | {took / warm:.2f} |")


if __name__ == "__main__":
    main()
