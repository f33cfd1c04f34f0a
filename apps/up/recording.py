"""How Prefect's server records events and task runs: many in one transaction, with statements that are compiled once.

Prefect's own way takes a transaction for each state of each task run, and compiles most of its statements each time,
since it puts all rows into one. For a request, that takes its server a quarter of its processor time.
"""

from collections.abc import Sequence
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
from sqlalchemy.ext.asyncio import AsyncSession

TOGETHER = 50
"""How many states of task runs are recorded together at most."""

GATHERING_SECONDS = 0.1
"""For how long states of task runs wait for others. Prefect's setting for it takes whole seconds only."""

_MOST_AT_ONCE = 500
"""How many events are inserted at once: SQLite limits the parameters of a statement."""


def record_together() -> None:
    """Have Prefect's server record in our way. Call it before the server starts."""
    task_run_recorder.consumer = partial(_gathering, task_run_recorder.consumer)  # type: ignore[assignment]
    if get_dialect(PREFECT_API_DATABASE_CONNECTION_URL.value()).name == "sqlite":
        event_persister.write_events = write_events  # type: ignore[attr-defined]


def _gathering(consumer: Any, **options: Any) -> AbstractAsyncContextManager[MessageHandler]:
    gathering: AbstractAsyncContextManager[MessageHandler] = consumer(
        **options | {"write_batch_size": TOGETHER, "flush_every": GATHERING_SECONDS}
    )
    return gathering


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
