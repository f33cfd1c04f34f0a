"""What the way of a task costs: flows of many independent tasks that do nothing, and bare Prefect with as many.

    python -m benchmarks.fan_out

Both run in this process and report to the same server, on its default database, and take turns. Ours plans (the plan
is given), chooses a model for each task, runs its expert, keeps the results and shows them, and answers. Heartbeats are
off for both: bare Prefect waits up to a second for them, ours does not.
"""

import itertools
import time
from collections.abc import Callable
from statistics import median

from benchmarks.rows import Row, main
from benchmarks.waiting import answer, bare_flow, home

TARGETS = {12: 4.0, 50: 2.0}
ROUNDS = 5
SETTLING_SECONDS = 2.0
"""Seconds after each flow, in which Prefect's server takes in what the flow has sent it."""


def measure() -> list[Row]:
    """Run both, and compare the medians."""
    with home():
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        bare, fresh = bare_flow(), itertools.count()

        def ours(tasks: int) -> None:
            answer(tasks, next(fresh))

        def seconds_of(work: Callable[[int], object], tasks: int) -> float:
            began = time.perf_counter()
            work(tasks)
            seconds = time.perf_counter() - began
            time.sleep(SETTLING_SECONDS)
            return seconds

        rows = []
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            for work in (bare, ours):
                seconds_of(work, 1)  # opens everything
            for tasks, target in TARGETS.items():
                rounds = [(seconds_of(bare, tasks), seconds_of(ours, tasks)) for _ in range(ROUNDS)]
                theirs, mine = (median(times) for times in zip(*rounds, strict=True))
                what = f"a flow of {tasks} tasks that do nothing / bare Prefect"
                rows.append(Row(what, mine / theirs, target, details=f"{mine:.2f} s; {theirs:.2f} s"))
        return rows


if __name__ == "__main__":
    main(measure)
