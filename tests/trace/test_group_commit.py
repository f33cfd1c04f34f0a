"""Threads that record something at the same time share a transaction, and nothing else."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hugginggpt.errors import DatabaseUnavailableError, TraceError
from hugginggpt.trace.group_commit import GroupCommit
from hugginggpt.trace.store import Trace
from tests.trace.samples import candidate, planned, run_of


class Doubling:
    """Commits numbers as their doubles. The first transaction lasts until all others wait for the next one."""

    def __init__(self, others: int, *, away: bool = False) -> None:
        self.transactions: list[list[int]] = []
        self.others, self.away = others, away
        self.group: GroupCommit[int, int] = GroupCommit()
        self.first_is_in = threading.Event()

    def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.transactions.append(list(items))
        if len(self.transactions) == 1:
            self.first_is_in.set()
            while len(self.group._waiting) < 1 + self.others:
                threading.Event().wait(0.001)
            return [2 * items[0]]
        if self.away:
            raise DatabaseUnavailableError("It is away.")
        if 13 in items:
            raise TraceError("It refuses 13.")
        return [2 * item for item in items]


def outcomes(doubling: Doubling, first: int, others: Sequence[int]) -> list[int | BaseException]:
    """What came of the first and of the others, which come while the first is at work."""
    with ThreadPoolExecutor(1 + len(others)) as threads:
        futures = [threads.submit(doubling.group.commit, first, doubling)]
        doubling.first_is_in.wait()
        futures += [threads.submit(doubling.group.commit, item, doubling) for item in others]
        return [future.exception() or future.result() for future in futures]


def test_who_comes_while_another_is_at_work_shares_the_next_transaction() -> None:
    doubling = Doubling(3)
    assert outcomes(doubling, 1, [2, 3, 4]) == [2, 4, 6, 8]
    assert [sorted(items) for items in doubling.transactions] == [[1], [2, 3, 4]]


def test_one_that_is_refused_does_not_take_the_others_with_it() -> None:
    first, *others = outcomes(Doubling(3), 1, [2, 13, 4])
    assert (first, others[0], others[2]) == (2, 4, 8) and isinstance(others[1], TraceError)


def test_a_database_that_is_away_is_asked_once_for_all() -> None:
    doubling = Doubling(3, away=True)
    _, *others = outcomes(doubling, 1, [2, 3, 4])
    assert all(isinstance(other, DatabaseUnavailableError) for other in others) and len(doubling.transactions) == 2


def test_experts_that_begin_together_get_an_attempt_each_of_their_own_model(trace: Trace) -> None:
    opened = planned(trace)

    def start(task_id: int) -> int:
        model = candidate(f"model/{task_id}")
        return run_of(trace, opened.request_id, 1).start_attempt(task_id, model, run_count=1)

    with ThreadPoolExecutor(12) as threads:
        unknown = threads.submit(start, 99)
        attempts = list(threads.map(start, [0, 1, 2] * 8))
        assert isinstance(unknown.exception(), TraceError)
    assert len(set(attempts)) == 24
    for task in trace.requests.get(opened.request_id).tasks:
        assert [attempt.model for attempt in task.attempts] == [f"model/{task.id}"] * 8
