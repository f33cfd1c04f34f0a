"""The same flow on a standing cluster of expert workers: real scheduler, real workers, each a process."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK, temporary_settings

from flows.answer import answer_request
from flows.results import share_results
from hugginggpt.environment import RESULTS_BLOCK
from hugginggpt.errors import ClusterUnavailableError, ConfigurationError
from hugginggpt.request import RequestOptions
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.trace.story import RequestTrace, StoryStatus, TaskStage
from tasks import runner
from tasks.runner import task_runner
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.openai_server import OpenAIServer, Reply
from tests.stand_ins.tiny_models import build_all

PLAN: list[dict[str, Any]] = [
    {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}},
    {"task": "hed-control", "id": 1, "dep": [0], "args": {"image": "<GENERATED>-0"}},
    {"task": "summarization", "id": 2, "dep": [-1], "args": {"text": "Edges are where a picture changes."}},
    {"task": "translation", "id": 3, "dep": [2], "args": {"text": "<GENERATED>-2", "target_language": "French"}},
    {"task": "text-classification", "id": 4, "dep": [3], "args": {"text": "<GENERATED>-3"}},
]
REFUSES = Reply(status=400, message="Not this.")
WORDS: list[dict[str, Any]] = [
    {"task": "text-classification", "id": 0, "dep": [-1], "args": {"text": "a great day"}},
]

Start = Callable[..., "subprocess.Popen[str]"]


class Cluster:
    """A scheduler, and what its workers and the flows have in common."""

    def __init__(self, folder: Path, controller: OpenAIServer, hub: HubServer) -> None:
        self.controller = controller
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.environment = {
            "HUGGINGGPT_HOME": str(folder / "home"),
            "HUGGINGGPT_MODELS_CACHE": str(folder / "models"),
            "HUGGINGGPT_TASK_RUNNER": "dask",
            "HUGGINGGPT_DASK_ADDRESS": self.address,
            "HUGGINGGPT_CPU_THREADS": "1",
            "HUGGINGGPT_LEASE_SECONDS": "5",
            "OPENAI_BASE_URL": controller.url,
            "OPENAI_API_KEY": "sk-stand-in",
            "HF_ENDPOINT": hub.url,
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
        }
        self.scheduler = self.start("--scheduler", "--port", str(port))

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start an expert worker, or the scheduler, and wait until it says that it is there."""
        process = subprocess.Popen(
            [sys.executable, "-m", "apps.cli", "expert-worker", *arguments],
            env=os.environ | self.environment | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith(("Scheduler of", "Expert worker "))
        return process

    @contextmanager
    def worker(self, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
        process = self.start(*arguments, **environment)
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(timeout=20) in (0, -signal.SIGKILL)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(build_all(tmp_path_factory.mktemp("hub"), ("text-classification",))) as hub:
        yield hub


@pytest.fixture(scope="module")
def cluster(prefect_server: None, hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with OpenAIServer(script={}, key="sk-stand-in") as controller:
        cluster = Cluster(tmp_path_factory.mktemp("cluster"), controller, hub)
        yield cluster
        cluster.scheduler.terminate()
        assert cluster.scheduler.wait(timeout=20) == 0


@pytest.fixture(scope="module")
def worker(cluster: Cluster) -> Iterator["subprocess.Popen[str]"]:
    with cluster.worker() as process:
        yield process


@pytest.fixture
def on_dask(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in cluster.environment.items():
        if not name.startswith("PREFECT"):
            monkeypatch.setenv(name, value)
    cluster.controller.script = {}
    reset()
    yield
    reset()


def run(request_id: str, plan: list[dict[str, Any]], *files: Path, fresh: bool = False) -> RequestTrace:
    """Run the flow with the task runner of the settings."""
    flow = answer_request.with_options(task_runner=task_runner())
    flow(
        "Do it",
        [str(file) for file in files],
        options=RequestOptions(plan=plan, fresh=fresh),
        request_id=request_id,
        return_state=True,
    )
    return get_trace().request(request_id)


def made(story: RequestTrace) -> list[tuple[int, str, list[str]]]:
    return [(task.id, task.status.value, [o.sha256 for o in task.outputs]) for task in story.tasks]


def test_both_runners_give_the_same(
    cluster: Cluster, worker: object, on_dask: None, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.controller.script = {"summarization": "Edges.", "translation": REFUSES, "respond": "They are edges."}
    on_cluster = run("on-cluster", PLAN, photo, fresh=True)
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "threads")
    reset()
    in_threads = run("in-threads", PLAN, photo, fresh=True)

    assert made(on_cluster) == made(in_threads)
    assert (on_cluster.status, on_cluster.response) == (in_threads.status, in_threads.response)
    assert on_cluster.tasks[0].status is TaskStage.COMPLETED
    assert [task.error for task in on_cluster.tasks] == [task.error for task in in_threads.tasks]
    assert all(task.prefect_task_run_id for task in on_cluster.tasks)

    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    reset()
    again = run("again", PLAN[:2], photo)
    assert [task.status for task in again.tasks] == [TaskStage.CACHED, TaskStage.CACHED]
    assert [task.attempts for task in again.tasks] == [(), ()]


def test_a_model_is_loaded_once_for_all_flows(cluster: Cluster, worker: object, on_dask: None) -> None:
    first = run("first", WORDS, fresh=True)
    second = run("second", WORDS, fresh=True)
    (one,), (two,) = first.tasks[0].attempts, second.tasks[0].attempts
    assert (one.model, one.status) == (two.model, two.status)
    assert one.status == "completed" and one.endpoint == "local"
    assert one.load_seconds is not None and two.load_seconds is None


def test_a_kind_that_no_worker_takes_fails_with_what_to_do(
    hub: HubServer, on_dask: None, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "WORKER_SECONDS", 1.0)
    # The worker of the other tests takes every kind, so this cluster is another.
    with OpenAIServer(script={}, key="sk-stand-in") as controller:
        small = Cluster(photo.parent, controller, hub)
        for name in ("HUGGINGGPT_DASK_ADDRESS", "HUGGINGGPT_HOME"):
            monkeypatch.setenv(name, small.environment[name])
        reset()
        with small.worker("--kinds", "canny-control"):
            story = run("unknown-kind", PLAN[:2], photo)
        assert [task.status for task in story.tasks] == [TaskStage.COMPLETED, TaskStage.FAILED]
        assert story.tasks[1].error == (
            f"None of the expert workers at {small.address} takes hed-control tasks: start one that does "
            "with `hugginggpt expert-worker`."
        )
        flow = answer_request.with_options(task_runner=task_runner())
        nobody: State[Any] = flow("Do it", [str(photo)], request_id="nobody", return_state=True)
        with pytest.raises(ClusterUnavailableError, match="There are no expert workers at"):
            nobody.result()
        small.scheduler.terminate()
        small.scheduler.wait(timeout=20)


def test_what_a_killed_worker_was_at_is_done_by_another(cluster: Cluster, worker: object, on_dask: None) -> None:
    cluster.controller.script = {"summarization": Reply(content="Edges.", delay=4.0), "respond": "Edges."}
    states: list[RequestTrace] = []
    plan = [{**PLAN[2], "id": 0}, {**PLAN[2], "id": 1, "args": {"text": "Other edges."}}]
    with cluster.worker() as victim:
        flow = threading.Thread(target=lambda: states.append(run("killed", plan, fresh=True)))
        flow.start()
        wait_for(lambda: cluster.controller.stages().count("summarization") >= 2)
        victim.send_signal(signal.SIGKILL)
        flow.join(timeout=90)
    (story,) = states
    assert story.status is StoryStatus.COMPLETED
    assert [task.status for task in story.tasks] == [TaskStage.COMPLETED, TaskStage.COMPLETED]
    assert all(sum(a.status == "completed" for a in task.attempts) == 1 for task in story.tasks)


def test_cancelling_stops_what_an_expert_worker_is_at(cluster: Cluster, worker: object, on_dask: None) -> None:
    cluster.controller.script = {"summarization": Reply(content="Edges.", delay=60.0)}
    cluster.controller.calls.clear()
    flow = threading.Thread(target=lambda: run("unwanted", [{**PLAN[2], "id": 0}]))
    flow.start()
    wait_for(lambda: cluster.controller.stages().count("summarization") >= 1)
    began = time.monotonic()
    get_trace().cancel_request("unwanted")
    flow.join(timeout=40)
    assert time.monotonic() - began < 15
    assert get_trace().request("unwanted").status is StoryStatus.CANCELLED


def test_no_cluster_is_said_at_once(on_dask: None, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", "tcp://127.0.0.1:9")
    monkeypatch.setattr(runner, "CONNECT_SECONDS", 2)
    reset()
    flow = answer_request.with_options(task_runner=task_runner())
    state: State[Any] = flow("Do it", [str(photo)], request_id="nowhere", return_state=True)
    with pytest.raises(ClusterUnavailableError, match=r"no Dask cluster at tcp://127\.0\.0\.1:9: start one with"):
        state.result()
    assert "nowhere" not in [request.request_id for request in get_trace().requests(50)]


def test_a_cluster_is_no_use_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    reset()
    with pytest.raises(ConfigurationError, match=r"pip install 'hugginggpt\[dask\]'"):
        task_runner()


def test_machines_share_results_and_artifacts_through_s3(
    hub: HubServer, on_dask: None, photo: Path, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The worker has a home folder of its own, as on another machine; the trace is on one both can reach."""
    shared = {
        **s3,
        "HUGGINGGPT_ARTIFACTS_URL": "s3://hugginggpt/artifacts",
        "HUGGINGGPT_RESULTS_URL": "s3://hugginggpt/results",
        "HUGGINGGPT_DATABASE_URL": f"sqlite:///{tmp_path / 'trace.db'}",
    }
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    reset()
    folder = tmp_path / "there"
    folder.mkdir()
    with OpenAIServer(script={}, key="sk-stand-in") as controller:
        far = Cluster(folder, controller, hub)
        monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", far.address)
        monkeypatch.setenv("HUGGINGGPT_HOME", str(tmp_path / "here"))
        reset()
        share_results()
        records = temporary_settings({PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK: f"remote-file-system/{RESULTS_BLOCK}"})
        with far.worker(**shared), records:
            story = run("far", PLAN[:2], photo)
            again = run("again", PLAN[:2], photo)
        far.scheduler.terminate()
        far.scheduler.wait(timeout=20)
    assert [task.status for task in story.tasks] == [TaskStage.COMPLETED, TaskStage.COMPLETED]
    assert [task.status for task in again.tasks] == [TaskStage.CACHED, TaskStage.CACHED]
    address = get_store().address(story.files[0].artifact)
    assert address.startswith("s3://hugginggpt/artifacts/")
    assert get_store().read_bytes(story.files[0].artifact)
    for home in (tmp_path / "here", tmp_path / "there" / "home"):
        assert not (home / "artifacts").exists() and not (home / "results").exists()


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("It did not happen within a minute.")


def test_an_address_that_is_none_is_refused(cluster: Cluster) -> None:
    command = [sys.executable, "-m", "apps.cli", "expert-worker", "--address", "nowhere"]
    done = subprocess.run(command, env=os.environ | cluster.environment, capture_output=True, text=True)
    assert done.returncode == 2 and "is none of a Dask scheduler" in done.stderr
    command = [*command[:-2], "--kinds", "flying"]
    done = subprocess.run(command, env=os.environ | cluster.environment, capture_output=True, text=True)
    assert done.returncode == 2 and "There is no task kind 'flying'" in done.stderr
