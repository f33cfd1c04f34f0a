"""Evaluations in the trace database."""

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from hugginggpt.errors import TraceError
from hugginggpt.evaluation.datasets import read_dataset
from hugginggpt.evaluation.prediction import Prediction
from hugginggpt.evaluation.report import make_report
from hugginggpt.settings import Settings
from hugginggpt.trace.database import parse_url
from hugginggpt.trace.evaluations import Evaluations
from hugginggpt.trace.store import Trace
from tests.evaluation.conftest import OWN, READ, SPEAK, Write
from tests.evaluation.test_report import SUBJECT, predicted


@pytest.fixture
def evaluations(settings: Settings, trace_url: str) -> Iterator[Evaluations]:
    trace = Trace.open(settings.model_copy(update={"database_url": SecretStr(trace_url)}))
    yield trace.evaluations
    trace.close()


def test_the_latest_of_the_same_subject_goes_on(evaluations: Evaluations) -> None:
    assert evaluations.open(SUBJECT, "a.jsonl", "first") == "first"
    assert evaluations.open(SUBJECT, "moved.jsonl", "second") == "first"
    assert evaluations.open(SUBJECT.model_copy(update={"planner_sha256": "q"}), "a.jsonl", "other") == "other"
    assert evaluations.open(SUBJECT, "a.jsonl", "third", fresh=True) == "third"
    assert evaluations.open(SUBJECT, "a.jsonl", "fourth") == "third"
    assert evaluations.latest(SUBJECT) == "third"
    assert evaluations.latest(SUBJECT.model_copy(update={"model": "none"})) is None


def test_predictions_come_back_as_they_were(evaluations: Evaluations) -> None:
    evaluations.open(SUBJECT, "a.jsonl", "first")
    made = {0: predicted(0, [READ, SPEAK], 1.5), 3: predicted(3, None, 2.0), 4: predicted(4, [], 0.5)}
    for prediction in made.values():
        evaluations.record("first", prediction)
    assert evaluations.predictions("first") == made
    assert (evaluations.count("first", 4), evaluations.count("first", 5)) == (2, 3)
    evaluations.open(SUBJECT, "a.jsonl", "second", fresh=True)
    assert evaluations.predictions("second") == {}


def test_what_a_plan_was_repaired_in_is_kept(evaluations: Evaluations) -> None:
    evaluations.open(SUBJECT, "a.jsonl", "first")
    repaired = predicted(0, [{**READ, "args": {"image": "scan.png", "colour": "red"}}], 1.0)
    assert repaired.plan is not None and repaired.plan.repairs
    evaluations.record("first", repaired)
    assert evaluations.predictions("first") == {0: repaired}


def test_the_first_prediction_of_two_stays(evaluations: Evaluations) -> None:
    evaluations.open(SUBJECT, "a.jsonl", "first")
    evaluations.record("first", predicted(0, [READ], 1.0))
    evaluations.record("first", predicted(0, None, 9.0))
    assert evaluations.predictions("first")[0].seconds == 1.0


def test_a_prediction_for_no_evaluation_is_refused(evaluations: Evaluations) -> None:
    with pytest.raises(TraceError):
        evaluations.record("nowhere", predicted(0, [READ], 1.0))


def test_whatever_a_request_holds_can_be_kept(evaluations: Evaluations) -> None:
    evaluations.open(SUBJECT, "a.jsonl", "first")
    odd = predicted(0, [READ], 1.0).model_copy(update={"request": "Read \ud800 and \x00", "sample_id": "\x00"})
    evaluations.record("first", odd)
    assert evaluations.predictions("first")[0].request == "Read \ufffd and \ufffd"


def test_the_report_is_that_of_the_most_samples(evaluations: Evaluations, write: Write, trace_url: str) -> None:
    path = write(OWN, OWN | {"id": "b"})
    evaluations.open(SUBJECT, "a.jsonl", "e")
    made: dict[int, Prediction] = {0: predicted(0, [READ, SPEAK], 1.0), 1: predicted(1, None, 1.0)}
    engine = create_engine(parse_url(trace_url))
    for limit, kept in ((1, 1), (2, 2), (1, 2), (2, 2)):
        evaluations.record_report(make_report("e", read_dataset(path, limit), SUBJECT, made))
        with engine.connect() as connection:
            report = connection.scalar(text("SELECT report FROM evaluations"))
        found = json.loads(report) if isinstance(report, str) else report
        assert (found["samples"], found["valid"]) == (kept, 100.0 / kept)
    engine.dispose()
