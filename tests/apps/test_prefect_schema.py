"""The tables that a new database of Prefect's server gets at once are those that Prefect's own migrations leave."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

PREPARE = "from apps.up.prefect_schema import prepare_database; prepare_database()"
MIGRATE = """
import asyncio, sys
from prefect.server.database import provide_database_interface
from prefect.server.database.dependencies import temporary_database_config
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings
for database in sys.argv[1:]:
    url = f"sqlite+aiosqlite:///{database}"
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url}), temporary_database_config(None):
        asyncio.run(provide_database_interface().create_db())
"""
MIGRATES = "; import os; print(os.environ.get('PREFECT_SERVER_DATABASE_MIGRATE_ON_START', 'true'))"


def run(code: str, database: Path, *words: str | Path, **more: str) -> str:
    environment = os.environ | {
        "PREFECT_HOME": os.environ["HUGGINGGPT_HOME"] + "/prefect",
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
    }
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, env=environment | more, check=True, capture_output=True, text=True).stdout.strip()


def tables(file: Path) -> tuple[dict[str, list[str]], list[tuple[str]]]:
    """The lines that define each table and index, whose order Alembic takes from a set, and the revision."""
    with closing(sqlite3.connect(file)) as database:
        made = database.execute("SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_master").fetchall()
        revision = database.execute("SELECT version_num FROM alembic_version").fetchall()
    return {name: sorted(line.strip().rstrip(",") for line in sql.splitlines()) for name, sql in made}, revision


def test_they_are_those_of_prefects_migrations(tmp_path: Path) -> None:
    migrated, prepared = tmp_path / "migrated.db", tmp_path / "prepared.db"
    assert run(PREPARE + MIGRATES, prepared) == "false"
    before, made = prepared.read_bytes(), tables(prepared)
    run(MIGRATE, migrated, migrated, prepared)
    assert made == tables(migrated)
    # Prefect found nothing to migrate in those that were there.
    assert tables(prepared) == made and prepared.read_bytes() == before
    # A database that Prefect migrated itself needs no migrations either.
    assert run(PREPARE + MIGRATES, migrated) == "false"


def test_a_database_that_is_behind_is_left_to_prefect(tmp_path: Path) -> None:
    database = tmp_path / "old.db"
    run(PREPARE, database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'abc'")
    assert run(PREPARE + MIGRATES, database) == "true"


def test_so_is_one_that_is_no_database_of_its_own_or_not_on_sqlite(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("No database. " * 1000)
    assert run(PREPARE + MIGRATES, tmp_path / "text.db") == "true"
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE agent (id)")
    assert run(PREPARE + MIGRATES, tmp_path / "other.db") == "true"
    assert run(PREPARE + MIGRATES, tmp_path / "nowhere" / "new.db") == "true"
    assert not (tmp_path / "nowhere").exists()
    elsewhere = {"PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://localhost/prefect"}
    assert run(PREPARE + MIGRATES, tmp_path / "none.db", **elsewhere) == "true"
    assert not (tmp_path / "none.db").exists()


def test_servers_that_begin_at_once_make_one(tmp_path: Path) -> None:
    async def all_at_once() -> list[int | None]:
        url = f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"
        environment = os.environ | {"PREFECT_API_DATABASE_CONNECTION_URL": url}
        begun = [await asyncio.create_subprocess_exec(sys.executable, "-c", PREPARE, env=environment) for _ in range(4)]
        return [await each.wait() for each in begun]

    assert asyncio.run(all_at_once()) == [0] * 4
    assert run(PREPARE + MIGRATES, tmp_path / "new.db") == "false"


@pytest.fixture(autouse=True)
def _no_database_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PREFECT_API_DATABASE", "PREFECT_SERVER_DATABASE"))]:
        monkeypatch.delenv(name)
