"""A request of ours that answers a call: it is begun, followed to its end, and stopped if its client goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from apps.http.addresses import signed_links
from apps.http.callers import caller_of, gone
from apps.http.openai.answers import Answer, answer_of
from apps.http.openai.asked import Asked
from apps.http.openai.progress import Thoughts
from apps.http.requests import Watch, requests_of
from apps.http.sse import EventStream
from apps.http.uploads import kept
from hugginggpt.errors import rebuilt
from hugginggpt.origin import Door

FIRST_SECONDS = 0.8
"""A stream begins after so long even if nobody knows yet whether the request can be accepted."""
SILENT_SECONDS = 10.0
"""A stream that had nothing to say for so long says that it is still there."""


Said = str | Answer | None
"""What a client is told: news of the progress, the answer, or None if there was nothing to tell for a while."""


class Answering:
    """A request that is being taken, or answered.

    Args:
        call: the call that it answers.
        asked: the request, with an id.
    """

    def __init__(self, call: Request, asked: Asked) -> None:
        assert asked.request.id is not None
        self.request_id = asked.request.id
        self._call = call
        self._requests, self._caller = requests_of(call), caller_of(call)
        self._taken = asyncio.create_task(self._take(asked))

    async def _take(self, asked: Asked) -> None:
        async with kept(asked.uploads) as paths:
            await self._requests.create(self._caller, asked.request, Door.OPENAI, paths)

    async def taken(self, seconds: float | None = None) -> None:
        """Wait until the request is taken, or for so many seconds.

        Raises:
            HuggingGPTError: it cannot be accepted.
        """
        await asyncio.wait({self._taken}, timeout=seconds)
        if self._taken.done():
            self._taken.result()

    async def said(self) -> AsyncIterator[Said]:
        """What is to be told, up to the answer.

        Raises:
            HuggingGPTError: there is none.
        """
        while not self._taken.done():
            await self.taken(SILENT_SECONDS)
            if not self._taken.done():
                yield None
        self._taken.result()
        thoughts = Thoughts()
        address = signed_links(self._call)
        async for event in self._requests.watch(self._caller, self.request_id, Watch(), address, SILENT_SECONDS):
            match event:
                case None:
                    yield None
                case ("progress", progress):
                    if text := thoughts.new(progress):
                        yield text
                case ("failed", failed):
                    raise rebuilt(failed["type"], failed["message"])
                case ("ended", _):
                    story = await self._requests.get(self._caller, self.request_id)
                    yield await run_in_threadpool(answer_of, story, address)

    async def answer(self) -> Answer | None:
        """The answer; None if the client has gone away before, and the request was stopped.

        Raises:
            HuggingGPTError: there is none.
        """
        answer, left = asyncio.create_task(self._answer()), asyncio.create_task(gone(self._call))
        try:
            await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            answer.cancel()
            left.cancel()
        await self.stop()
        return None

    async def _answer(self) -> Answer:
        return [one async for one in self.said() if isinstance(one, Answer)][-1]

    async def stop(self) -> None:
        """Stop the request, unless it was not accepted, or has ended."""
        await asyncio.wait({self._taken})
        if self._taken.exception() is None:
            await self._requests.cancel(self._caller, self.request_id)


class Stream(EventStream):
    """Server-sent events.

    Args:
        events: the events, as text.
        answering: the request to stop if the client goes away before the end; None to let it go on.
    """

    def __init__(self, events: AsyncIterator[str], answering: Answering | None = None) -> None:
        super().__init__(self._to_the_end(events))
        self._answering = answering
        self._ended = False

    async def _to_the_end(self, events: AsyncIterator[str]) -> AsyncIterator[str]:
        async for event in events:
            yield event
        self._ended = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        with suppress(ClientDisconnect):
            await super().__call__(scope, receive, send)
        if not self._ended and self._answering is not None:
            await self._answering.stop()
