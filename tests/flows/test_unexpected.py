"""What nobody foresaw, and holds a secret: the log has its traceback, and nothing anywhere the secret."""

import importlib
import logging
import pkgutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prefect import Task
from prefect.client.orchestration import get_client

import tasks
from flows.answer import answer_request
from flows.queue import answer_queued
from flows.warm import warm_models
from hugginggpt.errors import UnexpectedError
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace
from tasks import plan as planning
from tasks import queue, respond, run, schedule
from tests.flows.prefect_runs import task_runs_of
from tests.stand_ins.openai_server import OpenAIServer

SECRET = "sk-stand-in"  # the fixture's OPENAI_API_KEY
EDGES = [{"task": "summarization", "id": 0, "dep": [-1], "args": {"text": "The invoice is over 42.50 EUR."}}]


def surprise(*args: Any, **named: Any) -> Any:
    """Fail as a library does that repeats what it was given."""
    try:
        raise httpx.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}'")
    except httpx.HTTPError as error:
        raise RuntimeError(f"cannot ask with api_key={SECRET!r}") from error


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Every line that flow and task runs log, with tracebacks."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter("%(message)s").format(record))

    handler = Keep()
    loggers = [logging.getLogger(name) for name in ("prefect.flow_runs", "prefect.task_runs", "hugginggpt")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.setLevel(logging.INFO)
    yield lines
    for one, level in zip(loggers, levels, strict=True):
        one.removeHandler(handler)
        one.setLevel(level)


def told_to_prefect(state: Any) -> list[str]:
    """What Prefect's server keeps of the final states of a flow run and its task runs."""
    flow_run_id = state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        states = [client.read_flow_run(flow_run_id).state, *(run.state for run in task_runs_of(flow_run_id))]
    return [f"{one.name}: {one.message}" for one in states if one is not None]


def check(state: Any, lines: list[str]) -> list[str]:
    """See that no secret is anywhere, and that the log has the traceback; return what Prefect keeps."""
    story = get_trace().requests.get(get_trace().requests.latest(1)[0].request_id).model_dump_json()
    told = told_to_prefect(state)
    for said in (*lines, *told, story, str(state.message)):
        assert SECRET not in said
    assert any("Traceback" in line and "RuntimeError: cannot ask with api_key='***'" in line for line in lines)
    return told


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (planning, "ask_for_plan"),
        (planning, "show_plan"),
        (schedule, "show_choice"),
        (respond, "respond"),
    ],
)
def test_a_request_fails_without_a_secret(
    module: Any, name: str, controller: OpenAIServer, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.script = {"plan": {"tasks": EDGES}, "summarization": "42.50 EUR.", "respond": "It is 42.50 EUR."}
    monkeypatch.setattr(module, name, surprise)
    state: Any = answer_request("Sum it up", return_state=True)
    told = check(state, logged)
    assert state.is_failed() and isinstance(state.result(raise_on_failure=False), UnexpectedError)
    sentence = "It ended unexpectedly (RuntimeError: cannot ask with api_key='***'): see the traceback in the log"
    assert state.message.startswith(sentence)
    assert f"Failed: {state.message}" in told
    # It can be resumed: what failed is not the request.
    story = get_trace().requests.get(get_trace().requests.latest(1)[0].request_id)
    assert story.status is RequestStatus.DIED and story.lives[-1].error == state.message


def test_a_task_fails_without_a_secret(
    controller: OpenAIServer, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "execute", surprise)
    state: Any = answer_request("Sum it up", options={"plan": EDGES}, return_state=True)
    told = check(state, logged)
    assert sum("It ended unexpectedly (RuntimeError" in one for one in told) == 1
    (task,) = get_trace().requests.get(get_trace().requests.latest(1)[0].request_id).tasks
    assert task.error is not None and task.error.startswith("It ended unexpectedly (RuntimeError: cannot ask")


def test_an_expert_that_fails_unexpectedly_says_no_secret(
    controller: OpenAIServer, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hugginggpt.experts.controller.Summarization.answer", surprise)
    state: Any = answer_request("Sum it up", options={"plan": EDGES}, return_state=True)
    check(state, logged)


def test_a_scheduled_flow_fails_without_a_secret(logged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setattr(queue, "delete_overdue_runs", surprise)
    monkeypatch.setattr("tasks.warm._load_where_experts_run", surprise)
    for begin in (lambda: answer_queued(return_state=True), lambda: warm_models(["summarization"], return_state=True)):
        logged.clear()
        state: Any = begin()
        told = told_to_prefect(state)
        assert state.is_failed() and state.message.startswith("It ended unexpectedly (RuntimeError: cannot ask")
        assert all(SECRET not in said for said in (*told, *logged))
        assert any("Traceback" in line for line in logged)


def test_a_failure_of_prefects_own_is_without_a_secret_in_the_trace(
    controller: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends the flow from outside is not ours to explain."""

    def stop(*args: Any, **named: Any) -> None:
        raise SystemExit(f"stopped with api_key={SECRET}")

    monkeypatch.setattr(planning, "show_plan", stop)
    with pytest.raises(SystemExit):
        answer_request("Sum it up", options={"plan": EDGES}, return_state=True)
    story = get_trace().requests.get(get_trace().requests.latest(1)[0].request_id)
    assert story.lives[-1].error is not None and SECRET not in story.model_dump_json()


def test_every_task_explains_what_is_unexpected() -> None:
    modules = [importlib.import_module(f"tasks.{one.name}") for one in pkgutil.iter_modules(tasks.__path__)]
    found = {one for module in modules for one in vars(module).values() if isinstance(one, Task)}
    found = {*found, *run.EXPERT_TASKS.values()} - {schedule.SETTLED_TASK}
    assert len(found) > 30
    assert all(hasattr(one.fn, "__wrapped__") for one in found)
