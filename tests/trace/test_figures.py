"""What the trace knows of how models fared."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from hugginggpt.models.card import Endpoint
from hugginggpt.models.figures import LATEST, MEMORY, Figures
from hugginggpt.results import TaskStatus
from hugginggpt.trace.database import make_engine, parse_url
from hugginggpt.trace.store import Trace
from tests.trace.samples import candidate, planned, result, run_of, run_of_attempt

KIND = "image-to-text"


def run(trace: Trace, request_id: str, name: str, error_type: str | None = None, *, seconds: float = 1.0) -> None:
    attempt = run_of(trace, request_id, 1).start_attempt(0, candidate(name), run_count=1)
    run_of_attempt(trace, attempt).finish_attempt(
        attempt,
        status="failed" if error_type else "completed",
        seconds=seconds,
        error=f"{name} broke." if error_type else None,
        error_type=error_type,
        passing=error_type == "ExpertUnavailableError",
    )


def now(trace: Trace) -> dict[str, Figures]:
    """The figures of the moment, by model."""
    figures = trace.models.measurement(max_age=0).figures
    assert {(kind, endpoint) for kind, _, endpoint in figures} <= {(KIND, "embedded")}
    return {model: one for (_, model, _), one in figures.items()}


def test_an_empty_trace_knows_nothing(trace: Trace) -> None:
    assert now(trace) == {}


def test_runs_count_by_kind_model_and_endpoint(trace: Trace) -> None:
    request_id = planned(trace).request_id
    run(trace, request_id, "a/b")
    local = run_of(trace, request_id, 1).start_attempt(0, candidate("a/b", Endpoint.LOCAL), run_count=1)
    run_of_attempt(trace, local).finish_attempt(local, status="completed", seconds=3.0)
    speech = run_of(trace, request_id, 1).start_attempt(1, candidate("a/b"), run_count=1)
    run_of_attempt(trace, speech).finish_attempt(speech, status="completed", seconds=5.0)
    figures = trace.models.measurement(max_age=0).figures
    assert {place: one.seconds for place, one in figures.items()} == {
        (KIND, "a/b", "embedded"): 1.0,
        (KIND, "a/b", "local"): 3.0,
        ("text-to-speech", "a/b", "embedded"): 5.0,
    }


def test_the_time_is_that_of_an_element(trace: Trace) -> None:
    request_id = planned(trace).request_id
    run(trace, request_id, "a/b", seconds=6.0)
    run_of(trace, request_id).record_result(result(0, "one", "two", "three", model="a/b"))
    assert now(trace)["a/b"].seconds == 2.0


def test_a_failure_counts_more_where_another_model_did_the_task(trace: Trace) -> None:
    done, lost = planned(trace).request_id, planned(trace).request_id
    run(trace, done, "broken", "ModelLoadError")
    run(trace, done, "works")
    run_of(trace, done).record_result(result(0, model="works"))
    run(trace, lost, "unclear", "ExpertError")
    run(trace, lost, "busy", "ExpertUnavailableError")
    run_of(trace, lost).record_no_result(0, TaskStatus.FAILED, "No model could.")
    figures = now(trace)
    assert {name: one.blame for name, one in figures.items()} == {
        "broken": 1.0,
        "works": 0.0,
        "unclear": 0.5,
        "busy": 0.25,
    }
    assert figures["broken"] == Figures(runs=1, completed=0, blame=1.0, last_error="broken broke.")
    assert figures["works"].completed == 1


@pytest.mark.parametrize("error_type", ["TaskCancelledError", "StorageError"])
def test_what_is_no_fault_of_the_model_does_not_count(trace: Trace, error_type: str) -> None:
    request_id = planned(trace).request_id
    run(trace, request_id, "a/b", error_type)
    stopped = run_of(trace, request_id, 1).start_attempt(0, candidate("stopped/one"), run_count=1)
    run_of_attempt(trace, stopped).finish_attempt(
        stopped, status="interrupted", seconds=1.0, error_type="KeyboardInterrupt"
    )
    run_of(trace, request_id, 1).start_attempt(0, candidate("still/running"), run_count=1)
    assert now(trace) == {}


def test_only_the_latest_runs_count(trace: Trace) -> None:
    request_id = planned(trace).request_id
    for _ in range(5):
        run(trace, request_id, "a/b", "ExpertError")
    assert now(trace)["a/b"].failing
    for _ in range(LATEST):
        run(trace, request_id, "a/b")
    assert now(trace)["a/b"] == Figures(runs=LATEST, completed=LATEST, blame=0.0, seconds=1.0)


def test_what_is_long_ago_is_forgiven(trace: Trace, trace_url: str) -> None:
    request_id = planned(trace).request_id
    run(trace, request_id, "a/b", "ExpertError")
    with make_engine(parse_url(trace_url), pooled=False).begin() as connection:
        connection.execute(
            text("UPDATE expert_runs SET started_at = :then"),
            {"then": (datetime.now(UTC) - 2 * MEMORY).replace(tzinfo=None).isoformat(sep=" ")},
        )
    assert now(trace) == {}


def test_a_measurement_is_the_same_for_all_until_it_is_old(trace: Trace) -> None:
    request_id = planned(trace).request_id
    first = trace.models.measurement(max_age=60)
    run(trace, request_id, "a/b")
    assert trace.models.measurement(max_age=60) == first
    second = trace.models.measurement(max_age=0)
    assert second.at > first.at and len(second.figures) == 1
    assert trace.models.measurement(max_age=60) == second


def test_of_several_who_measure_at_once_one_does(trace: Trace) -> None:
    run(trace, planned(trace).request_id, "a/b")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: trace.models.measurement(max_age=60), range(16)))
    assert all(one == found[0] for one in found)
    assert found[0].figures[KIND, "a/b", "embedded"].runs == 1
