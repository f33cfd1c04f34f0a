"""Expert workers as processes: what is done in them, and what happens when they or their scheduler go away."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH

from flows.answer import answer_request
from hugginggpt.request import RequestOptions
from hugginggpt.services import get_trace, reset
from hugginggpt.trace.story import RequestTrace, StoryStatus, TaskStage
from tasks.runner import task_runner
from tests.flows.test_warm_models import MOOD, SENTIMENT
from tests.stand_ins import tiny_models
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.openai_server import OpenAIServer, Reply

pytest.importorskip("prefect_dask")

NOWHERE = "http://127.0.0.1:9/v1"
EDGES: dict[str, Any] = {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}
SUMMARY: dict[str, Any] = {"task": "summarization", "id": 0, "dep": [-1], "args": {"text": "Edges are borders."}}
RUN = """
import json, sys
from hugginggpt.environment import prepare
prepare()
import tasks.run
from flows.answer import answer_request
from hugginggpt.request import RequestOptions
options = RequestOptions(plan=json.loads(sys.argv[1]), fresh=True)
answer_request("Do it", options=options, request_id=sys.argv[2], return_state=True)
print("torch" in sys.modules)
"""


class Cluster:
    """A scheduler and expert workers, each a process, with what they and the flows have in common."""

    def __init__(self, folder: Path, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.shared = {
            "HUGGINGGPT_HOME": str(folder / "home"),
            "HUGGINGGPT_MODELS_CACHE": str(folder / "models"),
            "HUGGINGGPT_INFERENCE_MODE": "local",
            "HUGGINGGPT_TASK_RUNNER": "dask",
            "HUGGINGGPT_DASK_ADDRESS": self.address,
            "HUGGINGGPT_CPU_THREADS": "1",
            "OPENAI_API_KEY": "sk-stand-in",
            **environment,
        }
        # As a session of one machine: Prefect's records of results lie where all of them look.
        self.prefect = {
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "PREFECT_LOCAL_STORAGE_PATH": str(folder / "results"),
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
        }
        self._stack = ExitStack()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start one, and wait until it says that it is there."""
        process = subprocess.Popen(
            [sys.executable, "-m", "apps.cli", "expert-worker", *arguments],
            env=os.environ | self.shared | self.prefect | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_end, process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith(("Scheduler of", "Expert worker "))
        return process

    def scheduler(self) -> "subprocess.Popen[str]":
        return self.start("--scheduler", "--port", str(self.port))


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def join(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    """Let the flows of this process be done on a cluster."""
    for name, value in (cluster.shared | environment).items():
        monkeypatch.setenv(name, value)
    reset()


def run(request_id: str, plan: list[dict[str, Any]] | None, *files: Path) -> RequestTrace:
    flow = answer_request.with_options(task_runner=task_runner())
    options = RequestOptions(plan=plan, fresh=True)
    flow("Do it", [str(file) for file in files], options=options, request_id=request_id, return_state=True)
    return get_trace().request(request_id)


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def controller() -> Iterator[OpenAIServer]:
    with OpenAIServer(script={}, key="sk-stand-in") as server:
        yield server


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    folder = tmp_path_factory.mktemp("hub")
    tiny_models.build_sentiment(folder / MOOD)
    with HubServer(folder) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(
    prefect_server: None, controller: OpenAIServer, hub: HubServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """One with a worker, whose controller answers."""
    with Cluster(tmp_path_factory.mktemp("cluster"), HF_ENDPOINT=hub.url, OPENAI_BASE_URL=controller.url) as cluster:
        cluster.scheduler()
        cluster.start("--name", "first")
        yield cluster


def test_planning_and_the_answer_are_done_in_a_worker(
    cluster: Cluster, controller: OpenAIServer, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(cluster, monkeypatch, OPENAI_BASE_URL=NOWHERE)  # the flow's own process has no controller
    controller.script = {"plan": json.dumps({"tasks": [EDGES]}), "respond": "The edges were drawn."}
    story = run("all-there", None, photo)
    assert (story.status, story.response) == (StoryStatus.COMPLETED, "The edges were drawn.")
    assert story.plan_source == "controller"
    assert {"plan", "respond"} <= set(controller.stages())


def test_a_flow_in_a_new_process_loads_no_model_again(cluster: Cluster, controller: OpenAIServer) -> None:
    from distributed import Client

    controller.script = {"respond": "It is a good mood."}
    plan = json.dumps([{"task": SENTIMENT, "id": 0, "dep": [-1], "args": {"text": "a great day"}}])

    def ask(request_id: str) -> bool:
        command = [sys.executable, "-c", RUN, plan, request_id]
        environment = os.environ | cluster.shared | cluster.prefect
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()[-1] == "True"

    with Client(cluster.address, set_as_default=False) as client:
        assert not ask("cold")
        wait_for(lambda: MOOD in _published(client))
        (before,) = client.run(_loaded_objects).values()
        assert not ask("warm")
        (after,) = client.run(_loaded_objects).values()
    assert before.keys() >= {MOOD} and after == before


def _published(client: Any) -> list[str]:
    """The models that the workers tell their scheduler of."""
    return [model for one in client.scheduler_info(-1)["workers"].values() for model in one["metrics"]["models"]]


def _loaded_objects() -> dict[str, int]:
    """Runs in a worker: each loaded model, and which object it is."""
    from hugginggpt.experts.pool import get_pool
    from hugginggpt.settings import get_settings

    return {key[1]: id(entry.model) for key, entry in get_pool(get_settings())._entries.items() if entry.ready}


def test_a_scheduler_that_restarts_at_work_loses_no_request(
    prefect_server: None, controller: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.script = {"summarization": Reply(content="Borders.", delay=3.0), "respond": "They are borders."}
    controller.calls.clear()
    with Cluster(tmp_path, OPENAI_BASE_URL=controller.url) as cluster:
        scheduler = cluster.scheduler()
        cluster.start()
        join(cluster, monkeypatch)
        flow = threading.Thread(target=run, args=("restarted", [SUMMARY]), daemon=True)
        flow.start()
        wait_for(lambda: "summarization" in controller.stages())
        scheduler.kill()
        scheduler.wait()
        cluster.scheduler()
        flow.join(timeout=60)
        assert not flow.is_alive()
    story = get_trace().request("restarted")
    assert (story.status, story.response) == (StoryStatus.COMPLETED, "They are borders.")
    assert story.tasks[0].status is TaskStage.COMPLETED


def test_a_worker_ends_at_once_also_at_work(
    cluster: Cluster, controller: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(cluster, monkeypatch)
    controller.script = {"summarization": Reply(content="Borders.", delay=3.0), "respond": "Borders."}
    controller.calls.clear()
    second = cluster.start("--name", "second")
    plan = [{**SUMMARY, "id": n, "args": {"text": f"Edges, {n}."}} for n in range(2)]
    flow = threading.Thread(target=run, args=("moved", plan), daemon=True)
    flow.start()
    wait_for(lambda: controller.stages().count("summarization") == 2)
    began = time.monotonic()
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=10) == 0
    assert time.monotonic() - began < 3.0
    flow.join(timeout=60)
    assert [task.status for task in get_trace().request("moved").tasks] == [TaskStage.COMPLETED] * 2


def test_no_cluster_is_one_sentence(prefect_server: None, photo: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps([EDGES]), encoding="utf-8")
    environment = os.environ | {
        "HUGGINGGPT_TASK_RUNNER": "dask",
        "HUGGINGGPT_DASK_ADDRESS": "tcp://127.0.0.1:9",
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_LOCAL_STORAGE_PATH": str(PREFECT_LOCAL_STORAGE_PATH.value()),
    }
    command = [sys.executable, "-m", "apps.cli", "ask", "Draw it", "--file", str(photo), "--plan", str(plan)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Error: There is no Dask cluster at tcp://127.0.0.1:9: start one with `hugginggpt up`" in done.stderr
    assert "Traceback" not in done.stderr
