"""The work that the service has done: each job in a fork, with a pipe by which it tells how far it has come."""

import asyncio
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from apps.http import jobs
from apps.http.events import Failed
from apps.up.forks import Fork, Forks
from hugginggpt.errors import rebuilt

ENDED_UNEXPECTEDLY: Failed = {
    "type": "HuggingGPTError",
    "message": "The process that worked on it ended unexpectedly: see the service's log.",
    "begun": False,
}

KEPT_SECONDS = 60.0
"""How long the service remembers how a job ended."""

MOST_JOBS = 4
"""So many jobs of one sort run at once, besides those that answer requests: each takes some ten megabytes."""

Job = Callable[..., None]


@dataclass
class Running:
    """A job that runs.

    Attributes:
        taken: what it told when it had begun, or why it failed before; set then.
        over: why it failed, None if it did not; set when it has ended.
    """

    process: Fork
    taken: "asyncio.Future[Any]"
    over: "asyncio.Future[Failed | None]"
    messages: dict[str, Any] = field(default_factory=dict)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if not self.over.done():
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


class Work:
    """The jobs of a service.

    Attributes:
        is_stopping: whether the service is about to end, so that clients which go away may not have chosen to.

    Args:
        folder: where each job gets a working folder.
        forks: starts their processes.
    """

    def __init__(self, folder: Path, forks: Forks) -> None:
        self._folder = folder
        self._forks = forks
        self._forking = asyncio.Lock()
        self._turns: defaultdict[Job, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MOST_JOBS))
        self._answering: dict[str, Running] = {}
        self._running: dict[asyncio.Task[None], Running] = {}
        """By the task that watches it."""
        self._stopped: list[Fork] = []
        self.is_stopping = False

    @property
    def folder(self) -> Path:
        """A folder for what is gone when the service ends."""
        return self._folder

    async def answer(self, asked: dict[str, Any], sent: jobs.Sender, most: int | None = None) -> bool:
        """Begin to answer a request unless that has begun here already, and return once it has begun.

        Args:
            asked: the request, as JSON data of a `Submission` with an id.
            sent: where it comes from.
            most: how many requests may be answered here at once; None for any number.

        Returns:
            False if as many are being answered, so that it was not begun.

        Raises:
            HuggingGPTError: it cannot begin.
        """
        async with self._forking:
            running = self._answering.get(asked["id"])
            if running is None or running.over.done():
                if most is not None and sum(not one.over.done() for one in self._answering.values()) >= most:
                    return False
                running = await self._begin(jobs.answer, asked, sent, request_id=asked["id"])
        await _value(running.taken)
        return True

    async def do(
        self, job: Job, *arguments: Any, unless: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> dict[str, Any]:
        """Do a job when it is its turn, and return what it told.

        Args:
            job: the job, which is stopped if whoever waits for it is cancelled.
            arguments: its arguments.
            unless: returns when nobody wants the job any more, which is then stopped.

        Raises:
            HuggingGPTError: it failed.
        """
        async with self._turns[job]:
            async with self._forking:
                running = await self._begin(job, *arguments)
            if unless is not None:
                other = asyncio.create_task(unless())
                ends: list[asyncio.Future[Any]] = [running.over, other]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                other.cancel()
                running.signal(signal.SIGINT)
            try:
                failed = await asyncio.shield(running.over)
            except asyncio.CancelledError:
                running.signal(signal.SIGINT)
                raise
            if failed is not None:
                raise rebuilt(failed["type"], failed["message"])
            return running.messages

    def answering(self, request_id: str) -> Running | None:
        """The job that answers a request, or did so until just now; None if there is none in this service."""
        return self._answering.get(request_id)

    async def interrupt(self, request_id: str) -> bool:
        """Stop the job that answers a request, and wait until it has ended; return whether there was one."""
        async with self._forking:
            running = self._answering.get(request_id)
        if running is None:
            return False
        running.signal(signal.SIGINT)
        await asyncio.wait([running.over])
        return True

    def stop(self) -> None:
        """Ask all jobs to stop, so that their clients do not wait for them when the service is to stop."""
        self.is_stopping = True
        self._stopped = [running.process for running in self._running.values()]
        for running in self._running.values():
            running.signal(signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Wait for the jobs that were asked to stop; return whether all have ended."""
        deadline = time.monotonic() + seconds
        for process in self._stopped:
            if process.fileno() >= 0:
                if not select.select([process], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    return False
                process.join()
        return True

    async def _begin(self, job: Job, *arguments: Any, request_id: str | None = None) -> Running:
        """Begin a job. Its caller holds the lock, so that nobody misses a job that is just being begun."""
        ours, theirs = Pipe(duplex=False)
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=self._folder))
        with theirs:
            process = await asyncio.to_thread(self._forks.fork, job, *arguments, folder=folder, connection=theirs)
        loop = asyncio.get_running_loop()
        running = Running(process, taken=loop.create_future(), over=loop.create_future())
        if request_id is not None:
            self._answering[request_id] = running
        task = asyncio.create_task(self._watch(running, ours, folder, request_id))
        self._running[task] = running
        task.add_done_callback(self._running.pop)
        return running

    async def _watch(self, running: Running, connection: Connection, folder: Path, request_id: str | None) -> None:
        """Take what a job tells until it has ended, and clean up after it."""
        failed: Failed | None = ENDED_UNEXPECTEDLY
        with connection:
            while True:
                try:
                    await _readable(connection.fileno())
                    name, content = json.loads(connection.recv_bytes())
                except (EOFError, OSError):
                    break
                if name in ("done", "failed"):
                    failed = content
                    break
                running.messages[name] = content
                if name == "taken":
                    running.taken.set_result(None)
        running.over.set_result(failed)
        if not running.taken.done():
            running.taken.set_result(failed)
        await _readable(running.process.fileno())
        running.process.join()
        if request_id is not None:
            # Its client may be about to ask how it ended.
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, request_id, running)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _forget(self, request_id: str, running: Running) -> None:
        if self._answering.get(request_id) is running:
            del self._answering[request_id]


async def _value(taken: "asyncio.Future[Any]") -> None:
    failed = await asyncio.shield(taken)
    if failed is not None:
        raise rebuilt(failed["type"], failed["message"])


async def _readable(descriptor: int) -> None:
    """Wait until a pipe has something to read, or is closed."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
