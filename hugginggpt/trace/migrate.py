"""Migrate the trace database to the schema of this code. The first process that opens it does this."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from sqlalchemy import URL, Connection, inspect, text

from hugginggpt.errors import TraceError
from hugginggpt.trace.database import database_file, explained, make_engine

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0011"
"""The newest revision in `migrations/versions`: with it here, most processes need not import Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_SECONDS = 120
_ADVISORY_LOCK = 0x48554747  # any number that no other program uses for a lock in this database


def migrate(url: URL, revision: str = HEAD) -> None:
    """Create the tables, or bring older ones up to date. Quick when there is nothing to do.

    Raises:
        DatabaseUnavailableError: the database cannot be reached or written.
        TraceError: the database is newer than this code.
    """
    engine = make_engine(url, pooled=False)
    file = database_file(url)
    try:
        with explained(url):
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            with engine.connect() as connection:
                if _version(connection) == revision:
                    return
            with _alone(file), engine.connect() as connection:
                if isinstance(raw := connection.connection.driver_connection, sqlite3.Connection):
                    # Readers do not wait for a writer. The setting is stored in the file.
                    raw.execute("PRAGMA journal_mode = WAL")
                    # SQLite changes a table by building a new one: dropping the old one must not
                    # cascade to the rows that refer to it.
                    raw.execute("PRAGMA foreign_keys = OFF")
                _upgrade(connection, revision)
    finally:
        engine.dispose()


def alembic_config(connection: Connection) -> "Config":
    """Alembic's configuration for one connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, revision: str) -> None:
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        current = _version(connection)
        if current == revision:
            return
        from alembic import command
        from alembic.script import ScriptDirectory

        config = alembic_config(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if current is not None and current not in known:
            raise TraceError(
                f"The trace database was made by a newer version of HuggingGPT (its revision is {current}, "
                f"this one knows up to {HEAD}): update HuggingGPT, or set HUGGINGGPT_DATABASE_URL to another database."
            )
        command.upgrade(config, revision)


def _version(connection: Connection) -> str | None:
    """The revision of the schema; None for a new database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def _alone(file: Path | None) -> Iterator[None]:
    """Keep other processes from migrating the same SQLite file at the same time; PostgreSQL has a lock of its own."""
    if file is None:
        yield
        return
    with FileLock(f"{file}.lock", timeout=_LOCK_SECONDS):
        yield
