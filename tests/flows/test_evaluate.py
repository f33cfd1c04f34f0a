"""The evaluation flow on a real Prefect server, with a scripted controller."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from flows.evaluate import evaluate_planner
from hugginggpt.errors import ControllerAuthError, ControllerError, UsageError
from hugginggpt.evaluation.datasets import sample_set
from hugginggpt.evaluation.report import EvaluationReport
from hugginggpt.services import get_trace, reset
from tests.flows.prefect_runs import task_runs_of
from tests.stand_ins.openai_server import (
    OpenAIServer,
    RecordedCall,
    Reply,
    answer_in_thoughts,
    declined,
    error_in_success,
    thinking,
    tool_call,
    unfinished,
    wrong_key,
)

READ = {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "scan.png"}}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Forty requests whose right plan is to read a picture."""
    path = tmp_path / "requests.jsonl"
    rows = [{"id": f"r{n}", "request": f"Read scan.png, number {n}.", "plan": [READ]} for n in range(40)]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def evaluate(dataset: Path, **options: Any) -> EvaluationReport:
    return EvaluationReport.model_validate(evaluate_planner(str(dataset), **options))


def planned(controller: OpenAIServer) -> int:
    return controller.stages().count("plan")


def scores(state: Any) -> list[dict[str, Any]]:
    """The rows of the table that the UI shows for a run."""
    this = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        shown = {a.key: a for a in client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=this))}
    assert shown["scores"].type == "table"
    rows: list[dict[str, Any]] = json.loads(str(shown["scores"].data))
    return rows


def run_of(state: Any) -> Any:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id)


def refusing(most: int) -> Callable[[RecordedCall], Any]:
    """A controller that plans so many requests and then refuses the key."""
    left = [None] * most

    def answer(call: RecordedCall) -> Any:
        if call.stage == "check":
            return "OK." if left else wrong_key()
        return {"tasks": [READ]} if left and left.pop() is None else wrong_key()

    return answer


def test_every_request_is_planned_several_at_a_time_and_scored(controller: OpenAIServer, dataset: Path) -> None:
    controller.script = {"plan": Reply(json.dumps({"tasks": [READ]}), delay=0.05)}
    report = evaluate(dataset)
    assert (report.samples, report.node_f1, report.valid, report.controller) == (40, 100.0, 100.0, "openai")
    assert (planned(controller), report.calls) == (40, 40)
    assert 1 < controller.most_at_once <= 4
    assert report.seconds_median >= 0.05
    kept = get_trace().evaluations.predictions(report.evaluation_id)
    assert {p.position: p.sample_id for p in kept.values()} == {n: f"r{n}" for n in range(40)}


def test_it_goes_on_where_it_was_left(controller: OpenAIServer, dataset: Path) -> None:
    answer = refusing(10)
    controller.script = {"plan": answer, "check": answer}
    with pytest.raises(ControllerAuthError):
        evaluate(dataset)
    controller.script = {"plan": {"tasks": [READ]}}
    controller.calls.clear()
    report = evaluate(dataset)
    assert (report.samples, report.node_f1) == (40, 100.0)
    assert planned(controller) == 30


def test_nothing_is_asked_again_unless_it_is_wished(controller: OpenAIServer, dataset: Path) -> None:
    controller.script = {"plan": {"tasks": [READ]}}
    few = evaluate(dataset, limit=5)
    assert (few.samples, planned(controller)) == (5, 5)
    more = evaluate(dataset, limit=7)
    assert (more.samples, planned(controller), more.evaluation_id) == (7, 7, few.evaluation_id)
    again = evaluate(dataset, limit=7)
    assert (again, controller.stages().count("check")) == (more, 2)
    fresh = evaluate(dataset, limit=7, fresh=True)
    assert (planned(controller), fresh.evaluation_id == more.evaluation_id) == (14, False)


def test_another_model_is_another_evaluation(
    controller: OpenAIServer, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.script = {"plan": {"tasks": [READ]}}
    first = evaluate(dataset, limit=2)
    monkeypatch.setenv("HUGGINGGPT_CONTROLLER_MODEL", "another")
    reset()
    second = evaluate(dataset, limit=2)
    assert (second.model, planned(controller), first.evaluation_id == second.evaluation_id) == ("another", 4, False)


def test_a_failed_plan_counts_as_an_empty_one(controller: OpenAIServer, dataset: Path) -> None:
    controller.script = {"plan": ["no plan", "no plan", {"tasks": [READ]}]}
    report = evaluate(dataset, limit=1)
    assert (report.valid, report.node_f1, report.calls) == (0.0, 0.0, 2)
    assert evaluate(dataset, limit=1) == report  # nor is a failure asked for again


def test_it_stops_if_every_plan_fails_for_one_reason_and_goes_on_once_that_is_mended(
    controller: OpenAIServer, dataset: Path
) -> None:
    overflow = Reply(status=400, code="context_length_exceeded", message="Too many tokens.")
    controller.script = {"plan": overflow}
    with pytest.raises(ControllerError, match=r"Every plan failed for one reason\..*CONTROLLER_CONTEXT_TOKENS"):
        evaluate(dataset)
    assert planned(controller) < 40
    controller.script = {"plan": {"tasks": [READ]}}
    assert evaluate(dataset).valid == 100.0


FAULTS = (
    thinking({"tasks": [READ]}, "no beginning"),
    [error_in_success(), {"tasks": [READ]}],
    [unfinished(), {"tasks": [READ]}],
    [Reply(status=400, message="`temperature` is deprecated for this model."), {"tasks": [READ]}],
    tool_call({"tasks": [READ]}),
    answer_in_thoughts({"tasks": [READ]}),
)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_server_cost_no_plan(controller: OpenAIServer, dataset: Path, fault: Any) -> None:
    controller.script = {"plan": fault}
    assert evaluate(dataset, limit=3).node_f1 == 100.0


@pytest.mark.parametrize("fault", [wrong_key(), declined(), Reply(status=404, message="model 'x' not found")])
def test_it_resumes_after_a_fault(controller: OpenAIServer, dataset: Path, fault: Reply) -> None:
    good: Any = {"tasks": [READ]}
    controller.script = {"plan": [*[good] * 3, fault], "check": ["OK.", fault]}
    with pytest.raises(ControllerError):
        evaluate(dataset, limit=6)
    controller.script = {"plan": good}
    before = planned(controller)
    assert evaluate(dataset, limit=6).node_f1 == 100.0
    assert planned(controller) - before < 6


def test_the_prefect_ui_shows_the_scores(controller: OpenAIServer, dataset: Path) -> None:
    controller.script = {"plan": {"tasks": [READ]}}
    (alone,) = scores(evaluate_planner(str(dataset), limit=2, return_state=True))
    assert (alone["when"], alone["requests"], alone["node F1 %"]) == ("this run", 2, 100.0)


def test_the_scores_of_the_last_runs_are_beside_the_new_ones(
    controller: OpenAIServer, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.script = {"plan": "no plan"}
    evaluate(dataset, limit=2)
    dataset.with_name("another.jsonl").write_bytes(dataset.read_bytes() + b"\n\n")
    controller.script = {"plan": {"tasks": [READ]}}
    evaluate(dataset.with_name("another.jsonl"), limit=3)
    monkeypatch.setenv("HUGGINGGPT_CONTROLLER_MODEL", "another")
    reset()
    new, old = scores(evaluate_planner(str(dataset), limit=4, return_state=True))
    assert (new["when"], new["model"], new["requests"], new["valid plans %"]) == ("this run", "another", 4, 100.0)
    assert (old["model"], old["requests"], old["valid plans %"]) == ("gpt-4o-mini", 2, 0.0)


def test_without_a_dataset_it_is_the_one_that_comes_with_the_package(controller: OpenAIServer) -> None:
    controller.script = {"plan": {"tasks": [READ]}}
    state = evaluate_planner(limit=2, return_state=True)
    assert state.result()["dataset"] == str(sample_set())
    assert run_of(state).name == "evaluate-planner: evaluation.jsonl, 2 of 2 requests to plan"


def test_a_task_run_takes_a_batch(controller: OpenAIServer, dataset: Path) -> None:
    controller.script = {"plan": {"tasks": [READ]}}
    state = evaluate_planner(str(dataset), return_state=True)
    names = {run.name for run in task_runs_of(state.state_details.flow_run_id, at_least=4)}
    assert run_of(state).name == f"evaluate-planner: {dataset.name}, 40 of 40 requests to plan"
    assert names == {"plan 1 to 10", "plan 11 to 20", "plan 21 to 30", "plan 31 to 40"}


def test_what_cannot_be_accepted_is_refused_before_anything_is_asked(
    controller: OpenAIServer, dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        evaluate(tmp_path / "nowhere.jsonl")
    with pytest.raises(UsageError, match="A limit of 0 samples is too low"):
        evaluate(dataset, limit=0)
    assert not controller.calls


def test_nothing_fresh_is_begun_before_the_controller_answers(controller: OpenAIServer, dataset: Path) -> None:
    controller.script = {"plan": {"tasks": [READ]}}
    first = evaluate(dataset, limit=3)
    controller.script = {"plan": wrong_key(), "check": wrong_key()}
    with pytest.raises(ControllerAuthError):
        evaluate(dataset, limit=3, fresh=True)
    assert evaluate(dataset, limit=3) == first


def test_a_server_that_is_not_configured_is_a_sentence(dataset: Path) -> None:
    with pytest.raises(UsageError, match="There is no server for the controller 'openai'"):
        evaluate(dataset, controller="openai")
