"""Creating, migrating and reaching the database."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import text

from hugginggpt.errors import ConfigurationError, DatabaseUnavailableError, TraceError
from hugginggpt.results import TaskStatus
from hugginggpt.settings import Settings
from hugginggpt.trace.columns import Base
from hugginggpt.trace.database import make_engine, parse_url
from hugginggpt.trace.migrate import HEAD, MIGRATIONS, migrate
from hugginggpt.trace.store import Trace
from tests.trace.samples import begin, planned, result, run_of

PASSWORD = "s3cret-pässword"


def at(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(url)})


def revisions() -> list[str]:
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return [script.revision for script in reversed(list(scripts))]


def test_head_is_the_newest_revision() -> None:
    assert revisions()[-1] == HEAD


def test_the_migrations_make_the_tables_of_the_models(database_url: str) -> None:
    url = parse_url(database_url)
    migrate(url)
    with make_engine(url, pooled=False).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_older_revision_is_brought_up_to_date(database_url: str) -> None:
    url = parse_url(database_url)
    for revision in revisions():
        migrate(url, revision)
        migrate(url, revision)
    with make_engine(url, pooled=False).connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, Base.metadata) == []


def test_a_database_of_a_newer_version_is_refused(trace_settings: Settings) -> None:
    Trace.open(trace_settings).close()
    with make_engine(parse_url(trace_settings.database), pooled=False).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(TraceError, match="newer version of HuggingGPT"):
        Trace.open(trace_settings)


def test_an_up_to_date_database_is_opened_without_alembic(settings: Settings) -> None:
    Trace.open(settings).close()
    code = (
        "import sys; from hugginggpt.settings import get_settings; from hugginggpt.trace.store import Trace; "
        "Trace.open(get_settings()); print('alembic' in sys.modules)"
    )
    opened = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert opened.stdout.strip() == "False"


def test_sqlite_is_the_default_in_the_home_folder(settings: Settings) -> None:
    Trace.open(settings).close()
    with sqlite3.connect(settings.home_dir / "trace.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_postgres_urls_of_every_spelling_work(settings: Settings, postgresql_url: str) -> None:
    for scheme in ("postgres://", "postgresql://", "postgresql+psycopg://"):
        trace = Trace.open(at(settings, postgresql_url.replace("postgresql://", scheme)))
        trace.check()
        trace.close()


def test_times_are_utc_whatever_the_sessions_zone(settings: Settings, postgresql_url: str) -> None:
    trace = Trace.open(at(settings, f"{postgresql_url}&options=-c%20timezone%3DAsia/Tokyo"))
    opened = begin(trace)
    created = trace.requests.get(opened.request_id).created_at
    assert created.utcoffset() is not None and not created.utcoffset()
    trace.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "is not a database URL"),
        (f"postgresql://ada:{PASSWORD}@host:port/db", "is not a database URL"),
        (f"mysql://ada:{PASSWORD}@host/db", "names a mysql database"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_urls_that_cannot_work_are_refused(settings: Settings, url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        Trace.open(at(settings, url))
    assert PASSWORD not in str(caught.value)


def everything_shown(error: BaseException) -> str:
    shown = ""
    link: BaseException | None = error
    while link is not None:
        shown += f"{link} {link!r} {link.args}"
        link = link.__cause__ or link.__context__
    return shown


def test_a_server_that_is_not_there_gives_a_sentence_without_the_password(settings: Settings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        url = f"postgresql://ada:{PASSWORD}@127.0.0.1:{port}/db?sslpassword={PASSWORD}"
        with pytest.raises(DatabaseUnavailableError, match="refused") as caught:
            Trace.open(at(settings, url))
    assert PASSWORD not in everything_shown(caught.value)
    assert "\n" not in caught.value.message


def test_a_server_that_goes_away_gives_a_sentence_and_may_come_back(settings: Settings, postgresql_url: str) -> None:
    import psycopg

    trace = Trace.open(at(settings, postgresql_url))
    opened = begin(trace)
    name = postgresql_url.split("?")[0].rsplit("/", 1)[1]
    maintenance = postgresql_url.replace(name, "postgres")
    with psycopg.connect(maintenance, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with pytest.raises(DatabaseUnavailableError):
            trace.requests.get(opened.request_id)
        with pytest.raises(DatabaseUnavailableError):
            trace.check()
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    assert trace.requests.get(opened.request_id).request_id == opened.request_id
    trace.close()


def test_a_read_only_server_fails_its_check(settings: Settings, postgresql_url: str) -> None:
    trace = Trace.open(at(settings, postgresql_url))
    trace.close()
    read_only = Trace.open(at(settings, f"{postgresql_url}&options=-c%20default_transaction_read_only%3Don"))
    with pytest.raises(DatabaseUnavailableError, match="read-only transaction"):
        read_only.check()
    read_only.close()


def test_a_folder_that_cannot_be_made_gives_a_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DatabaseUnavailableError, match=r"trace\.db cannot be used: .*; make its folder writable, or set HUGG"
    ):
        Trace.open(at(settings, f"sqlite:///{tmp_path}/file/trace.db"))


def test_a_file_that_is_no_database_gives_a_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("These are my notes. " * 100)
    with pytest.raises(DatabaseUnavailableError, match="is not a SQLite database"):
        Trace.open(at(settings, f"sqlite:///{tmp_path}/notes.db"))
    assert (tmp_path / "notes.db").read_text().startswith("These are my notes.")


def test_a_full_disk_gives_a_sentence_and_loses_nothing(settings: Settings, small_disk: Path) -> None:
    trace = Trace.open(at(settings, f"sqlite:///{small_disk}/trace.db"))
    opened = planned(trace)
    run_of(trace, opened.request_id).record_result(result(0))

    with pytest.raises(DatabaseUnavailableError, match="disk is full; free some space"):
        run_of(trace, opened.request_id).record_no_result(1, TaskStatus.FAILED, "No. " * 500_000)

    assert run_of(trace, opened.request_id).results() == {0: result(0)}
    run_of(trace, opened.request_id).record_no_result(1, TaskStatus.FAILED, "No.")
    assert trace.requests.get(opened.request_id).tasks[1].error == "No."
    trace.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_gives_a_sentence(settings: Settings) -> None:
    Trace.open(settings).close()
    (settings.home_dir / "trace.db").chmod(0o400)
    trace = Trace.open(settings)
    with pytest.raises(DatabaseUnavailableError, match="is read-only; make its file and folder writable"):
        trace.check()
    trace.close()


def test_an_immutable_sqlite_file_gives_a_sentence(settings: Settings) -> None:
    Trace.open(settings).close()
    file = settings.home_dir / "trace.db"
    trace = Trace.open(at(settings, f"sqlite:///file:{file}?mode=ro&uri=true"))
    with pytest.raises(DatabaseUnavailableError, match="is read-only; make its file and folder writable"):
        begin(trace)
    trace.close()


def test_a_writer_waits_for_another_process(settings: Settings) -> None:
    trace = Trace.open(settings)
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.readline(); c.execute('COMMIT')"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(settings.home_dir / "trace.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None and holder.stdin is not None
    holder.stdout.readline()
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(begin, trace)
        while not opening.running():
            time.sleep(0.01)
        assert trace.requests.latest() == []  # readers do not wait
        holder.stdin.write("go on\n")
        holder.stdin.flush()
        assert opening.result().life == 1
    holder.wait()
    trace.close()
