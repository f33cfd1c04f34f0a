"""Applications that are made when somebody comes, because what they are made of takes seconds to import."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from apps.up.guard import Application, Receive, Scope, Send


class LateApplication:
    """An ASGI application in front of another, which is made in a thread once the first call comes.

    The other's lifespan begins and ends in one task, which is not that of any call.

    Args:
        make: makes the other, a Starlette application.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._wanted, self._closing = asyncio.Event(), asyncio.Event()
        self._made: asyncio.Future[Application] | None = None

    @property
    def is_made(self) -> bool:
        """Whether a call would be answered at once."""
        return self._made is not None and self._made.done()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for as long as the block runs."""
        self._made = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._serve(self._made))
        yield
        self._closing.set()
        self._wanted.set()
        await task

    def prepare(self) -> None:
        """Begin to make the application, unless that has begun: somebody is about to come."""
        self._wanted.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        assert self._made is not None
        self.prepare()
        application = await asyncio.shield(self._made)
        await application(scope, receive, send)

    async def _serve(self, made: "asyncio.Future[Application]") -> None:
        await self._wanted.wait()
        if self._closing.is_set():
            return
        try:
            application = await asyncio.to_thread(self._make)
        except Exception as error:
            made.set_exception(error)  # each call fails with it, and the log has it
            return
        async with application.router.lifespan_context(application):
            made.set_result(application)
            await self._closing.wait()
