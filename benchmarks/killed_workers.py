"""Requests in line while workers are killed: each is answered exactly once.

    python -m benchmarks.killed_workers [--database sqlite|postgresql] [--requests 200] [--flow-workers 2] \\
        [--expert-workers 2] [--kills 2]

Everything is real and on loopback: Prefect's server, a Dask scheduler, expert workers, flow workers, and the schedule's
flow, here begun every few seconds. The controller is a scripted stand-in, the plan of each request has two tasks on a
picture of its own. One worker of each kind is ended by SIGKILL with all that it started, as often as is said, and
started again ten seconds later.

Printed: requests per minute, how many lives the requests had, and how many tasks were done more than once. The exit
code is 1 if a request was not answered once, or if all were answered before the workers were killed so often.
"""

import argparse
import json
import sys
import time
from collections import Counter

from benchmarks.answered import at_work, completions, numbers_of_lives, times_finished
from benchmarks.installation import Part, installation
from benchmarks.queued_requests import EDGES, put_in_line

PLAN = [EDGES, {"task": "hed-control", "id": 1, "dep": [0], "args": {"image": "<GENERATED>-0"}}]
DOWN_SECONDS = 10.0
"""How long a killed worker is away."""
LOOK_SECONDS = 3.0


def main() -> None:
    """Run the check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--flow-workers", type=int, default=2)
    parser.add_argument("--expert-workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=2, help="how often one worker of each kind is killed")
    wanted = parser.parse_args()
    with installation(wanted.database, experts=bool(wanted.expert_workers)) as here:
        put_in_line(wanted.requests, plan=PLAN)
        experts = here.expert_workers(wanted.expert_workers) if wanted.expert_workers else []
        flows = [here.flow_worker(f"flow-{number}") for number in range(wanted.flow_workers)]
        began = time.monotonic()
        killed = _answer(wanted.requests, [flows[0], *experts[:1]], wanted.kills)
        seconds = time.monotonic() - began
        measured = {
            "killed": killed,
            "seconds": round(seconds, 1),
            "per_minute": round(60 * wanted.requests / seconds, 1),
        }
        figures = _figures(wanted.requests) | measured
    print(json.dumps(vars(wanted) | figures))
    sys.exit(not figures["answered_once"] or killed < wanted.kills)


def _answer(count: int, victims: list[Part], kills: int) -> int:
    """Have what waits started every few seconds, until everything is answered; return how often workers were killed."""
    from flows.queue import answer_queued
    from hugginggpt.services import get_trace

    killed, back_at = 0, 0.0
    while True:
        answer_queued()
        done = sum(story.finished_at is not None for story in get_trace().requests.latest(count))
        print(f"\r{done} of {count} answered, {killed} times killed", end="", file=sys.stderr, flush=True)
        if back_at and time.monotonic() > back_at:
            for victim in victims:
                victim.start()
            back_at = 0.0
        if done == count and not back_at:
            print(file=sys.stderr)
            return killed
        due = not back_at and killed < kills and done >= count * (killed + 1) // (kills + 2)
        if due and _is_at_work(victims[0]):
            for victim in victims:
                victim.kill()
            killed, back_at = killed + 1, time.monotonic() + DOWN_SECONDS
        time.sleep(LOOK_SECONDS)


def _is_at_work(flow_worker: Part) -> bool:
    """Whether a request is in the hands of a process that a flow worker started."""
    return not {process.pid for process in flow_worker.processes}.isdisjoint(at_work())


def _figures(count: int) -> dict[str, object]:
    from hugginggpt.services import get_trace

    trace = get_trace()
    stories = [trace.requests.get(summary.request_id) for summary in trace.requests.latest(count)]
    times = completions(stories)
    return {
        "status": dict(Counter(str(story.status) for story in stories)),
        "answered_once": all(times_finished(story) == 1 for story in stories),
        "lives": numbers_of_lives(stories),
        "tasks": len(times),
        "tasks_done_again": sum(count > 1 for count in times),
    }


if __name__ == "__main__":
    main()
