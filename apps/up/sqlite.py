"""Prefect's server on SQLite: its writers wait in line.

Prefect begins nearly all of its transactions DEFERRED. One that has read, and writes after another has written, fails
at once with SQLITE_BUSY_SNAPSHOT, however long SQLite may wait for a lock. The server then answers 503, and its clients
pause for 2, 4, 8 and more seconds: https://github.com/PrefectHQ/prefect/issues/18934.

Here, a transaction that may write takes the write lock before it reads. In SQLite, those that wait for that lock look
again every so often, and may wait for seconds behind luckier ones; within the server they get it in order.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from apps.up.guard import Application, Message, Receive, Scope, Send

LINE_SECONDS = 60.0
"""Seconds that a transaction waits in line. Then it asks SQLite itself, which waits as long and refuses."""

RETRY_SECONDS = 1
"""Seconds after which a client may ask again when the server was too busy, which it said only after a long wait."""


def keep_writers_in_line(application: Application) -> Application:
    """Prefect's server application with its writers in line, if its database is on SQLite; as it is otherwise.

    Args:
        application: Prefect's, which has not served a request yet.
    """
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(url).name != "sqlite":
        return application
    set_database_config(_WritersInLine(url))
    return _retried_soon(application)


class _WritersInLine(AioSqliteConfiguration):
    """Begins each explicit transaction IMMEDIATE and in order. Sessions without one, which read, begin none."""

    def __init__(self, connection_url: str) -> None:
        super().__init__(connection_url)
        self._line = asyncio.Lock()

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[AsyncSessionTransaction]:
        """Begin a transaction that may write."""
        async with self._turn(), super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(LINE_SECONDS):
                await self._line.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            self._line.release()


def _retried_soon(application: Application) -> Application:
    """The application, with a `Retry-After` in each answer that says that it is too busy."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 503:
                headers = [*message.get("headers", ()), (b"retry-after", str(RETRY_SECONDS).encode())]
                message = {**message, "headers": headers}
            await send(message)

        await application(scope, receive, send_with_header)

    return serve
