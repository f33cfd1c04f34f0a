"""The same flow on a standing cluster of expert workers: real scheduler, real workers, each a process."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State, TaskRunResult
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK,
    temporary_settings,
)

import hugginggpt.cluster.address
from apps.up.certificate import make_certificate
from flows.answer import answer_request
from flows.server import share_results
from hugginggpt.cluster.address import Certificates
from hugginggpt.environment import RESULTS_BLOCK
from hugginggpt.errors import ClusterUnavailableError, ConfigurationError, DeadlineExceededError
from hugginggpt.holder import Holder
from hugginggpt.models.card import Endpoint
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import CHECKOUT
from hugginggpt.trace.report import report
from hugginggpt.trace.story import RequestTrace
from tasks.expert_workers import runner
from tasks.expert_workers.runner import task_runner
from tests import forked
from tests.documents import builders
from tests.flows.test_warm_models import BLANKS, FILLER
from tests.servers import Cluster, listening, wait_until
from tests.stand_ins import tiny_text
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.openai_server import OpenAIServer, Reply, hangs

pytest.importorskip("prefect_dask")

NOWHERE = "http://127.0.0.1:9/v1"
REFUSES = Reply(status=400, message="Not this.")
EDGES: dict[str, Any] = {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}
SOFT_EDGES: dict[str, Any] = {"task": "hed-control", "id": 1, "dep": [0], "args": {"image": "<GENERATED>-0"}}
SUMMARY: dict[str, Any] = {"task": "summarization", "id": 0, "dep": [-1], "args": {"text": "Edges are borders."}}
TRANSLATION = {"task": "translation", "id": 3, "dep": [2], "args": {"text": "<GENERATED>-2", "target_language": "de"}}


@pytest.fixture(scope="module")
def controller() -> Iterator[OpenAIServer]:
    with OpenAIServer(script={}, key="sk-stand-in") as server:
        yield server


@pytest.fixture(scope="module")
def cluster(
    prefect_server: None, controller: OpenAIServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """One with a worker."""
    models = tmp_path_factory.mktemp("hub")
    tiny_text.build_blanks(models / FILLER)
    with (
        HubServer(models) as hub,
        Cluster(
            tmp_path_factory.mktemp("cluster"),
            HUGGINGGPT_INFERENCE_MODE="local",
            HF_ENDPOINT=hub.url,
            OPENAI_BASE_URL=controller.url,
        ) as cluster,
    ):
        cluster.scheduler()
        cluster.start("--name", "first")
        yield cluster


@pytest.fixture
def on_dask(cluster: Cluster, controller: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flows of this process are done on the cluster; its controller is told nothing yet."""
    controller.script = {}
    controller.calls.clear()
    join(cluster, monkeypatch)


def join(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    for name, value in (cluster.shared | environment).items():
        monkeypatch.setenv(name, value)
    reset()


def run(request_id: str, plan: list[dict[str, Any]] | None, *files: Path, fresh: bool = True) -> RequestTrace:
    """Run the flow with the task runner of the settings."""
    flow = answer_request.with_options(task_runner=task_runner())
    options = RequestOptions(plan=plan, fresh=fresh)
    flow("Do it", [str(file) for file in files], options=options, request_id=request_id, return_state=True)
    return get_trace().requests.get(request_id)


def begin(request_id: str, plan: list[dict[str, Any]]) -> threading.Thread:
    flow = threading.Thread(target=run, args=(request_id, plan), daemon=True)
    flow.start()
    return flow


def made(story: RequestTrace) -> list[tuple[int, str, list[str]]]:
    return [(task.id, task.status.value, [o.sha256 for o in task.outputs]) for task in story.tasks]


def shown(story: RequestTrace) -> dict[str, str | None]:
    """The artifacts of a request in Prefect, with the task runs that they belong to."""
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[story.flow_run_id]))  # type: ignore[list-item]
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    return {a.key: None if a.task_run_id is None else str(a.task_run_id) for a in found if a.key is not None}


def edges(story: RequestTrace) -> dict[str, dict[str, set[str]]]:
    """For each task run of a request in Prefect, by what it takes, the task runs that it takes it from."""
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[story.flow_run_id]))  # type: ignore[list-item]
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(flow_run_filter=wanted)
    names = {run.id: run.name for run in runs}
    return {
        run.name: {
            key: {names[taken.id] for taken in inputs if isinstance(taken, TaskRunResult)}
            for key, inputs in run.task_inputs.items()
            if inputs
        }
        for run in runs
    }


def test_both_runners_give_the_same(
    controller: OpenAIServer, on_dask: None, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = [EDGES, SOFT_EDGES, SUMMARY | {"id": 2}, TRANSLATION, SUMMARY | {"id": 4, "args": {"text": "<GENERATED>-3"}}]
    controller.script = {"summarization": "Edges.", "translation": REFUSES, "respond": "They are edges."}
    on_cluster = run("on-cluster", plan, photo)
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "threads")
    reset()
    in_threads = run("in-threads", plan, photo)

    assert made(on_cluster) == made(in_threads)
    assert (on_cluster.status, on_cluster.response) == (in_threads.status, in_threads.response)
    assert [task.status for task in on_cluster.tasks] == [
        TaskStatus.COMPLETED,
        TaskStatus.COMPLETED,
        TaskStatus.COMPLETED,
        TaskStatus.FAILED,
        TaskStatus.SKIPPED,
    ]
    assert [task.error for task in on_cluster.tasks] == [task.error for task in in_threads.tasks]
    assert all(task.prefect_task_run_id for task in on_cluster.tasks)
    models, results = {f"model-{n}" for n in range(5)}, {f"result-{n}" for n in range(3)}
    assert shown(on_cluster).keys() == shown(in_threads).keys() == {"plan", *models, *results, "answer"}
    made_by = {f"result-{task.id}": task.prefect_task_run_id for task in on_cluster.tasks if task.outputs}
    assert shown(on_cluster).items() >= made_by.items()
    wait_until(lambda: edges(on_cluster) == edges(in_threads))
    assert "0 · canny-control" in set.union(*edges(on_cluster)["1 · hed-control"].values())

    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    reset()
    again = run("again", plan[:2], photo, fresh=False)
    assert [task.status for task in again.tasks] == [TaskStatus.CACHED, TaskStatus.CACHED]
    assert [task.attempts for task in again.tasks] == [(), ()]


def test_it_is_told_which_page_a_worker_is_at(on_dask: None, tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(builders.scan(3, (200, 280)))
    story = run("pages", [EDGES | {"args": {"image": "scan.pdf"}}], tmp_path / "scan.pdf")
    assert [attempt.progress for attempt in story.tasks[0].attempts] == ["page 3 of 3"]


def test_planning_and_the_answer_are_done_in_a_worker(
    cluster: Cluster, controller: OpenAIServer, on_dask: None, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The flow's own process can run nothing.
    join(cluster, monkeypatch, HUGGINGGPT_INFERENCE_MODE="remote")
    controller.script = {"plan": json.dumps({"tasks": [EDGES]}), "respond": "The edges were drawn."}
    story = run("all-there", None, photo)
    assert made(run("given", [EDGES], photo)) == made(story)
    assert (story.status, story.response) == (RequestStatus.COMPLETED, "The edges were drawn.")
    assert story.plan_source == "controller"
    assert {"plan", "respond"} <= set(controller.stages())
    assert "controller" not in [thread.name for thread in threading.enumerate()], "this process called it"


@pytest.fixture
def another() -> Iterator[OpenAIServer]:
    with OpenAIServer(script={}, key="sk-another") as server:
        yield server


def test_a_request_is_answered_by_its_own_controller_and_not_by_the_workers(
    cluster: Cluster,
    controller: OpenAIServer,
    another: OpenAIServer,
    on_dask: None,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {"OPENAI_BASE_URL": another.url, "OPENAI_API_KEY": "sk-another", "HUGGINGGPT_CONTROLLER_MODEL": "their-own"}
    join(cluster, monkeypatch, **own)
    another.script = {
        "plan": json.dumps({"tasks": [EDGES, {**SUMMARY, "id": 1}, {**TRANSLATION, "id": 2, "args": _FRENCH}]}),
        "summarization": "Borders.",
        "translation": "Les bords.",
        "respond": "They are borders.",
    }
    story = run("own", None, photo, fresh=False)
    assert (story.status, story.response) == (RequestStatus.COMPLETED, "They are borders.")
    assert controller.calls == []
    assert {"plan", "summarization", "translation", "respond"} <= set(another.stages())
    assert all(call.right_key for call in another.calls)
    told = report(story, {})
    assert (told.controller.model, told.controller.server) == ("their-own", another.url)
    assert {call.model for call in story.controller_calls} == {"their-own"}
    assert [task.result.model for task in story.tasks if task.result][1:] == ["their-own", "their-own"]

    # What it answered is not taken for an answer of the workers' controller.
    join(cluster, monkeypatch)
    controller.script = {"summarization": "Lines.", "respond": "They are lines."}
    theirs = run("theirs", [{**SUMMARY, "id": 1}], fresh=False)
    assert (theirs.response, theirs.tasks[0].status) == ("They are lines.", TaskStatus.COMPLETED)


def test_what_the_workers_models_cannot_do_falls_back_on_its_own_controller(
    cluster: Cluster,
    controller: OpenAIServer,
    another: OpenAIServer,
    on_dask: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    join(cluster, monkeypatch, OPENAI_BASE_URL=another.url, OPENAI_API_KEY="sk-another")
    not_there = "facebook/bart-large-cnn"
    another.script = {
        "select": json.dumps({"id": not_there, "reason": "It is made for that."}),
        "summarization": "Borders.",
        "respond": "They are borders.",
    }
    story = run("fallen-back", [SUMMARY])
    assert story.status is RequestStatus.COMPLETED
    attempts = [(a.model, a.endpoint.value, a.status) for a in story.tasks[0].attempts]
    assert attempts[0] == (not_there, "local", "failed")
    assert attempts[-1] == ("gpt-4o-mini", "controller", "completed")
    assert len(attempts) == len(set(attempts)), "nothing is tried twice"
    assert controller.calls == []


def test_an_expert_that_asks_the_controller_asks_the_one_of_its_request(
    cluster: Cluster,
    controller: OpenAIServer,
    another: OpenAIServer,
    on_dask: None,
    sign: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {"OPENAI_BASE_URL": another.url, "OPENAI_API_KEY": "sk-another", "HUGGINGGPT_CONTROLLER_MODEL": "their-own"}
    join(cluster, monkeypatch, **own)
    another.script = {"document-question-answering": "42.50 EUR", "respond": "It is 42.50 EUR."}
    asks = {"image": "sign.png", "text": "What is the total?"}
    story = run("asked", [{"task": "document-question-answering", "id": 0, "dep": [-1], "args": asks}], sign)
    assert story.status is RequestStatus.COMPLETED
    assert (story.tasks[0].attempts[-1].revision or "").endswith("+their-own")
    assert controller.calls == []


def test_the_key_tells_controllers_apart_too(
    cluster: Cluster, controller: OpenAIServer, on_dask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(cluster, monkeypatch, OPENAI_API_KEY="sk-somebody-else")
    story = run("their-key", None)
    assert story.status is RequestStatus.FAILED
    assert "did not accept the key in OPENAI_API_KEY" in (story.error or "")
    assert controller.calls and not any(call.right_key for call in controller.calls)


def test_without_a_controller_of_its_own_a_request_is_answered_by_the_embedded_one(
    cluster: Cluster, controller: OpenAIServer, on_dask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    join(cluster, monkeypatch)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name)
    reset()
    story = run("embedded", [SUMMARY, {**TRANSLATION, "id": 1, "args": _FRENCH}])
    assert controller.calls == []
    assert report(story, {}).controller.server == "embedded"
    assert story.tasks[0].attempts[-1].model.startswith("SmolLM2")
    # The workers would download models for it; these are not there, and it is too much for the embedded one.
    assert {attempt.endpoint for attempt in story.tasks[1].attempts} == {Endpoint.LOCAL}
    assert story.tasks[1].status is TaskStatus.FAILED


_FRENCH: dict[str, Any] = {"text": "The borders.", "target_language": "fr"}


def test_a_resumed_request_names_the_controller_that_answers_now(
    cluster: Cluster,
    controller: OpenAIServer,
    another: OpenAIServer,
    on_dask: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    controller.script = {"summarization": hangs()}
    flow = begin("handed-on", [SUMMARY])
    wait_until(lambda: "summarization" in controller.stages())
    get_trace().lifecycle.cancel("handed-on")
    flow.join()
    own = {"OPENAI_BASE_URL": another.url, "OPENAI_API_KEY": "sk-another", "HUGGINGGPT_CONTROLLER_MODEL": "their-own"}
    join(cluster, monkeypatch, **own)
    another.script = {"summarization": "Borders.", "respond": "They are borders."}
    get_trace().lifecycle.reopen("handed-on")
    story = run("handed-on", None)
    assert story.tasks[0].result is not None and story.tasks[0].result.model == "their-own"
    assert [life.controller and life.controller.model for life in story.lives] == ["gpt-4o-mini", "their-own"]


def test_a_flow_in_a_new_process_loads_no_model_again(
    cluster: Cluster, controller: OpenAIServer, on_dask: None
) -> None:
    from distributed import Client

    controller.script = {"respond": "It is a good day."}
    plan = [{"task": BLANKS, "id": 0, "dep": [-1], "args": {"text": "a [MASK] day"}}]
    options = json.dumps({"plan": plan, "fresh": True})

    def ask(request_id: str) -> float | None:
        """Seconds that loading the model took."""
        records = str(Path(cluster.shared["HUGGINGGPT_HOME"]) / "results")
        environment = cluster.environment | {"PREFECT_LOCAL_STORAGE_PATH": records}
        done = forked.run([options, request_id], CHECKOUT, environment, module="tests.flows.answering")
        assert json.loads(done.stdout.splitlines()[-1])["torch"] is False, "no model is in the flow's own process"
        (attempt,) = get_trace().requests.get(request_id).tasks[0].attempts
        assert (attempt.model, attempt.endpoint, attempt.status) == (FILLER, "local", "completed")
        return attempt.load_seconds

    with Client(cluster.address, set_as_default=False) as client:
        assert ask("cold") is not None
        wait_until(lambda: FILLER in _published(client))
        (before,) = client.run(_loaded_objects).values()
        assert ask("warm") is None
        (after,) = client.run(_loaded_objects).values()
    assert before.keys() >= {FILLER} and after == before


def _published(client: Any) -> list[str]:
    """The models that the workers tell their scheduler of."""
    return [model for one in client.scheduler_info(-1)["workers"].values() for model in one["metrics"]["models"]]


def _loaded_objects() -> dict[str, int]:
    """Runs in a worker: each loaded model, and which object it is."""
    from hugginggpt.experts.pool import get_pool
    from hugginggpt.settings import get_settings

    return {key[1]: id(entry.model) for key, entry in get_pool(get_settings())._entries.items() if entry.ready}


def test_cancelling_stops_what_an_expert_worker_is_at(
    cluster: Cluster, controller: OpenAIServer, on_dask: None
) -> None:
    controller.script = {"summarization": hangs()}
    flow = begin("unwanted", [SUMMARY])
    wait_until(lambda: "summarization" in controller.stages())
    get_trace().lifecycle.cancel("unwanted")
    flow.join()
    assert not flow.is_alive()
    assert controller.abandoned.wait(), "the worker let go of the call"
    assert get_trace().requests.get("unwanted").status is RequestStatus.CANCELLED


@pytest.fixture
def flow_worker(cluster: Cluster) -> Iterator[Callable[[str, list[dict[str, Any]]], None]]:
    """Have a request answered as `up` does: by a process of its own, which a flow worker begins and sees end."""
    with get_client(sync_client=True) as client:
        pool = client.create_work_pool(WorkPoolCreate(name="dying", type="hugginggpt"), overwrite=True).name
        flow_id = client.create_flow(answer_request)
        deployment_id = client.create_deployment(
            flow_id, "dying", entrypoint="flows.answer.answer_request", work_pool_name=pool
        )
        worker: list[forked.Fork] = []

        def ask(request_id: str, plan: list[dict[str, Any]]) -> None:
            parameters = {"request": "Do it", "options": {"plan": plan, "fresh": True}, "request_id": request_id}
            client.create_flow_run_from_deployment(deployment_id, parameters=parameters)
            words, module = ["--pool", pool], "apps.up.flow_worker"
            worker.append(forked.start(words, CHECKOUT, cluster.environment, module=module))

        yield ask
    for process in worker:
        process.terminate()
        process.wait()


def _has_ended(name: str, flow_run_id: str | None) -> bool:
    """Whether a task run of a flow run is over, as Prefect knows it."""
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(flow_run_id)]))
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(flow_run_filter=wanted)
    return any(run.name == name and run.state is not None and run.state.is_final() for run in runs)


def test_an_answer_whose_flow_s_process_dies_is_written_by_whoever_resumes_the_request(
    cluster: Cluster,
    controller: OpenAIServer,
    on_dask: None,
    flow_worker: Callable[[str, list[dict[str, Any]]], None],
) -> None:
    """The worker lets go of the call, and does not pass off a plain rendering as the best that could be had."""
    controller.script = {"summarization": "Borders.", "respond": hangs()}
    controller.abandoned.clear()
    flow_worker("unanswered", [SUMMARY])
    wait_until(lambda: "respond" in controller.stages())
    (life,) = get_trace().requests.get("unanswered").lives
    holder = Holder.parse(life.holder)
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    assert controller.abandoned.wait(), "the worker let go of the call"
    wait_until(lambda: _has_ended("respond and record", life.flow_run_id))
    story = get_trace().requests.get("unanswered")
    assert (story.status, story.response, story.finished_at) == (RequestStatus.DIED, None, None)

    controller.script = {"respond": "They are borders."}
    asked = len(controller.calls)
    story = run("unanswered", None)
    assert (story.status, story.response, story.error) == (RequestStatus.COMPLETED, "They are borders.", None)
    assert [life.ending for life in story.lives] == ["crashed", "finished"]
    assert controller.stages()[asked:] == ["respond"]


def test_a_worker_ends_at_once_also_at_work(cluster: Cluster, controller: OpenAIServer, on_dask: None) -> None:
    """What it was at is done by another; so it is where it is killed."""
    for number, sign in enumerate((signal.SIGTERM, signal.SIGKILL)):
        controller.script = {"summarization": Reply(content="Borders.", delay=3.0), "respond": "Borders."}
        controller.calls.clear()
        second = cluster.start("--name", f"second-{number}")
        plan = [{**SUMMARY, "id": n, "args": {"text": f"Edges, {n}."}} for n in range(2)]
        flow = begin(f"moved-{number}", plan)
        wait_until(lambda: controller.stages().count("summarization") == 2)
        second.send_signal(sign)
        assert second.wait() == (0 if sign is signal.SIGTERM else -sign)
        flow.join()
        story = get_trace().requests.get(f"moved-{number}")
        assert story.status is RequestStatus.COMPLETED
        assert [task.status for task in story.tasks] == [TaskStatus.COMPLETED] * 2
        assert all(sum(a.status == "completed" for a in task.attempts) == 1 for task in story.tasks)


def test_a_scheduler_that_restarts_at_work_loses_no_request(
    prefect_server: None, controller: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.script = {"summarization": Reply(content="Borders.", delay=3.0), "respond": "They are borders."}
    controller.calls.clear()
    with Cluster(tmp_path, OPENAI_BASE_URL=controller.url) as cluster:
        scheduler = cluster.scheduler()
        cluster.start()
        join(cluster, monkeypatch)
        flow = begin("restarted", [SUMMARY])
        wait_until(lambda: "summarization" in controller.stages())
        scheduler.kill()
        scheduler.wait()
        cluster.scheduler()
        flow.join()
        assert not flow.is_alive()
    story = get_trace().requests.get("restarted")
    assert (story.status, story.response) == (RequestStatus.COMPLETED, "They are borders.")
    assert story.tasks[0].status is TaskStatus.COMPLETED


def test_machines_share_results_and_artifacts_through_s3(
    prefect_server: None,
    controller: OpenAIServer,
    photo: Path,
    s3: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The worker has a home folder of its own, as on another machine; the trace is on one both can reach.

    It takes one kind only, and ends before the last request.
    """
    controller.script = {}
    shared = {
        **s3,
        "HUGGINGGPT_ARTIFACTS_URL": "s3://hugginggpt/artifacts",
        "HUGGINGGPT_RESULTS_URL": "s3://hugginggpt/results",
        "HUGGINGGPT_DATABASE_URL": f"sqlite:///{tmp_path / 'trace.db'}",
        "OPENAI_BASE_URL": controller.url,
    }
    monkeypatch.setattr(runner, "WORKER_SECONDS", 1.0)
    with Cluster(tmp_path, **shared) as far:
        far.scheduler()
        worker = far.start("--kinds", "canny-control", HUGGINGGPT_HOME=str(tmp_path / "there"))
        join(far, monkeypatch, HUGGINGGPT_HOME=str(tmp_path / "here"))
        share_results()
        records = temporary_settings({PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK: f"remote-file-system/{RESULTS_BLOCK}"})
        with records:
            story = run("far", [EDGES, SOFT_EDGES], photo, fresh=False)
            again = run("again-far", [EDGES], photo, fresh=False)
        worker.terminate()
        worker.wait()
        flow = answer_request.with_options(task_runner=task_runner())
        nobody: State[Any] = flow("Do it", [str(photo)], request_id="nobody", return_state=True)
        with pytest.raises(ClusterUnavailableError, match="There are no expert workers at"):
            nobody.result()
    assert [task.status for task in story.tasks] == [TaskStatus.COMPLETED, TaskStatus.FAILED]
    assert story.tasks[1].error == (
        f"None of the expert workers at {far.address} takes hed-control tasks: start one that does "
        "with `hugginggpt expert-worker`."
    )
    assert [task.status for task in again.tasks] == [TaskStatus.CACHED]
    address = get_store().address(story.files[0].artifact)
    assert address.startswith("s3://hugginggpt/artifacts/")
    assert get_store().read_bytes(story.files[0].artifact)
    for home in (tmp_path / "here", tmp_path / "there"):
        assert not (home / "artifacts").exists() and not (home / "results").exists()


def test_its_time_ends_the_wait_for_expert_workers(
    prefect_server: None, controller: OpenAIServer, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker, no worker for a kind of task, one that does not say what it can do, and none any more."""
    controller.script = {"summarization": hangs(), "respond": "They are edges."}
    controller.calls.clear()
    monkeypatch.setattr(runner, "WORKER_SECONDS", 600.0)  # longer than this test may take

    def run_in_time(request_id: str, plan: list[dict[str, Any]], seconds: float = 3.0) -> State[Any]:
        flow = answer_request.with_options(task_runner=task_runner())
        options = RequestOptions(plan=plan, fresh=True, deadline=seconds)
        state: State[Any] = flow("Do it", [str(photo)], options=options, request_id=request_id, return_state=True)
        return state

    with Cluster(tmp_path, OPENAI_BASE_URL=controller.url) as far:
        far.scheduler()
        join(far, monkeypatch)
        nobody = run_in_time("nobody-in-time", [EDGES])
        assert isinstance(nobody.result(raise_on_failure=False), DeadlineExceededError)
        assert "no expert workers within the request's 3 seconds" in str(nobody.message)
        assert get_trace().requests.latest(50) == []

        worker = far.start("--kinds", "canny-control,summarization")
        run_in_time("none-for-it", [EDGES, SOFT_EDGES], seconds=30.0)  # a busy machine needs some for the first task
        story = get_trace().requests.get("none-for-it")
        assert [task.status for task in story.tasks] == [TaskStatus.COMPLETED, TaskStatus.FAILED]
        assert story.tasks[1].error == "The request was not answered within its 30 seconds: raise its deadline."

        with OpenAIServer(script={}, key="sk-another") as another:
            join(far, monkeypatch, OPENAI_BASE_URL=another.url, OPENAI_API_KEY="sk-another")
            worker.send_signal(signal.SIGSTOP)
            try:
                run_in_time("silent", [EDGES])
            finally:
                worker.send_signal(signal.SIGCONT)
            assert get_trace().requests.get("silent").error == _OVER
        join(far, monkeypatch)

        threading.Thread(target=lambda: _kill_at("summarization", controller, worker), daemon=True).start()
        run_in_time("left-alone", [SUMMARY])
        story = get_trace().requests.get("left-alone")
        assert (story.tasks[0].status, story.tasks[0].error) == (TaskStatus.FAILED, _OVER)


_OVER = "The request was not answered within its 3 seconds: raise its deadline."


def _kill_at(stage: str, controller: OpenAIServer, worker: forked.Fork) -> None:
    wait_until(lambda: stage in controller.stages())
    worker.kill()


def test_nothing_listens_beyond_the_address_of_the_scheduler(cluster: Cluster) -> None:
    for process in cluster.processes:
        if process.poll() is None:
            assert listening(process.pid) == {"127.0.0.1"}


@pytest.fixture(scope="module")
def cabinet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates that docs/deployment.md has its readers make."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    folder: Path = tmp_path_factory.mktemp("certificates")
    page = (CHECKOUT / "docs" / "deployment.md").read_text("utf-8")
    block = re.search(r"^    umask 077\n(?:    .*\n|\n(?=    ))*", page, re.MULTILINE)
    assert block is not None
    subprocess.run(["bash", "-e", "-c", block[0]], cwd=folder, check=True, capture_output=True)
    return folder


def certificates(cabinet: Path, machine: str) -> Certificates:
    return Certificates(cabinet / "ca.pem", cabinet / f"{machine}.pem", cabinet / f"{machine}.key")


@pytest.fixture(scope="module")
def this_machine() -> str:
    """An address of this machine that others could reach, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("198.51.100.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = asking.getsockname()[0]
        return address


def test_over_tls_two_workers_do_a_request_and_strangers_are_turned_away(
    prefect_server: None,
    controller: OpenAIServer,
    cabinet: Path,
    this_machine: str,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from distributed import Client

    controller.script = {"summarization": "Edges.", "respond": "They are edges."}
    ours = certificates(cabinet, "control")
    with Cluster(tmp_path, host=this_machine, certificates=ours, OPENAI_BASE_URL=controller.url) as far:
        far.scheduler()
        # One kind each, so that both have to do something.
        theirs = hugginggpt.cluster.address.Cluster(far.address, certificates(cabinet, "worker-1")).variables
        far.start("--kinds", "canny-control", **theirs)
        far.start("--kinds", "summarization", **theirs)
        for process in far.processes:
            # On loopback there is Dask's web server, which has no pages.
            assert listening(process.pid) == {this_machine, "127.0.0.1"}
        join(far, monkeypatch)
        story = run("over-tls", [EDGES, SUMMARY | {"id": 1}], photo)
        assert (story.status, story.response) == (RequestStatus.COMPLETED, "They are edges.")

        # A certificate of another authority, and none.
        make_certificate(tmp_path / "stranger.pem")
        stranger = Certificates(tmp_path / "stranger.pem", tmp_path / "stranger.pem")
        forged = Certificates(cabinet / "ca.pem", tmp_path / "stranger.pem")
        for known in (stranger, forged):
            with pytest.raises(OSError):
                Client(far.address, security=known.security(), timeout=5, set_as_default=False)
        with pytest.raises(OSError):
            Client(far.address.replace("tls", "tcp"), timeout=5, set_as_default=False)
        for name, value in hugginggpt.cluster.address.Cluster(far.address, stranger).variables.items():
            monkeypatch.setenv(name, value)
        reset()
        flow = answer_request.with_options(task_runner=task_runner())
        refused: State[Any] = flow("Do it", [str(photo)], return_state=True)
        with pytest.raises(ClusterUnavailableError, match="has certificates of another authority than HUGGINGGPT"):
            refused.result()
        reading, writing = os.pipe()
        environment = far.environment | hugginggpt.cluster.address.Cluster(far.address, forged).variables
        words = ["expert-worker", "--kinds", "canny-control"]
        worker = forked.start(words, CHECKOUT, environment, (0, 1, writing))
        os.close(writing)
        with os.fdopen(reading) as complained:
            assert complained.readline().startswith(f"There is no scheduler at {far.address} yet ([SSL: ")
            worker.terminate()
            assert worker.wait() == 0
        with Client(far.address, security=ours.security(), set_as_default=False) as client:
            assert len(client.nthreads()) == 2


def test_a_scheduler_for_other_machines_without_tls_has_to_be_called_insecure(
    photo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Cluster(tmp_path) as far:
        far.start("--scheduler", "--host", "0.0.0.0", "--port", "0", "--insecure-no-tls")
        assert "0.0.0.0" in listening(far.processes[0].pid)
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", "tcp://192.0.2.1:8786")
    reset()
    with pytest.raises(ConfigurationError, match=r"^Without TLS, anyone who answers at tcp://192\.0\.2\.1:8786"):
        task_runner()
    asked = forked.run(["ask", "Draw it", "--file", str(photo)], CHECKOUT, os.environ)
    assert asked.returncode == 2
    assert asked.stderr.startswith("Error: Without TLS, anyone who answers at tcp://192.0.2.1:8786 could run code on")
    monkeypatch.setenv("HUGGINGGPT_DASK_INSECURE_NO_TLS", "true")
    reset()
    task_runner()


def test_no_cluster_is_said_at_once(photo: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps([EDGES]), encoding="utf-8")
    environment = os.environ | {
        "HUGGINGGPT_TASK_RUNNER": "dask",
        "HUGGINGGPT_DASK_ADDRESS": "tcp://127.0.0.1:9",
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_LOCAL_STORAGE_PATH": str(PREFECT_LOCAL_STORAGE_PATH.value()),
    }
    done = forked.run(["ask", "Draw it", "--file", str(photo), "--plan", str(plan)], CHECKOUT, environment)
    assert done.returncode == 1
    assert "Error: There is no Dask cluster at tcp://127.0.0.1:9: start one with `hugginggpt up`" in done.stderr
    assert "Traceback" not in done.stderr
    assert get_trace().requests.latest(50) == []


def test_a_cluster_is_no_use_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    reset()
    with pytest.raises(ConfigurationError, match=r"pip install 'hugginggpt\[dask\]'"):
        task_runner()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--address", "nowhere"), "is not the address of a Dask scheduler"),
        (("--address", "tcp://192.0.2.1:8786"), "set HUGGINGGPT_DASK_INSECURE_NO_TLS to true."),
        (("--address", "tls://192.0.2.1:8786"), "needs certificates: name them in HUGGINGGPT_DASK_TLS_CA_FILE"),
        (("--scheduler", "--host", "0.0.0.0"), "could run code on this machine: name certificates in HUGGINGGPT_DASK"),
        (("--kinds", "flying"), "There is no task kind 'flying'"),
    ],
)
def test_a_worker_that_cannot_be_meant_is_refused(arguments: tuple[str, ...], sentence: str) -> None:
    done = forked.run(["expert-worker", *arguments], CHECKOUT, os.environ)
    assert done.returncode == 2 and sentence in done.stderr
