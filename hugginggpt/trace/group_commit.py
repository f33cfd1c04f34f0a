"""Group commit: what several threads record at the same time is committed in one transaction."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from hugginggpt.errors import DatabaseUnavailableError

Item = TypeVar("Item")
Made = TypeVar("Made")


class GroupCommit(Generic[Item, Made]):
    """Commits items of one sort. The first comer does not wait; who comes meanwhile shares the next transaction."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._waiting: deque[tuple[Item, Future[Made]]] = deque()

    def commit(self, item: Item, commit_all: Callable[[Sequence[Item]], Sequence[Made]]) -> Made:
        """Commit an item; return what came of it, once it is durable.

        Args:
            item: what to commit.
            commit_all: commits items in one transaction, and returns what came of each. If it refuses some of them, it
                is called again for each alone.

        Raises:
            Exception: whatever `commit_all` raises about the item.
        """
        mine: Future[Made] = Future()
        self._waiting.append((item, mine))
        with self._turn:
            if not mine.done():
                batch = list(self._waiting)
                try:
                    _commit(batch, commit_all)
                except BaseException as error:  # this process is being stopped
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                    raise
                finally:
                    for _ in batch:
                        self._waiting.popleft()
        return mine.result()


def _commit(
    batch: Sequence[tuple[Item, "Future[Made]"]], commit_all: Callable[[Sequence[Item]], Sequence[Made]]
) -> None:
    try:
        made = commit_all([item for item, _ in batch])
    except Exception as error:
        # A database that is away is away for each of them.
        if len(batch) > 1 and not isinstance(error, DatabaseUnavailableError):
            for one in batch:
                _commit([one], commit_all)
            return
        for _, future in batch:
            future.set_exception(error)
    else:
        for (_, future), one_made in zip(batch, made, strict=True):
            future.set_result(one_made)
