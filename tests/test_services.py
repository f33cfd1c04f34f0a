"""The long-lived parts of a process."""

import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hugginggpt.services import get_catalog, get_controller, get_store, get_trace, reset


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    reset()
    yield
    reset()


EACH = pytest.mark.parametrize("get", [get_trace, get_store, get_controller, get_catalog])


@EACH
def test_threads_that_ask_first_all_at_once_are_given_the_same(get: Callable[[], object]) -> None:
    at_once = threading.Barrier(8)

    def ask() -> object:
        at_once.wait()
        return get()

    with ThreadPoolExecutor(max_workers=8) as threads:
        given = [asked.result() for asked in [threads.submit(ask) for _ in range(8)]]
    assert len({id(part) for part in given}) == 1


@EACH
def test_another_process_is_told_of_them_by_name(get: Callable[[], object]) -> None:
    assert pickle.loads(pickle.dumps(get)) is get


def test_after_a_reset_they_are_opened_anew() -> None:
    before = get_trace(), get_controller(), get_store(), get_catalog()
    reset()
    after = get_trace(), get_controller(), get_store(), get_catalog()
    assert all(old is not new for old, new in zip(before, after, strict=True))
