"""`ask` and `submit --wait` from the shell beside `up`, with the embedded controller and one expert worker.

    python -m benchmarks.ask

A document question about examples/invoice.png, with no key and no network. What is compared with, in the same rounds:
`python -c "import httpx"`, and the bare expert with its model and its controller warm in this process.
"""

import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.commands import QUESTION
from benchmarks.commands import environment as user_environment
from benchmarks.rows import Row, main
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.registry import expert_for
from hugginggpt.media import Text, decode
from hugginggpt.media.load import load_file
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Endpoint
from hugginggpt.services import get_controller, reset
from hugginggpt.settings import CHECKOUT, get_settings
from tests.servers import free_port

KIND = "document-question-answering"
ROUNDS, FRESH_ROUNDS = 9, 3
SECONDS_MORE = 1.0


@dataclass(frozen=True)
class Took:
    """Seconds of a command: on the clock, and of its own processor time."""

    wall: float
    processor: float
    output: str


def ran(*command: str, environment: dict[str, str]) -> Took:
    """Run a Python command to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run([sys.executable, *command], cwd=CHECKOUT, env=environment, capture_output=True, text=True)
    wall = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"{command} exited with {done.returncode}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout)


def planning(asked: Took, environment: dict[str, str]) -> float:
    """How long the controller took to plan a request, which `ask --json` has answered."""
    request_id = json.loads(asked.output)["request_id"]
    story = json.loads(ran("-m", "apps.cli", "trace", "export", request_id, environment=environment).output)
    return sum(call["seconds"] for call in story["controller_calls"] if call["stage"] == "plan")


@contextmanager
def up() -> Iterator[dict[str, str]]:
    """A standing installation of its own; yields the environment of its commands."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = user_environment(Path(folder))
        ports = ["--port", str(free_port()), "--dask-port", str(free_port())]
        process = subprocess.Popen(
            [sys.executable, "-m", "apps.cli", "up", *ports, "--expert-workers", "1"],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            if not any(line.startswith("logs:") for line in process.stdout):
                raise RuntimeError("`up` did not start.")
            yield environment
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def bare_expert() -> Callable[[], None]:
    """The call of the expert alone, with everything that it needs loaded."""
    card = next(card for card in bundled_cards()[KIND] if card.id.startswith("rapidocr/"))
    expert = expert_for(card, Endpoint.EMBEDDED)
    assert expert is not None
    context = ExpertContext(get_settings(), get_controller)
    model = expert.load(card, context)
    _, question, _, invoice = QUESTION
    file = load_file(invoice, get_settings())
    inputs = {"image": decode(file.type, file.data, file.mime), "text": Text(question)}

    def call() -> None:
        ready = expert.for_request(model, context)
        expert.render(expert.run(ready, expert.prepare(inputs), Deadline(60)), inputs)

    call()
    return call


def measure() -> list[Row]:
    """The three ratios."""
    imports: list[Took] = []
    asks: list[Took] = []
    submits: list[Took] = []
    fresh: list[float] = []
    bare: list[float] = []
    planned: list[float] = []
    with up() as environment:
        command = ["-m", "apps.cli"]
        asked = QUESTION[1:]
        for _ in range(2):  # the first is answered and cached, the second finds everything warm
            ran(*command, "ask", *asked, environment=environment)
            ran(*command, "submit", *asked, "--wait", environment=environment)
        for _ in range(ROUNDS):
            imports.append(ran("-c", "import httpx", environment=environment))
            asks.append(ran(*command, "ask", *asked, environment=environment))
            submits.append(ran(*command, "submit", *asked, "--wait", environment=environment))
        call = bare_expert()
        for _ in range(FRESH_ROUNDS):
            began = time.monotonic()
            call()
            bare.append(time.monotonic() - began)
            took = ran(*command, "ask", *asked, "--fresh", "--json", environment=environment)
            fresh.append(took.wall)
            planned.append(planning(took, environment))
        reset()
    httpx, ask, submit = (median(took.wall for took in each) for each in (imports, asks, submits))
    own = median(took.processor for took in asks)
    more = median(fresh) - median(bare)
    return [
        Row(
            'ask, cached, beside up / python -c "import httpx"',
            ask / httpx,
            6,
            details=f"{ask:.2f} s / {httpx:.2f} s",
        ),
        Row("ask, cached, beside up: its own processor time, seconds", own, 0.5),
        Row(
            "ask, fresh, one document question: seconds more than the bare expert call, warm",
            more,
            SECONDS_MORE,
            details=f"{median(fresh):.2f} s, with {median(planned):.2f} s of planning; {median(bare):.2f} s",
        ),
        Row(
            "submit --wait, cached / ask, cached, both beside up",
            submit / ask,
            1.5,
            details=f"{submit:.2f} s / {ask:.2f} s",
        ),
    ]


if __name__ == "__main__":
    main(measure)
