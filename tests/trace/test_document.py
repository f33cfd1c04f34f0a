"""The queries of `docs/trace.md` run."""

import re

import pytest
from sqlalchemy import text

from hugginggpt.results import RequestStatus
from hugginggpt.settings import CHECKOUT
from hugginggpt.trace.database import make_engine, parse_url
from hugginggpt.trace.store import Trace
from tests.trace.samples import call, candidate, choice, finish, planned, result, run_of, run_of_attempt

PAGE = CHECKOUT / "docs" / "trace.md"
QUERIES = re.findall(r"^([^\n]+):\n\n```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_there_are_queries() -> None:
    assert len(QUERIES) >= 7


@pytest.fixture
def url_of_a_trace(trace: Trace, trace_url: str) -> str:
    done = planned(trace, text="Read the invoice.")
    run_of(trace, done.request_id).record_controller_call(None, call())
    run_of(trace, done.request_id).record_choices({0: choice()})
    for name, status in (("broken", "failed"), ("rapidocr", "completed")):
        attempt = run_of(trace, done.request_id, 1).start_attempt(0, candidate(name), run_count=1)
        run_of_attempt(trace, attempt).finish_attempt(
            attempt, status=status, seconds=1.0, error_type="ExpertError", error="No."
        )
    run_of(trace, done.request_id).record_result(result(0, "The invoice says 12.50."))
    planned(trace, lease_seconds=-60.0, request_id="dead")
    latest = planned(trace)
    run_of(trace, latest.request_id).record_choices({0: choice()})
    finish(
        trace,
        done.request_id,
        status=RequestStatus.PARTIAL,
        response="12.50",
        response_source="plain",
    )
    trace.models.measurement(max_age=0)
    return trace_url


def test_every_query_finds_something(url_of_a_trace: str) -> None:
    with make_engine(parse_url(url_of_a_trace), pooled=False).connect() as connection:
        for what, query in QUERIES:
            rows = connection.execute(text(query)).all()
            assert rows, what
            if "died" in what:
                assert [row.id for row in rows] == ["dead"]
            if "searched" in what:
                assert [row.preview for row in rows] == ["The invoice says 12.50."]
