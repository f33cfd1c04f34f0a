"""Experts that wait and do not compute, as a package that adds them would bring them, and a home where they run.

What is measured with them is the way of a task and not a model. The text of a task says for how many seconds its
expert waits; for no time at all, if it says nothing.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.media import Structured
from hugginggpt.models.card import Endpoint, ModelCard
from tests.servers import free_port, wait_until
from tests.stand_ins.openai_server import OpenAIServer

KIND = "token-classification"
"""A kind that no embedded model does, so that there is nothing to choose."""
ROOT = Path(__file__).resolve().parent.parent


class Waiting(Expert):
    """Waits for as long as its text says, and returns a text of its own."""

    kind = KIND
    endpoint: ClassVar[Endpoint] = Endpoint.EMBEDDED

    def load(self, card: ModelCard, context: ExpertContext) -> None:
        """There is nothing to load."""

    def run(self, model: None, prepared: Any, deadline: Deadline) -> str:
        """Wait."""
        said = prepared["text"].text
        seconds = re.match(r"[\d.]+", said)
        time.sleep(float(seconds[0]) if seconds else 0.0)
        return f"Waited, as asked by: {said[:40]}"

    def render(self, raw: str, inputs: Inputs) -> Outputs:
        """What was said."""
        return [Structured({"said": raw}, raw)]


EXPERTS = [Waiting()]
CARDS = [ModelCard(id="benchmark/waiting", kind=KIND, revision="1", runs_on=(Endpoint.EMBEDDED,))]


@contextmanager
def home() -> Iterator[Path]:
    """A new home folder with these experts, Prefect's server on SQLite as `up` runs it, and a scripted controller.

    The environment of this process says where they are, so enter this before Prefect is imported.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        plugin = folder / "plugins" / "waiting-1.dist-info"
        plugin.mkdir(parents=True)
        (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: waiting\nVersion: 1\n")
        (plugin / "entry_points.txt").write_text("[hugginggpt.experts]\nwaiting = benchmarks.waiting\n")
        sys.path.append(str(plugin.parent))
        stack.callback(sys.path.remove, str(plugin.parent))
        controller = stack.enter_context(OpenAIServer(script={"respond": "It is done."}, key="sk-stand-in"))
        port = free_port()
        os.environ.update(
            {
                "DO_NOT_TRACK": "1",
                "HUGGINGGPT_HOME": str(folder / "home"),
                "HUGGINGGPT_TASK_RUNNER": "threads",
                "HF_HUB_OFFLINE": "1",
                "OPENAI_BASE_URL": controller.url,
                "OPENAI_API_KEY": "sk-stand-in",
                "PREFECT_HOME": str(folder / "prefect"),
                "PREFECT_LOGGING_LEVEL": "ERROR",
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            }
        )
        os.environ.pop("PREFECT_API_URL", None)
        server = subprocess.Popen(
            [sys.executable, "-m", "apps.up.prefect_server", "--port", str(port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(server.wait)
        stack.callback(server.terminate)
        api = os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        wait_until(lambda: _is_healthy(api))
        yield folder


def bare_flow() -> Callable[[int], list[int]]:
    """A flow of Prefect's alone, of as many independent tasks as it is given, which do nothing."""
    from prefect import flow, task

    @task
    def nothing(number: int) -> int:
        return number

    @flow
    def bare(tasks: int) -> list[int]:
        runs = [nothing.submit(number) for number in range(tasks)]
        return [run.result() for run in runs]

    return bare


def answer(tasks: int, number: int) -> None:
    """Answer a request with so many independent tasks, which do nothing; the same number is the same request."""
    from flows.answer import answer_request
    from hugginggpt.request import RequestOptions

    plan = [{"task": KIND, "id": k, "dep": [-1], "args": {"text": f"task {k} of flow {number}"}} for k in range(tasks)]
    state: Any = answer_request(f"Do {number}.", options=RequestOptions(plan=plan), return_state=True)
    assert state.name == "Completed", state.message


def _is_healthy(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health").is_success
    except httpx.TransportError:
        return False
