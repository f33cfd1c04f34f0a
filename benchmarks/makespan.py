"""How much longer a plan takes than its longest chain of experts.

    python -m benchmarks.makespan

Random plans of one to six experts that wait for 0.3 to 1.0 seconds each run one after the other through
`answer_request` in this process, with Prefect's server on its default database. The bare thing is the plan's critical
path: what it takes if nothing but the experts took any time.
"""

import random
import time
from typing import Any

from benchmarks.rows import Row, main
from benchmarks.waiting import KIND, home

PLANS = 12
TARGET = 1.15

Planned = dict[str, Any]


def random_plan(number: int) -> tuple[list[Planned], float]:
    """A plan, always the same for a number, and the seconds of its critical path."""
    dice = random.Random(number)
    tasks: list[Planned] = []
    ends: list[float] = []
    for k in range(dice.randint(1, 6)):
        before = [other for other in range(k) if dice.random() < 0.4]
        seconds = round(dice.uniform(0.3, 1.0), 2)
        needed = "".join(f" <GENERATED>-{other}" for other in before)
        text = f"{seconds} in task {k} of plan {number}.{needed}"
        tasks.append({"task": KIND, "id": k, "dep": before or [-1], "args": {"text": text}})
        ends.append(seconds + max((ends[other] for other in before), default=0.0))
    return tasks, max(ends)


def measure() -> list[Row]:
    """Run the plans, and compare the sum of their times with the sum of their critical paths."""
    with home():
        from flows.answer import answer_request
        from hugginggpt.request import RequestOptions

        def seconds_of(plan: list[Planned]) -> float:
            began = time.perf_counter()
            state: Any = answer_request("Do it.", options=RequestOptions(plan=plan), return_state=True)
            seconds = time.perf_counter() - began
            assert state.name == "Completed", state.message
            return seconds

        seconds_of([{"task": KIND, "id": 0, "dep": [-1], "args": {"text": "once, to open everything"}}])
        plans = [random_plan(number) for number in range(PLANS)]
        took = [seconds_of(plan) for plan, _ in plans]
    critical = [path for _, path in plans]
    added = sorted(mine - path for mine, path in zip(took, critical, strict=True))
    details = (
        f"{sum(took):.1f} s for {sum(critical):.1f} s in {sum(len(plan) for plan, _ in plans)} tasks; "
        f"added to a plan: {added[0]:.2f} to {added[-1]:.2f} s, median {added[PLANS // 2]:.2f}"
    )
    return [Row("makespan of random plans / critical path", sum(took) / sum(critical), TARGET, details=details)]


if __name__ == "__main__":
    main(measure)
