"""What is kept when the process, the database or the controller goes away in the middle."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH

import tasks.run
from flows.answer import answer_request
from flows.server import flow
from hugginggpt.errors import ExpertUnavailableError, RequestClosedError, RequestInProgressError
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus, TaskResult
from hugginggpt.services import get_trace, reset
from hugginggpt.settings import CHECKOUT
from hugginggpt.trace.story import RequestTrace
from tasks import recording
from tasks.open import open_request
from tasks.plan import plan_request
from tasks.run import EXPERT_TASKS
from tasks.select import Selected, select_models
from tests import forked
from tests.flows.conftest import Answer
from tests.servers import wait_until
from tests.stand_ins.inference_server import InferenceServer
from tests.stand_ins.openai_server import OpenAIServer, RecordedCall, hangs
from tests.trace.samples import run_of

PLAN: list[dict[str, Any]] = [
    {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "sign.png"}},
    {"task": "canny-control", "id": 1, "dep": [-1], "args": {"image": "sign.png"}},
    {"task": "summarization", "id": 2, "dep": [0], "args": {"text": "<GENERATED>-0"}},
    {"task": "text-to-speech", "id": 3, "dep": [2], "args": {"text": "<GENERATED>-2"}},
]

Start = Callable[[Path, str], forked.Fork]


@pytest.fixture
def start() -> Iterator[Start]:
    """Run the flow in a process of its own, against the same server and stores."""
    running: list[forked.Fork] = []

    def run(file: Path, request_id: str) -> forked.Fork:
        environment = os.environ | {
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "PREFECT_LOCAL_STORAGE_PATH": str(PREFECT_LOCAL_STORAGE_PATH.value()),
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
        }
        arguments = [json.dumps({"plan": PLAN}), request_id, str(file)]
        running.append(forked.start(arguments, CHECKOUT, environment, module="tests.flows.answering"))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "postgresql":
        monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", request.getfixturevalue("postgresql_trace"))
    reset()


def at_work_on(request_id: str, stage: str, server: OpenAIServer) -> bool:
    """The server hangs on that stage, and everything before it is in the trace."""
    return stage in server.stages() and {0, 1} <= run_of(get_trace(), request_id).results().keys()


def test_a_killed_run_is_resumed_and_nothing_finished_runs_again(
    each_database: None, controller: OpenAIServer, sign: Path, start: Start
) -> None:
    controller.script = {"summarization": hangs()}
    process = start(sign, "killed")
    wait_until(lambda: at_work_on("killed", "summarization", controller))
    with pytest.raises(RequestInProgressError):
        answer_request("Read it.", request_id="killed")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert get_trace().requests.get("killed").status is RequestStatus.DIED

    controller.script = {"summarization": "It is 42.50 EUR.", "respond": "The sign says 42.50 EUR."}
    state = answer_request("", request_id="killed", return_state=True)
    assert state.is_completed()
    story = get_trace().requests.get("killed")
    assert (story.status, story.response) == (RequestStatus.COMPLETED, "The sign says 42.50 EUR.")
    assert [life.ending for life in story.lives] == ["died", "finished"]
    assert {task.id: [a.life for a in task.attempts if a.status == "completed"] for task in story.tasks} == {
        0: [1],
        1: [1],
        2: [2],
        3: [2],
    }
    assert [(a.life, a.status) for a in story.tasks[2].attempts] == [(1, "interrupted"), (2, "completed")]


def test_what_was_recorded_is_not_run_again_when_its_task_run_is(
    controller: OpenAIServer, sign: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is when an expert worker dies after the result is in the trace, and before the flow has heard of it."""
    record, lost = tasks.run._Attempts.record, [True]

    def lose_one(attempts: Any, result: TaskResult) -> None:
        record(attempts, result)
        if lost and lost.pop():
            raise ExpertUnavailableError("It is lost.")

    monkeypatch.setattr(tasks.run._Attempts, "record", lose_one)
    controller.script = {"respond": "The edges were drawn."}
    story = answer("Draw the edges.", sign, plan=[PLAN[1]], fresh=True)
    assert not lost and story.status is RequestStatus.COMPLETED
    assert [attempt.status for attempt in story.tasks[0].attempts] == ["completed"]


@pytest.mark.parametrize("left", [0, 10])
def test_a_record_whose_write_was_cut_off_counts_as_none(
    left: int, controller: OpenAIServer, sign: Path, answer: Answer
) -> None:
    """A process that is killed while Prefect writes a record of a result leaves a part of it."""
    controller.script = {"plan": json.dumps({"tasks": [PLAN[1]]}), "respond": "The edges were drawn."}
    first = answer("Draw the edges.", sign)
    records = Path(str(PREFECT_LOCAL_STORAGE_PATH.value()))
    cut_off = [path for path in records.iterdir() if path.is_file()]
    for path in cut_off:
        path.write_bytes(path.read_bytes()[:left])
    again = answer("Draw the edges.", sign)
    assert len(cut_off) >= 3 and again.status is first.status is RequestStatus.COMPLETED
    assert again.tasks[0].outputs == first.tasks[0].outputs
    assert answer("Draw the edges.", sign).tasks[0].status.value == "cached", "and it is written anew"


def test_two_who_resume_at_once_do_not_both_run(controller: OpenAIServer, sign: Path, start: Start) -> None:
    controller.script = {"summarization": hangs()}
    process = start(sign, "wanted")
    wait_until(lambda: at_work_on("wanted", "summarization", controller))
    process.kill()
    process.wait()
    controller.script = {"summarization": "42.50 EUR.", "respond": "It says 42.50 EUR."}
    both = [start(sign, "wanted"), start(sign, "wanted")]
    assert 0 in [process.wait() for process in both]
    story = get_trace().requests.get("wanted")
    assert story.status is RequestStatus.COMPLETED
    assert len(story.lives) == 2


def lock(url: str, locked: bool) -> None:
    """Take a PostgreSQL database away from its users, or give it back."""
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(url.replace(f"/{name}?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'false' if locked else 'true'}".encode())
        if locked:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def test_results_outlive_a_database_that_goes_away(
    controller: OpenAIServer, sign: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", postgresql_url)
    monkeypatch.setenv("HUGGINGGPT_LEASE_SECONDS", "3")
    monkeypatch.setattr(recording, "DATABASE_WAITS", (0.5, 1.0))
    reset()

    def summary(call: object) -> str:
        lock(postgresql_url, True)
        return "It is 42.50 EUR."

    controller.script = {"summarization": summary, "respond": "The sign says 42.50 EUR."}
    options = RequestOptions(plan=PLAN)
    state = answer_request("Read it.", [str(sign)], options=options, request_id="cut-off", return_state=True)
    assert state.is_failed()
    assert postgresql_url not in str(state.message)
    lock(postgresql_url, False)
    wait_until(lambda: get_trace().requests.get("cut-off").status is RequestStatus.DIED)
    asked = len(controller.calls)

    state = answer_request("", request_id="cut-off", return_state=True)
    story = get_trace().requests.get("cut-off")
    assert state.is_completed() and story.status is RequestStatus.COMPLETED
    assert "summarization" not in controller.stages()[asked:]
    assert {task.id: task.status.value for task in story.tasks}[2] == "cached"


@pytest.mark.parametrize("stage", ["plan", "select", "respond"])
def test_a_database_that_goes_away_for_seconds_is_waited_for(
    stage: str,
    answer: Answer,
    controller: OpenAIServer,
    provider: InferenceServer,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", postgresql_url)
    reset()
    plan = [{"task": "fill-mask", "id": 0, "dep": [-1], "args": {"text": "I like it."}}]
    replies: dict[str, Any] = {
        "plan": {"tasks": plan},
        "select": lambda call: {"id": call.choices[0], "reason": "It fits."},
        "respond": "It is POSITIVE.",
    }

    def cut_off(call: Any) -> Any:
        """Take the database away for some seconds, and answer; a plan of no use, so that there is another question."""
        controller.script = replies
        lock(postgresql_url, True)
        threading.Timer(6.0, lock, (postgresql_url, False)).start()
        return {"plan": "no plan", "select": {"id": call.choices[0], "reason": "It fits."}}.get(
            stage, "It is POSITIVE."
        )

    controller.script = replies | {stage: cut_off}
    story = answer("Is it friendly?", request_id=f"waits-in-{stage}")
    assert story.status is RequestStatus.COMPLETED
    assert [life.ending for life in story.lives] == ["finished"]
    # What was asked while the database was away is in the trace all the same.
    assert len(story.controller_calls) == len(controller.calls)


def test_a_selection_begins_while_the_database_is_away(
    answer: Answer,
    controller: OpenAIServer,
    provider: InferenceServer,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", postgresql_url)
    reset()
    get_trace()

    def cut_off() -> None:
        wait_until(lambda: any(r.tasks for r in get_trace().requests.latest()))
        lock(postgresql_url, True)
        time.sleep(6.0)
        lock(postgresql_url, False)

    away = threading.Thread(target=cut_off)
    away.start()
    plan = [
        {"task": "fill-mask", "id": number, "dep": [-1], "args": {"text": f"I like it, {number}."}}
        for number in range(3)
    ]
    controller.script = {"select": lambda call: {"id": call.choices[0], "reason": "It fits."}, "respond": "It is."}
    story = answer("Is it friendly?", plan=plan, request_id="waits-from-the-beginning")
    away.join()
    assert story.status is RequestStatus.COMPLETED
    assert all(task.selection for task in story.tasks)


def test_a_database_that_cannot_be_reached_refuses_before_anything_is_spent(
    controller: OpenAIServer, sign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", "postgresql://someone:s3cret@127.0.0.1:9/nothing")
    reset()
    state = answer_request("Read it.", [str(sign)], options=RequestOptions(plan=PLAN), return_state=True)
    assert state.is_failed()
    assert "s3cret" not in str(state.message) and "database" in str(state.message).lower()
    assert controller.calls == []


def test_a_flow_that_is_interrupted_says_so_in_the_trace(
    answer: Answer, controller: OpenAIServer, sign: Path, start: Start
) -> None:
    controller.script = {"summarization": hangs()}
    process = start(sign, "stopped")
    wait_until(lambda: at_work_on("stopped", "summarization", controller))
    process.send_signal(signal.SIGINT)
    process.wait()
    story: RequestTrace = get_trace().requests.get("stopped")
    assert story.status is RequestStatus.DIED
    assert story.lives[0].ending not in (None, "finished")
    controller.script = {"summarization": "42.50 EUR.", "respond": "It says 42.50 EUR."}
    assert answer("", request_id="stopped").status is RequestStatus.COMPLETED


def test_a_flow_that_loses_its_request_while_the_answer_is_written_says_so(
    controller: OpenAIServer, sign: Path, answer: Answer
) -> None:
    """Nothing is shown as the answer, for the request has none yet."""
    flow_runs: list[str | None] = []

    def lose(call: object) -> Any:
        flow_runs.append(get_trace().requests.get("lost").flow_run_id)
        assert get_trace().lifecycle.release_flow_run(str(flow_runs[0]), ending="crashed")
        return hangs()

    controller.script = {"respond": lose}
    options = RequestOptions(plan=[PLAN[1]])
    state = answer_request("Draw it.", [str(sign)], options=options, request_id="lost", return_state=True)
    assert isinstance(state.result(raise_on_failure=False), RequestClosedError)
    assert state.message == "Request lost no longer belongs to this process; the one that resumes it writes the answer."
    with get_client(sync_client=True) as client:
        assert "Failed" not in client.read_flow_run(UUID(flow_runs[0])).name
    assert get_trace().requests.get("lost").status is RequestStatus.DIED
    controller.script = {"respond": "The edges were drawn."}
    assert answer("Draw it.", request_id="lost").response == "The edges were drawn."


def test_the_same_story_in_each_database(
    each_database: None, answer: Answer, controller: OpenAIServer, sign: Path
) -> None:
    controller.script = {"summarization": "It is 42.50 EUR.", "respond": "The sign says 42.50 EUR."}
    story = answer("Read it.", sign, plan=PLAN)
    assert story.status is RequestStatus.COMPLETED
    assert [(t.task, t.status.value, len(t.attempts)) for t in story.tasks] == [
        ("image-to-text", "completed", 1),
        ("canny-control", "completed", 1),
        ("summarization", "completed", 1),
        ("text-to-speech", "completed", 1),
    ]
    assert all(task.prefect_task_run_id and task.started_at and task.ended_at for task in story.tasks)


def test_a_task_that_two_runs_are_at_is_done_once(controller: OpenAIServer) -> None:
    """A run that its flow let go of goes on, for threads cannot be interrupted, while the next one begins."""
    asked: list[RecordedCall] = []

    def summary(call: RecordedCall) -> str:
        asked.append(call)
        time.sleep(1)
        return f"Summary {len(asked)}."

    controller.script = {"summarization": summary}
    plan = [{"task": "summarization", "id": 0, "dep": [-1], "args": {"text": "A long story about edges."}}]

    @flow(name="twice")
    def twice() -> list[TaskResult]:
        with open_request("Sum it up.", [], None, RequestOptions(plan=plan), "twice") as run:
            run, planned, _ = plan_request(run)
            assert planned is not None
            selected = select_models(run, planned)[0]
            runs = [
                EXPERT_TASKS["summarization"].submit(
                    planned=planned.tasks[0],
                    choice=selected.choice if isinstance(selected, Selected) else selected,
                    upstream={},
                    run=run,
                )
                for _ in range(2)
            ]
            return [one.result() for one in runs]

    first, second = twice()
    assert first == second and len(asked) == 1
    (task,) = get_trace().requests.get("twice").tasks
    assert [attempt.status for attempt in task.attempts] == ["completed"]
