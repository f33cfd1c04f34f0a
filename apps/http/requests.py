"""What every door does with requests: begin them, look at them, follow them, stop them. The doors only translate."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from apps.http import jobs
from apps.http.addresses import Address, addresses, places_named
from apps.http.callers import Caller
from apps.http.events import Ended, Failed, Planned, Progress, Standing, Taken
from apps.http.standing import ended, headline, progress
from apps.http.work import ENDED_UNEXPECTEDLY, Running, Work
from hugginggpt import submission
from hugginggpt.artifacts import Artifact
from hugginggpt.errors import (
    ForbiddenError,
    HuggingGPTError,
    RequestIdError,
    TooManyRequestsError,
    TraceError,
    UsageError,
)
from hugginggpt.origin import Door, Origin
from hugginggpt.resources import referenced
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace
from hugginggpt.settings import get_settings
from hugginggpt.submission import Cancelled, Submission, Text, reopen
from hugginggpt.trace.story import RequestSummary, RequestTrace

LOOK_SECONDS = 0.1
"""Pause between two looks at the trace of a request that a client watches."""
LOOK_SECONDS_HERE = 0.25
"""The same while a process of this service answers it, whose end wakes who watches: looking takes time from experts."""
MOST_LOOKS = 40
"""Looks per second of all watchers together: with more of them, each looks less often."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

Event = tuple[Literal["progress"], Progress] | tuple[Literal["ended"], Ended] | tuple[Literal["failed"], Failed] | None
"""What a watcher is told; None if there was nothing to tell for a while."""


class NewRequest(Submission):
    """A request, and who answers it.

    Attributes:
        start: `now`: the service itself, at once, as long as it is not answering too many others; `deployed`: Prefect's
            deployment, whose workers answer in turn; `later`: the next scheduled run.
    """

    start: Literal["now", "deployed", "later"] = "now"


@dataclass(frozen=True)
class Watch:
    """How a request is followed.

    Attributes:
        lives: how many processes had worked on it before.
        since: when the user asked for it; None for when it came in.
        waits: how to describe the time in which nothing works on it.
        resumes: whether another process takes over if the one at work dies, so that this is not the end.
    """

    lives: int = 0
    since: datetime | None = None
    waits: str = "waiting"
    resumes: bool = True


class Requests:
    """The requests of all doors.

    Every method raises a TraceError for a request or conversation that the caller may not see or that does not exist.

    Args:
        work: who does the work.
        ui_url: where the pages of Prefect's server are.
    """

    def __init__(self, work: Work, ui_url: str) -> None:
        self._work = work
        self._ui_url = ui_url
        self._watchers = 0

    @property
    def is_stopping(self) -> bool:
        """Whether the service is about to end."""
        return self._work.is_stopping

    async def create(self, caller: Caller, asked: NewRequest, door: Door, uploads: Sequence[Path] = ()) -> Taken:
        """Answer a request, or put it in line. Creating an id twice is the same as creating it once.

        Args:
            caller: who asks.
            asked: the request. Paths among its files have to be in HUGGINGGPT_FILE_ROOTS, except for the command line.
            door: by which way it came in.
            uploads: files that came with it, before those that it names.

        Raises:
            TooManyRequestsError: the caller, or all callers together, have too many open requests, or have spent what
                they may.
            HuggingGPTError: it cannot be accepted.
        """
        request_id = asked.id or submission.new_id()
        if await run_in_threadpool(get_trace().requests.knows, request_id):
            await self._check_own(caller, request_id)
            known = True
        else:
            known = False
            asked = await run_in_threadpool(_within_limits, caller, asked)
        if asked.conversation is not None:
            found = await run_in_threadpool(get_trace().requests.conversation, asked.conversation, key=caller.only)
            asked = asked.model_copy(update={"conversation": found})
        await run_in_threadpool(_check_references, caller, asked.files)
        files = (*map(str, uploads), *asked.files)
        content = asked.model_copy(update={"id": request_id, "files": files}).model_dump(
            mode="json", include=set(Submission.model_fields)
        )
        sent = sender(caller, door, uploads)
        if asked.start == "now":
            known = known or self._work.answering(request_id) is not None
            most = None if door is Door.COMMAND_LINE else get_settings().service_answers
            if known or await self._work.answer(content, sent, most):
                return Taken(request_id=request_id, new=not known, lives=0, flow_run_id=None, obstacle=None)
        told = await self._work.do(jobs.submit, content, sent, asked.start == "later")
        taken: Taken = told["taken"]
        return taken

    async def get(self, caller: Caller, name: str) -> RequestTrace:
        """The request whose id is, or begins with, a text."""
        return await run_in_threadpool(get_trace().requests.get, name, key=caller.only)

    async def standing(self, caller: Caller, name: str, address: Address) -> Standing:
        """How the request stands whose id is, or begins with, a text.

        Args:
            caller: who asks.
            name: the text.
            address: the addresses of its files for the caller.
        """
        story = await self.get(caller, name)
        over = story.finished_at is not None
        return Standing(
            request_id=story.request_id,
            conversation_id=story.conversation_id,
            request=story.text,
            status=story.status,
            answered=over and story.status is not RequestStatus.CANCELLED,
            created_at=story.created_at,
            progress=progress(story, lives=0, since=None, waits="waiting", starting=headline(story)),
            report=(await run_in_threadpool(self.ended, story, address, Watch()))["report"] if over else None,
        )

    async def file(self, caller: Caller, sha256: str) -> Artifact:
        """The file with that hash that a request of the caller came with, or made.

        Raises:
            TraceError: there is none.
        """
        found = None
        if _SHA256.fullmatch(sha256):
            found = await run_in_threadpool(get_trace().requests.stored_file, sha256, key=caller.only)
        if found is None:
            raise TraceError("There is no such file.")
        return found

    async def kinds(self) -> list[dict[str, Any]]:
        """The kinds of task: their inputs, their outputs, and what runs them here."""
        told = await self._work.do(jobs.kinds)
        found: list[dict[str, Any]] = told["kinds"]
        return found

    async def latest(self, caller: Caller, limit: int, conversation: str | None = None) -> list[RequestSummary]:
        """The latest requests, newest first."""
        requests = get_trace().requests
        if conversation is not None:
            conversation = await run_in_threadpool(requests.conversation, conversation, key=caller.only)
        return await run_in_threadpool(requests.latest, limit, conversation, key=caller.only)

    async def resume(self, caller: Caller, name: str) -> Taken:
        """Finish a request whose process died, or that was cancelled; do nothing if it has ended."""
        request_id = (await self.get(caller, name)).request_id
        story, again = await run_in_threadpool(reopen, get_trace(), request_id)
        if again:
            await self._work.answer({"id": story.request_id, "request": story.text}, jobs.Sender(Origin()))
        return Taken(
            request_id=story.request_id, new=False, lives=len(story.lives), flow_run_id=story.flow_run_id, obstacle=None
        )

    async def interrupt(self, name: str) -> dict[str, bool]:
        """Stop the process that answers a request here, so that `resume` continues; the request is not cancelled."""
        stopped = await self._work.interrupt(name)
        begun = await run_in_threadpool(get_trace().requests.knows, name)
        return {"stopped": stopped, "begun": begun}

    async def cancel(self, caller: Caller, name: str, how: str = "by a client of the service") -> Cancelled:
        """Stop a request that waits or runs, wherever it runs.

        Args:
            caller: who wants that.
            name: the request's id, or any unique beginning of it.
            how: by what it is cancelled, in a few words.
        """
        request_id = (await self.get(caller, name)).request_id
        return await run_in_threadpool(submission.cancel, get_trace(), request_id, how)

    async def plan(
        self,
        caller: Caller,
        text: str,
        files: Sequence[Text],
        unless: Callable[[], Coroutine[Any, Any, None]] | None = None,
        *,
        door: Door,
        uploads: Sequence[Path] = (),
    ) -> Planned:
        """Plan a request without running it.

        Args:
            caller: who asks.
            text: the request.
            files: its files, as in `create`.
            unless: returns when nobody wants the plan any more.
            door: by which way it came in.
            uploads: files that came with it, before those that it names.
        """
        await run_in_threadpool(_check_references, caller, files)
        sent = sender(caller, door, uploads)
        told = await self._work.do(jobs.plan, text, [*map(str, uploads), *files], sent, unless=unless)
        found: Planned = told["plan"]
        return found

    async def watch(
        self, caller: Caller, name: str, watch: Watch, address: Address | None, silent_seconds: float
    ) -> AsyncGenerator[Event, None]:
        """Follow a request to its end. A watcher that goes away changes nothing.

        Args:
            caller: who watches.
            name: the request's id, or any unique beginning of it.
            watch: how.
            address: the addresses of its files for the watcher; None for those in the store.
            silent_seconds: after so long without an event, there is a None.

        Yields:
            `progress` with everything that can be seen then, whenever that changes; last `ended` or `failed`.
        """
        request_id, running = name, self._work.answering(name)
        if running is None:
            request_id = (await self.get(caller, name)).request_id
            running = self._work.answering(request_id)
        elif await run_in_threadpool(get_trace().requests.knows, name):
            await self._check_own(caller, name)
        self._watchers += 1
        try:
            async for event in self._events(request_id, running, watch, address, silent_seconds):
                yield event
        finally:
            self._watchers -= 1

    async def _events(
        self, request_id: str, running: Running | None, watch: Watch, address: Address | None, silent_seconds: float
    ) -> AsyncGenerator[Event, None]:
        latest: Progress | None = None
        silent = 0.0
        while True:
            over = running is not None and running.over.done()
            try:
                story = await run_in_threadpool(_story, request_id)
            except HuggingGPTError as error:
                if running is None or over:
                    yield "failed", Failed(type=type(error).__name__, message=error.message, begun=True)
                    return
                story = None  # the flow reports it
            if story is not None and story.finished_at is not None and (running is None or over):
                yield "progress", _progress(story, watch)
                yield "ended", await run_in_threadpool(self.ended, story, address, watch)
                return
            failed = running.over.result() if running is not None and over else None
            if over and (failed is None or self._goes_on(story, watch)):
                running = failed = None  # it was resumed elsewhere since then, or will be
            died = story is None or story.status is RequestStatus.DIED
            if failed is None and running is None and not watch.resumes and died:
                failed = ENDED_UNEXPECTEDLY
            if failed is not None:
                yield "failed", Failed(**{**failed, "begun": failed["begun"] or story is not None})
                return
            if story is not None and story.finished_at is None and (found := _progress(story, watch)) != latest:
                latest, silent = found, 0.0
                yield "progress", found
            elif silent >= silent_seconds:
                silent = 0.0
                yield None
            pause = max(LOOK_SECONDS if running is None else LOOK_SECONDS_HERE, self._watchers / MOST_LOOKS)
            silent += pause
            if running is None:
                await asyncio.sleep(pause)
            else:
                await asyncio.wait([running.over], timeout=pause)

    def _goes_on(self, story: RequestTrace | None, watch: Watch) -> bool:
        """Whether a request is continued although the process at work on it is gone."""
        return story is not None and story.in_line and watch.resumes and not self.is_stopping

    def ended(self, story: RequestTrace, address: Address | None, watch: Watch) -> Ended:
        """What is shown of a request that has ended."""
        page = f"{self._ui_url}/runs/flow-run/{story.flow_run_id}" if story.flow_run_id else None
        told = ended(story, addresses(story, address), page, watch.since)
        if address is not None:
            told["report"]["response"] = story.response and places_named(story, address)
        return told

    async def _check_own(self, caller: Caller, request_id: str) -> None:
        """Raise unless the caller may see a request.

        Raises:
            RequestIdError: it may not.
        """
        if caller.only is None:
            return
        story = await run_in_threadpool(get_trace().requests.get, request_id)
        if story.key_name != caller.only:
            raise RequestIdError(f"The id {request_id} belongs to a different request: give this one another id.")


def requests_of(request: Request) -> Requests:
    """The requests of the service that a call came to."""
    requests: Requests = request.app.state.requests
    return requests


def sender(caller: Caller, door: Door, uploads: Sequence[Path]) -> jobs.Sender:
    """Where a request comes from, for a job.

    Args:
        caller: who asks.
        door: by which way it came in.
        uploads: files that came with it.
    """
    return jobs.Sender(Origin(door, caller.name), tuple(str(path.parent) for path in uploads))


def _within_limits(caller: Caller, asked: NewRequest) -> NewRequest:
    """The request, which costs no more than is left for its caller.

    Raises:
        TooManyRequestsError: it cannot be accepted now.
    """
    settings, keys, key = get_settings(), get_trace().keys, caller.key
    most = settings.service_requests
    if keys.open_requests(None) >= most:
        raise TooManyRequestsError(
            f"{most} requests are open, as many as HUGGINGGPT_SERVICE_REQUESTS allows: try again later."
        )
    if key is None:
        return asked
    if key.most_requests is not None and keys.open_requests(key.name) >= key.most_requests:
        raise TooManyRequestsError(
            f"The key {key.name} has {key.most_requests} open requests, as many as it may: wait until one has ended."
        )
    if key.most_cost is None:
        return asked
    left = key.most_cost - keys.spent(key.name)
    if left <= 0:
        raise ForbiddenError(
            f"The requests of the key {key.name} have cost the {key.most_cost:g} dollars that they may."
        )
    return asked.model_copy(update={"max_cost": left if asked.max_cost is None else min(left, asked.max_cost)})


def _check_references(caller: Caller, files: Sequence[str]) -> None:
    """Raise if a request names stored files that its caller may not see.

    Raises:
        UsageError: this is so.
    """
    if caller.only is None:
        return
    for source in files:
        sha256 = referenced(source)
        if sha256 is None or get_trace().keys.has_sent(caller.only, sha256):
            continue
        if get_trace().requests.stored_file(sha256, key=caller.only) is None:
            raise UsageError(f"There is no file {sha256[:12]}... among those of the key {caller.only}.")


def _progress(story: RequestTrace, watch: Watch) -> Progress:
    return progress(story, lives=watch.lives, since=watch.since, waits=watch.waits)


def _story(request_id: str) -> RequestTrace | None:
    """The request; None if it is not in the trace."""
    requests = get_trace().requests
    return requests.get(request_id) if requests.knows(request_id) else None
