"""Whether the tags of a task have limits is asked once a minute in a process, unless they have some."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from prefect import task_engine
from prefect.concurrency.services import _no_limits_cache

from tasks import tag_limits

ASKED: list[Sequence[str]] = []


@contextmanager
def prefects_own(names: Sequence[str], **how: Any) -> Iterator[None]:
    """What Prefect does; the tag `scarce` has a limit."""
    ASKED.append(names)
    if "tag:scarce" not in names:
        _no_limits_cache[frozenset(names)] = True
    yield


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(task_engine, "_concurrency", prefects_own)
    monkeypatch.setattr(tag_limits, "_unlimited", {})
    tag_limits.ask_for_tag_limits_seldom()
    ASKED.clear()
    yield
    _no_limits_cache.clear()


def run_twice(*names: str) -> int:
    """How often two task runs with these tags, one after the other, made Prefect ask."""
    for _ in range(2):
        with task_engine._concurrency(names=list(names), occupy=1):
            _no_limits_cache.clear()  # as after its five seconds
    return len(ASKED)


def test_tags_without_a_limit_are_asked_about_once() -> None:
    assert run_twice("tag:expert", "tag:image-to-text") == 1


def test_a_new_limit_is_noticed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_limits, "REMEMBERED_SECONDS", 0.0)
    assert run_twice("tag:expert", "tag:image-to-text") == 2


def test_tags_with_a_limit_take_a_slot_each_time() -> None:
    assert run_twice("tag:expert", "tag:scarce") == 2


def test_an_error_of_the_task_comes_through() -> None:
    with pytest.raises(ValueError, match="its own"), task_engine._concurrency(names=["tag:scarce"]):
        raise ValueError("its own")
