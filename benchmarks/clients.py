"""Many clients of the HTTP service, while it and a flow worker are killed: nothing is lost, nothing is done twice.

    python -m benchmarks.clients [--clients 50] [--seconds 120] [--quiet 50]

Everything is one real `hugginggpt up`. Each client sends one request after the other with its file, follows its events
to the end, and fetches what was made. Two of three requests are the same document question, whose answer is cached; the
third draws the edges of a picture that nobody has sent before. After a third of the time the service is ended by
SIGKILL, after two thirds a flow worker and every process that answers a request; `up` starts them again, and what was
at work is resumed. A client that loses its connection, or is told to come later, tries again with the same idempotency
key, as docs/http.md says.

Before that, one client alone sends the cached request again and again, which gives the figures of a quiet service.

Printed as JSON: seconds per request (p50, p95), calls that had to be repeated, lives of the requests, tasks done more
than once, and the largest memory of the service and of all processes. The exit code is 1 if a request was lost, was
answered twice or not completed, if a file was not what its hash says, or if nothing was resumed.
"""

import argparse
import asyncio
import hashlib
import io
import json
import os
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import psutil

from apps.up.processes import running
from benchmarks.answered import at_work, completions, numbers_of_lives, times_finished
from benchmarks.commands import QUESTION, environment, seconds_of
from benchmarks.memory import megabytes
from benchmarks.queued_requests import EDGES, noise
from hugginggpt import up_state
from hugginggpt.up_state import Up
from tests.servers import free_port

MOST_SECONDS = 600.0
"""How long a client tries to get one request answered."""
SERVICE_MEGABYTES = 300.0
"""More than the service, which keeps no answers, may need for 50 clients."""
LOOK_SECONDS = 2.0
PARTS = ("service", "flow-worker-1")
"""In the order in which they are killed."""
TIMEOUT = httpx.Timeout(60.0)

T = TypeVar("T")


@dataclass
class Met:
    """What the clients have met with.

    Attributes:
        seconds: how long each request took, from its first byte to its last file; by whether its answer is cached.
        repeated: how often a call had to be repeated, by its reason.
        ids: the id of each request.
        wrong: what should not have happened.
    """

    seconds: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    repeated: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Client:
    """Somebody with the owner's key.

    Args:
        http: the connections.
        met: where to note what happens.
        number: who this is.
    """

    def __init__(self, http: httpx.AsyncClient, met: Met, number: int) -> None:
        self._http, self._met = http, met
        self._random = np.random.default_rng(number)

    async def work(self, until: float) -> None:
        """Send requests until a time has come, and end with the last one's answer."""
        sent = 0
        while time.monotonic() < until:
            sent += 1
            await self.ask(cached=sent % 3 != 0)

    async def ask(self, *, cached: bool) -> None:
        """Send a request, follow it to its end, and fetch what was made."""
        id_ = str(uuid.uuid4())
        self._met.ids.append(id_)
        began = time.monotonic()
        if cached:
            form, file = {"request": QUESTION[1]}, ("invoice.png", Path(QUESTION[3]).read_bytes())
        else:
            form = {"request": "Draw the edges of this picture", "options": json.dumps({"plan": [EDGES]})}
            file = ("picture.png", self._picture())
        async with asyncio.timeout(MOST_SECONDS):
            await self._again(partial(self._create, id_, form, file))
            report = await self._again(partial(self._report, id_))
            made = [output for task in report["tasks"] for output in task["outputs"] if output["path"]]
            for output in made:
                data = await self._again(partial(self._fetch, output["path"]))
                if hashlib.sha256(data).hexdigest() != output["sha256"]:
                    self._met.wrong.append(f"{output['path']} is another file")
        if report["status"] != "completed" or not (made or cached):
            self._met.wrong.append(f"{id_}: {report}")
        self._met.seconds[cached].append(time.monotonic() - began)

    async def _create(self, id_: str, form: dict[str, str], file: tuple[str, bytes]) -> bool | None:
        """Create a request; None if that has to be tried again."""
        headers = {"Idempotency-Key": id_}
        answer = await self._http.post("/api/v1/requests", data=form, files={"files": file}, headers=headers)
        return True if await self._is_taken(answer) else None

    async def _report(self, id_: str) -> dict[str, Any] | None:
        """Follow a request to its report; None if that has to be tried again."""
        async with self._http.stream("GET", f"/api/v1/requests/{id_}/events") as answer:
            if not await self._is_taken(answer):
                return None
            kind = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and kind != "progress":
                    found: dict[str, Any] = json.loads(value)
                    return found["report"] if kind == "ended" else {"status": value, "tasks": []}
        self._met.repeated["the stream ended early"] += 1
        return None

    async def _fetch(self, url: str) -> bytes | None:
        """A file; None if that has to be tried again."""
        answer = await self._http.get(url)
        return answer.content if await self._is_taken(answer) else None

    async def _is_taken(self, answer: httpx.Response) -> bool:
        """Whether a call was taken; if it was not, wait as long as the service wants."""
        if answer.is_success:
            return True
        await answer.aread()
        if answer.status_code not in (429, 503):
            raise RuntimeError(f"HTTP {answer.status_code}: {answer.text}")
        self._met.repeated[f"HTTP {answer.status_code}"] += 1
        await asyncio.sleep(float(answer.headers["Retry-After"]))
        return False

    async def _again(self, call: Callable[[], Awaitable[T | None]]) -> T:
        """Repeat a call until it gives something, as often as the connection is lost."""
        while True:
            try:
                found = await call()
            except httpx.TransportError as error:
                self._met.repeated[type(error).__name__] += 1
                await asyncio.sleep(1)
            else:
                if found is not None:
                    return found

    def _picture(self) -> bytes:
        buffer = io.BytesIO()
        noise(self._random).save(buffer, "PNG")
        return buffer.getvalue()


@dataclass
class Watched:
    """What was seen of an installation while clients used it.

    Attributes:
        service: megabytes of the service at each look.
        all: the same of all its processes.
        killed: the parts that were killed while requests were at work.
    """

    service: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)


def main() -> None:
    """Run the check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--quiet", type=int, default=50, help="how many requests are sent by one client alone")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ.update({"HUGGINGGPT_HOME": f"{folder}/.hugginggpt"} | environment(Path(folder)))
        ports = ("--port", str(free_port()), "--service-port", str(free_port()), "--expert-workers", "0")
        seconds_of(Path(folder), "up", "--detach", *ports)
        try:
            figures = asyncio.run(_used(wanted.clients, wanted.seconds, wanted.quiet))
        finally:
            seconds_of(Path(folder), "down")
    print(json.dumps(vars(wanted) | figures, indent=1))
    sys.exit(bool(figures["wrong"]))


async def _used(clients: int, seconds: float, quiet: int) -> dict[str, Any]:
    """Have an installation used by one client, and then by many."""
    home = Path(os.environ["HUGGINGGPT_HOME"])
    up = up_state.read(home)
    assert up is not None
    alone, together, watched = Met(), Met(), Watched()
    headers = {"Authorization": f"Bearer {(home / 'api.key').read_text().strip()}"}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=up.page_url, headers=headers, timeout=TIMEOUT, limits=limits) as http:
        client = Client(http, alone, 0)
        for _ in range(quiet + 1):
            await client.ask(cached=True)
        until = time.monotonic() + seconds
        watching = asyncio.create_task(_watch(home, seconds, watched))
        began = time.monotonic()
        await asyncio.gather(*(Client(http, together, number).work(until) for number in range(clients)))
        took = time.monotonic() - began
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    wrong = (
        alone.wrong + together.wrong + [f"the {part} was not killed" for part in PARTS if part not in watched.killed]
    )
    if max(watched.service) > SERVICE_MEGABYTES:
        wrong.append("the service takes too much memory")
    return {
        "alone, cached": _percentiles(alone.seconds[True][1:]),
        "together, cached": _percentiles(together.seconds[True]),
        "together, fresh": _percentiles(together.seconds[False]),
        "requests": len(together.ids),
        "per_minute": round(60 * len(together.ids) / took, 1),
        "repeated": dict(together.repeated),
        "killed": watched.killed,
        "megabytes of the service": _spread(watched.service),
        "megabytes of all": _spread(watched.all),
        **_kept(alone.ids + together.ids, wrong),
    }


async def _watch(home: Path, seconds: float, watched: Watched) -> None:
    """Look at the memory now and then, and kill a part after each third of the time."""
    began = time.monotonic()
    while True:
        up = up_state.read(home)
        assert up is not None
        service, all_ = await asyncio.to_thread(_megabytes, up)
        watched.service.append(service)
        watched.all.append(all_)
        if len(watched.killed) < len(PARTS) and time.monotonic() > began + seconds * (len(watched.killed) + 1) / 3:
            part = PARTS[len(watched.killed)]
            others = [] if part == "service" else await asyncio.to_thread(at_work)
            if part == "service" or others:
                for victim in (up.parts[part], *others):
                    with suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)
                watched.killed.append(part)
        await asyncio.sleep(LOOK_SECONDS)


def _megabytes(up: Up) -> tuple[float, float]:
    """Of the service itself, and of all processes of an `up`."""
    service = total = 0.0
    for process in running(up.mark, ""):
        with suppress(psutil.Error):
            size = megabytes(process)
            total += size
            service += size if process.pid == up.parts["service"] else 0.0
    return service, total


def _kept(ids: list[str], wrong: list[str]) -> dict[str, Any]:
    """Compare what was sent with the trace."""
    from hugginggpt.services import get_trace

    trace = get_trace()
    stories = [trace.requests.get(summary.request_id) for summary in trace.requests.latest(2 * len(ids))]
    lost = set(ids) - {story.request_id for story in stories if story.finished_at is not None}
    finished, done = [times_finished(story) for story in stories], completions(stories)
    wrong = [
        *wrong,
        *(f"{id_} is lost" for id_ in lost),
        *(
            f"{story.request_id} was answered {times} times"
            for story, times in zip(stories, finished, strict=True)
            if times != 1
        ),
    ]
    if all(len(story.lives) == 1 for story in stories):
        wrong.append("nothing was at work when the flow worker was killed")
    if len(stories) != len(ids):
        wrong.append(f"{len(stories)} requests in the trace")
    return {
        "lives": numbers_of_lives(stories),
        "tasks": sum(done),
        "tasks_done_again": sum(times > 1 for times in done),
        "wrong": wrong,
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    found = np.percentile(seconds, [50, 95, 100]) if seconds else [0.0, 0.0, 0.0]
    return {"requests": len(seconds)} | {
        name: round(float(at), 2) for name, at in zip(("p50", "p95", "max"), found, strict=True)
    }


def _spread(megabytes: list[float]) -> dict[str, int]:
    quarter = max(1, len(megabytes) // 4)
    return {
        "first quarter": round(max(megabytes[:quarter])),
        "last quarter": round(max(megabytes[-quarter:])),
        "most": round(max(megabytes)),
    }


if __name__ == "__main__":
    main()
