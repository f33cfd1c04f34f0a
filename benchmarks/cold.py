"""`ask` where nothing is up, against a bare `prefect server start`: what a user waits who has started nothing.

    python -m benchmarks.cold

Both have homes of their own and take turns: first new homes, where the server creates its database and the answer has
to be found, then the same homes again, where the answer is in the cache.
"""

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.commands import QUESTION, seconds_of, seconds_of_bare_start
from benchmarks.rows import Row, main

NEW_ROUNDS, ROUNDS = 2, 5
TARGET = 1.4


def measure() -> list[Row]:
    """Measure both; takes one or two minutes."""
    new: list[tuple[float, float]] = []
    known: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for number in range(NEW_ROUNDS):
            bare, ours = Path(folder) / f"bare-{number}", Path(folder) / f"ours-{number}"
            bare.mkdir()
            ours.mkdir()
            new.append((seconds_of_bare_start(bare), seconds_of(ours, *QUESTION)))
        for _ in range(ROUNDS):
            known.append((seconds_of_bare_start(bare), seconds_of(ours, *QUESTION)))
    return [
        _row("`ask`, cached, nothing up / a bare server start, databases there", known),
        _row("the first `ask` in a new home / a bare server start in a new home", new),
    ]


def _row(what: str, pairs: list[tuple[float, float]]) -> Row:
    bare, ours = (median(seconds) for seconds in zip(*pairs, strict=True))
    return Row(what, ours / bare, TARGET, details=f"{ours:.1f} s / {bare:.1f} s")


if __name__ == "__main__":
    main(measure)
