"""The connection to the trace database, SQLite or PostgreSQL.

It provides one engine, sessions to read and to write, and every failure of the database as one sentence without a
password.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from hugginggpt.errors import ConfigurationError, DatabaseUnavailableError, TraceError
from hugginggpt.redaction import redact
from hugginggpt.text import storable_json

BUSY_SECONDS = 30
"""Seconds that a write waits for other writers of a SQLite database."""

CONNECT_SECONDS = 10
"""Seconds that connecting to a PostgreSQL server may take."""

_BEGIN = "hugginggpt_begin"


def parse_url(text: str) -> URL:
    """Parse a database URL, and add the driver that this project uses.

    Raises:
        ConfigurationError: it is not a URL, or its database is not supported.
    """
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "The setting HUGGINGGPT_DATABASE_URL is not a database URL: "
            "it should look like postgresql://user:password@host/name or sqlite:////folder/trace.db."
        ) from None
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigurationError(
            f"The setting HUGGINGGPT_DATABASE_URL names a {backend} database: use postgresql:// or sqlite:///."
        )
    if url.database in (None, "", ":memory:"):
        raise ConfigurationError(
            "The setting HUGGINGGPT_DATABASE_URL names a database in memory, which no other process can read: "
            "name a file, such as sqlite:////folder/trace.db."
        )
    return url.set(drivername="sqlite")


class Database:
    """Sessions on the trace database. Safe to share between threads.

    Args:
        url: as `parse_url` returns it.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = make_engine(url)
        # All queries of a session have to see the same state of the database, as on SQLite.
        # A SQLite transaction that begins by reading cannot always go on to write, so writers announce it first.
        self._reads = self._engine.execution_options(
            **({} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"})
        )
        self._writes = self._engine.execution_options(**({_BEGIN: "IMMEDIATE"} if self.is_sqlite else {}))
        # In SQLite, writers that wait look again every so often; threads of one process need not.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self.is_sqlite else nullcontext()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session whose queries all see the same state of the database.

        Raises:
            DatabaseUnavailableError: it cannot be reached.
        """
        with explained(self.url), Session(self._reads) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits at the end of its block, and writes nothing if the block raises an error.

        Raises:
            DatabaseUnavailableError: it cannot be reached or written.
        """
        with explained(self.url), self._turn, Session(self._writes) as session, session.begin():
            yield session

    def now(self, session: Session) -> datetime:
        """The time by the clock that all processes share: the database server's, or this machine's for SQLite."""
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)


def make_engine(url: URL, *, pooled: bool = True) -> Engine:
    """Create an engine whose errors and logs never show values.

    Raises:
        ConfigurationError: the database's driver is not installed.
    """
    options: dict[str, Any] = {"hide_parameters": True, "json_serializer": storable_json}
    if not pooled:
        options["poolclass"] = NullPool
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    connect = {"application_name": "hugginggpt", "connect_timeout": CONNECT_SECONDS}
    for name in url.query:
        connect.pop(name, None)
    try:
        return create_engine(url, connect_args=connect, pool_pre_ping=pooled, **options)
    except (ModuleNotFoundError, NoSuchModuleError):
        raise ConfigurationError(
            "The trace database is PostgreSQL, but its driver is not installed: pip install 'hugginggpt[postgres]'."
        ) from None


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # Python's own handling begins transactions late and never IMMEDIATE; `_begin_sqlite` does it.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'DEFERRED')}")


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn the database's exceptions into errors with one sentence.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, read or written.
        TraceError: the database refused a row.
    """
    try:
        yield
    except IntegrityError as error:
        raise TraceError(f"The trace refused a row that does not fit the other rows: {_reason(error, url)}.") from error
    except DBAPIError as error:
        raise DatabaseUnavailableError(_sentence(error, url)) from error
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError(
            f"{_named(url)} is too busy: all its connections are in use; try again."
        ) from error
    except OSError as error:
        raise DatabaseUnavailableError(
            f"{_named(url)} cannot be used: {error.strerror or error}; {_remedy(url)}."
        ) from error


_MEND = {
    "readonly": "is read-only; make its file and folder writable, or set HUGGINGGPT_HOME to a folder that is.",
    "is full": "cannot be written because the disk is full; free some space and try again.",
    "locked": f"was kept busy by other processes for {BUSY_SECONDS} seconds; try again.",
    "unable to open": "cannot be opened; check that its folder exists and that you may write there.",
    "not a database": "is not a SQLite database; move that file away or set HUGGINGGPT_DATABASE_URL to another.",
    "malformed": "is damaged; restore it from a backup, or move it away to begin a new one.",
    "no such table": "has lost its tables; move it away to begin a new one.",
    "disk i/o": "cannot be read or written (disk I/O error); check the disk.",
}


def _sentence(error: DBAPIError, url: URL) -> str:
    reason = _reason(error, url)
    if url.get_backend_name() == "sqlite":
        mend = next((mend for sign, mend in _MEND.items() if sign in reason.lower()), f"cannot be used: {reason}.")
        return f"{_named(url)} {mend}"
    return f"{_named(url)} cannot be used: {reason}; {_remedy(url)}."


def _remedy(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return "make its folder writable, or set HUGGINGGPT_HOME to a folder that is"
    return "check HUGGINGGPT_DATABASE_URL and that the server runs"


def _named(url: URL) -> str:
    shown = url.database if url.get_backend_name() == "sqlite" else url.set(query={}).render_as_string()
    return f"The trace database {shown}"


def _reason(error: DBAPIError, url: URL) -> str:
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    reason = (lines[0] if lines else type(error.orig).__name__).rstrip(".:")
    secrets = [str(url.password or ""), *(str(value) for name, value in url.query.items() if "password" in name)]
    return redact(reason, *secrets)


def database_file(url: URL) -> Path | None:
    """A SQLite database's file; None for a server."""
    if url.get_backend_name() != "sqlite":
        return None
    return Path(str(url.database).removeprefix("file:")).absolute()
