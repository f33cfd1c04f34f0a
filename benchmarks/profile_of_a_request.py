"""Where the time of a request goes: what a flow of 12 tasks costs beside a bare one, and its calls of Prefect's API.

    python -m benchmarks.profile_of_a_request

The experts do nothing. Each flow runs in this process, which has everything imported. First comes a table, then each
call of Prefect's API in one flow with one task that is cached: when it began, how long it took, and what it was. Calls
that are made in the background, which nobody waits for, are among them. No more than a look: the times are of one run,
and counting takes some, too.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from benchmarks.waiting import answer, bare_flow, home

TASKS = 12
STARTED_SECONDS = 14.0
"""Seconds until the server has given back the memory of its start, which takes it a third of a second."""
SETTLING_SECONDS = 2.0
_NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass
class Cost:
    """What one flow costs.

    Attributes:
        seconds: how long it took.
        processor: processor time of this process, in seconds.
        server: processor time of Prefect's server, in seconds, until it has taken in what the flow has sent it.
        calls: each call of Prefect's API: when it began and how long it took, in seconds, and what it was.
        transactions: the number of transactions on the trace.
        writes: how many of them may write.
    """

    seconds: float = 0.0
    processor: float = 0.0
    server: float = 0.0
    calls: list[tuple[float, float, str]] = field(default_factory=list)
    transactions: int = 0
    writes: int = 0


@contextmanager
def counting_calls(cost: Cost) -> Iterator[None]:
    """Note every request that a client in this process sends to Prefect's server."""
    send, asend, began, lock = httpx.Client.send, httpx.AsyncClient.send, time.perf_counter(), threading.Lock()

    def note(request: httpx.Request, start: float) -> None:
        what = f"{request.method} {_NAMES.sub('ID', request.url.path.removeprefix('/api'))}"
        with lock:
            cost.calls.append((start - began, time.perf_counter() - start, what))

    def counted(client: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        start = time.perf_counter()
        try:
            return send(client, request, **more)
        finally:
            if "/api/" in request.url.path:
                note(request, start)

    async def acounted(client: httpx.AsyncClient, request: httpx.Request, **more: Any) -> httpx.Response:
        start = time.perf_counter()
        try:
            return await asend(client, request, **more)
        finally:
            note(request, start)

    httpx.Client.send, httpx.AsyncClient.send = counted, acounted  # type: ignore[method-assign]
    try:
        yield
    finally:
        httpx.Client.send, httpx.AsyncClient.send = send, asend  # type: ignore[method-assign]


@contextmanager
def counting_transactions(cost: Cost) -> Iterator[None]:
    """Count the transactions on the trace."""
    from hugginggpt.trace.database import Database

    reading, writing = Database.reading, Database.writing

    def counted(of: Callable[..., Any], writes: int) -> Callable[..., Any]:
        def count(database: Database) -> Any:
            cost.transactions += 1
            cost.writes += writes
            return of(database)

        return count

    Database.reading, Database.writing = counted(reading, 0), counted(writing, 1)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Database.reading, Database.writing = reading, writing  # type: ignore[method-assign]


def main() -> None:
    """Print the table and the calls."""
    with home():
        time.sleep(STARTED_SECONDS)
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        (server,) = psutil.Process().children()
        bare, fresh = bare_flow(), itertools.count()

        def cost_of(work: Callable[..., object], *given: int) -> Cost:
            cost = Cost()
            times = server.cpu_times()
            with counting_calls(cost), counting_transactions(cost):
                began, spent = time.perf_counter(), time.process_time()
                work(*given)
                cost.seconds, cost.processor = time.perf_counter() - began, time.process_time() - spent
            time.sleep(SETTLING_SECONDS)
            after = server.cpu_times()
            cost.server = after.user + after.system - times.user - times.system
            return cost

        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            for work, given in ((bare, (1,)), (answer, (1, next(fresh)))):
                cost_of(work, *given)  # opens everything
            plain = cost_of(bare, TASKS)
            number = next(fresh)
            new, again = cost_of(answer, TASKS, number), cost_of(answer, TASKS, number)
            one = next(fresh)
            cost_of(answer, 1, one)
            cached = cost_of(answer, 1, one)
    print(table({"bare": plain, "fresh": new, "cached": again}))
    print(f"\nOne cached task, {cached.seconds:.2f} s:\n")
    for start, seconds, what in sorted(cached.calls):
        print(f"    {start:6.3f}  {seconds:.3f}  {what}")


def table(costs: dict[str, Cost]) -> str:
    """The costs as a Markdown table, a column each."""
    rows: dict[str, Callable[[Cost], str]] = {
        "seconds": lambda cost: f"{cost.seconds:.2f}",
        "processor time of the flow's process, s": lambda cost: f"{cost.processor:.2f}",
        "processor time of Prefect's server, s": lambda cost: f"{cost.server:.2f}",
        "calls of Prefect's API": lambda cost: f"{len(cost.calls)}",
        "transactions on the trace (of these, writes)": lambda cost: f"{cost.transactions} ({cost.writes})",
    }
    lines = [f"| a flow of {TASKS} tasks | {' | '.join(costs)} |", f"| --- |{' --- |' * len(costs)}"]
    lines += [f"| {what} | {' | '.join(map(say, costs.values()))} |" for what, say in rows.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
