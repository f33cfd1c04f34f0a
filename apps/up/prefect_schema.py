"""The tables of Prefect's server on SQLite, as its migrations leave them.

Prefect's more than a hundred migrations take four seconds of processor time in a new database, and a third of a second
where there is nothing left to migrate. So a new database gets its tables at once, from a file that the migrations have
written, and a database that has them all starts without. In every other case, also where the file is missing or of
another version of Prefect, Prefect migrates as it always does.

    python -m apps.up.prefect_schema

writes the file for the installed version of Prefect. `make install` does that, and a wheel carries the file.
"""

import asyncio
import os
import sqlite3
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

FILE = Path(__file__).with_suffix(".sql")

_SQLITE = "sqlite+aiosqlite:///"
_URL, _SAME = "PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL"
_BUSY_SECONDS = 60.0


def prepare_database() -> None:
    """Create the tables, if the environment names a new SQLite file, and turn the migrations off, if there are none.

    To be called before Prefect is imported, because it reads the environment on import.
    """
    url = os.environ.get(_URL, "")
    if url.startswith(_SQLITE) and "?" not in url and _SAME not in os.environ and _has_all(url.removeprefix(_SQLITE)):
        os.environ.setdefault("PREFECT_SERVER_DATABASE_MIGRATE_ON_START", "false")


def _has_all(file: str) -> bool:
    """Whether a database has all tables of the installed version of Prefect; it gets them if it is new."""
    try:
        made_by, _, rest = FILE.read_text(encoding="utf-8").partition("\n")
        if made_by != _made_by():
            return False
        if home := os.environ.get("PREFECT_HOME"):
            Path(home).expanduser().mkdir(mode=0o700, parents=True, exist_ok=True)  # as Prefect does
        with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
            if _revision(database) is None:
                database.execute("PRAGMA journal_mode = WAL")  # as Prefect has it
                database.executescript(f"BEGIN IMMEDIATE;\n{rest}COMMIT;")
            return f"INSERT INTO \"alembic_version\" VALUES('{_revision(database)}');\n" in rest
    except (OSError, sqlite3.Error):
        return False  # another server has just created them, or Prefect will say what is wrong


def _revision(database: sqlite3.Connection) -> str | None:
    """The revision of a database; None if it was never migrated."""
    if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
        return None
    (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(revision)


def _made_by() -> str:
    return f"-- Prefect {version('prefect')}"


def main() -> None:
    """Have Prefect migrate a new database, and write its tables to the file."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_URL] = f"{_SQLITE}{folder}/prefect.db"
        from prefect.server.database import provide_database_interface

        asyncio.run(provide_database_interface().create_db())
        with closing(sqlite3.connect(f"{folder}/prefect.db")) as database:
            _, *statements, _ = database.iterdump()  # without BEGIN and COMMIT
    FILE.write_text("\n".join([_made_by(), *statements, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
