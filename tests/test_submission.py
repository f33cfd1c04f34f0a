"""Requests that are submitted, lines of a batch, and given plans: accepted, or refused in one sentence."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hugginggpt.errors import ConfigurationError, OrchestratorUnavailableError, RequestClosedError, UsageError
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import get_settings
from hugginggpt.submission import Start, Submission, Submitted, parse_submission, submit

anything = st.text(st.characters(codec=None), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["request", "files", "id", "conversation", "plan", "fresh", "deadline", "max_cost", "other"])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\xff\xfe", "not valid UTF-8"),
        (b'{"request": "\\ud800"}', "not text"),
        (b'{"request": "nul \\u0000"}', "not text"),
        (b'{"request": "x", "plan": [{"a\\u0000": 1}]}', "not text"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"request": "x", "plan": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
        (b'{"request": "x", "deadline": 1e999}', "not JSON"),
        (b'{"request": "x", "deadline": NaN}', "not JSON"),
        (b'{"request": "x", "deadline": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"request": "x", "request": "y"}', "'request' appears twice"),
        (b'{"request": "x", "plan": [{"task": "a", "task": "b"}]}', "'task' appears twice"),
        (b'{"request": "x", "plan": [{"args": ' + b"[" * 50 + b"]" * 50 + b"}]}", "nested deeper than"),
        (b'{"request": "x", "plan": [{"id": 1' + b"0" * 30 + b"}]}", "too large"),
        (b'{"request": "x", "' + b"a" * 5000 + b'": 1}', "not permitted"),
        (b'"x"', "not a JSON object"),
    ],
)
def test_a_broken_line_is_refused_in_one_sentence(line: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parse_submission(line)
    assert len(refused.value.message) < 300


def test_a_line_may_begin_with_a_byte_order_mark_and_hold_every_script() -> None:
    text = "Résumé 字 😀 مرحبا"
    line = "\ufeff" + json.dumps({"request": text}, ensure_ascii=False)
    assert parse_submission(line.encode()).request == text


@given(st.dictionaries(fields, values, max_size=5), st.booleans())
def test_a_line_is_taken_or_refused(content: dict[str, object], escaped: bool) -> None:
    line = json.dumps({"request": "Read it"} | content, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    try:
        submission = parse_submission(line)
    except UsageError as error:
        assert error.message.encode()
    else:
        assert json.loads(submission.model_dump_json())["request"] == submission.request


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused(line: bytes) -> None:
    try:
        parse_submission(line)
    except UsageError as error:
        assert error.message


@given(st.lists(st.dictionaries(anything, values, max_size=3), max_size=3))
def test_a_given_plan_can_be_kept_or_is_refused(plan: list[dict[str, object]]) -> None:
    try:
        options = RequestOptions(plan=plan)
    except ValidationError:
        return
    assert "\x00" not in str(options.plan)
    assert RequestOptions.model_validate_json(options.model_dump_json()) == options


@pytest.fixture
def services() -> Iterator[None]:
    reset()
    yield
    reset()


def submitted(start: Start | None = None, id: str = "mine") -> Submitted:
    return submit(Submission(request="Read it", id=id), get_settings(), get_store(), get_trace(), start)


def test_a_submitted_request_is_started_until_it_has_ended(services: None) -> None:
    started: list[tuple[str, str]] = []

    def start(request_id: str, text: str) -> str:
        started.append((request_id, text))
        return f"run-{len(started)}"

    assert submitted() == Submitted("mine", new=True)
    assert submitted(start) == Submitted("mine", new=False, flow_run_id="run-1")
    assert submitted(start, "other") == Submitted("other", new=True, flow_run_id="run-2")
    get_trace().lifecycle.cancel("mine", "Not wanted any more.")
    assert submitted(start) == Submitted("mine", new=False)
    assert started == [("mine", "Read it"), ("other", "Read it")]


@pytest.mark.parametrize("error", [ConfigurationError, OrchestratorUnavailableError])
def test_a_request_that_cannot_be_started_waits_in_line(services: None, error: type[Exception]) -> None:
    def start(request_id: str, text: str) -> str:
        raise error("Prefect is away.")

    assert submitted(start) == Submitted("mine", new=True, obstacle="Prefect is away.")
    assert get_trace().requests.get("mine").status == RequestStatus.QUEUED


def test_what_is_no_obstacle_of_prefect_is_raised(services: None) -> None:
    def start(request_id: str, text: str) -> str:
        raise RequestClosedError("It is given up.")

    with pytest.raises(RequestClosedError):
        submitted(start)
