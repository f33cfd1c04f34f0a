"""How Prefect's server records events and task runs: many in one transaction, with statements that are compiled once.

Prefect's own way takes a transaction for each state of each task run, and compiles most of its statements each time,
since it puts all rows into one. For a request, that takes its server a quarter of its processor time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import sqlalchemy
from prefect.server.database import provide_database_interface
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.events.services import event_persister
from prefect.server.services import task_run_recorder
from prefect.server.utilities.database import get_dialect
from prefect.server.utilities.messaging import MessageHandler
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

logger = logging.getLogger(__name__)

TOGETHER = 50
"""How many states of task runs are recorded together at most."""

GATHERING_SECONDS = 0.1
"""For how long states of task runs wait for others. Prefect's setting for it takes whole seconds only."""

AWAY_SECONDS = 1.0
"""Pause after a try that failed because of the database."""

_MOST_TRIES = 300
"""How often states of task runs are tried, about five minutes, before Prefect's recorder drops them."""

_MOST_AT_ONCE = 500
"""How many events are inserted at once: SQLite limits the parameters of a statement."""


def record_together() -> None:
    """Have Prefect's server record in our way. Call it before the server starts."""
    task_run_recorder.consumer = partial(_gathering, task_run_recorder.consumer)  # type: ignore[assignment]
    task_run_recorder.record_bulk_task_run_events = partial(
        _record_what_can_be, task_run_recorder.record_bulk_task_run_events
    )
    if get_dialect(PREFECT_API_DATABASE_CONNECTION_URL.value()).name == "sqlite":
        event_persister.write_events = write_events  # type: ignore[attr-defined]


def _gathering(consumer: Any, **options: Any) -> AbstractAsyncContextManager[MessageHandler]:
    gathering: AbstractAsyncContextManager[MessageHandler] = consumer(
        **options | {"write_batch_size": TOGETHER, "flush_every": GATHERING_SECONDS, "max_persist_retries": _MOST_TRIES}
    )
    return gathering


async def _record_what_can_be(
    record: Callable[[list[ReceivedEvent]], Awaitable[None]], events: list[ReceivedEvent]
) -> None:
    """Record states of task runs. One that cannot be recorded, as its flow run was deleted, takes no others along.

    Raises:
        Exception: the database is away. All of them are to be tried again.
    """
    try:
        await record(events)
    except Exception as error:
        if not _is_about_events(error):
            await asyncio.sleep(AWAY_SECONDS)
            raise
        if len(events) == 1:
            logger.warning("The state of a task run, event %s, is not recorded: %s", events[0].id, error)
        else:
            for event in events:
                await _record_what_can_be(record, [event])


def _is_about_events(error: Exception) -> bool:
    """Whether a failure is due to what was to be recorded, and not to the database."""
    if isinstance(error, DBAPIError):
        return not (isinstance(error, (OperationalError, InterfaceError)) or error.connection_invalidated)
    return isinstance(error, (AssertionError, KeyError, TypeError, ValueError))


async def write_events(session: AsyncSession, events: Sequence[ReceivedEvent]) -> None:
    """Insert events that are not there yet, as `prefect.server.events.storage.database.write_events` does."""
    db = provide_database_interface()
    for start in range(0, len(events), _MOST_AT_ONCE):
        batch = {event.id: event for event in events[start : start + _MOST_AT_ONCE]}
        there = await session.scalars(sqlalchemy.select(db.Event.id).where(db.Event.id.in_(list(batch))))
        for known in there:
            del batch[known]
        if batch:
            rows = [event.as_database_row() for event in batch.values()]
            await session.execute(sqlalchemy.insert(db.Event.__table__), rows)  # type: ignore[arg-type]
            about = [row for event in batch.values() for row in event.as_database_resource_rows()]
            await session.execute(sqlalchemy.insert(db.EventResource.__table__), about)  # type: ignore[arg-type]
