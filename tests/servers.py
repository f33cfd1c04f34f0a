"""Real servers and workers, for tests and benchmarks: on loopback, on free ports, ended by who started them."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import URL

import hugginggpt.cluster.address
from apps.up.forks import Forks
from hugginggpt.cluster.address import Certificates
from tests import forked

DEBIANS_POSTGRESQL = Path("/usr/lib/postgresql")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_until(condition: Callable[[], Any], seconds: float = 280) -> None:
    """Wait for something to be so, by default as long as a test may take; the longer a look takes, the fewer are had.

    Raises:
        AssertionError: it is not, after so many seconds.
    """
    began = time.monotonic()
    end = began + seconds
    while not condition():
        looked = time.monotonic()
        assert looked < end, f"it did not come to pass within {seconds:g} seconds"
        time.sleep(max(0.1, 2 * (looked - began)))
        began = time.monotonic()


def listening(process: int) -> set[str]:
    """The addresses that a process listens on, without ports. One that has ended listens on none."""
    try:
        found = psutil.Process(process).net_connections("inet")
    except psutil.NoSuchProcess:
        return set()
    return {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN}


def has_ended(process: int) -> bool:
    """Whether a process has ended, even if nobody has asked how."""
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def open_to_others(folder: Path) -> list[Path]:
    """A folder and what is in it, as far as another user may do anything with it: `find FOLDER -perm /077`."""
    paths = [folder, *folder.rglob("*")]
    return [path for path in paths if not path.is_symlink() and path.stat().st_mode & 0o077]


def postgresql_programs() -> Path | None:
    """Where the system's PostgreSQL is. The one that pip installs lacks an extension which Prefect needs."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).parent
    return next(iter(sorted(DEBIANS_POSTGRESQL.glob("*/bin"), reverse=True)), None)


@contextmanager
def postgresql(programs: Path) -> Iterator[URL]:
    """The system's PostgreSQL with an empty database of a user who may not do everything, and has to say a password.

    Args:
        programs: the folder with `initdb` and `postgres`.

    Yields:
        the database's URL, with the password.
    """
    import psycopg

    # Run by root, the server works as another user, who may not enter the folders of pytest.
    folder = Path(tempfile.mkdtemp(prefix="hugginggpt-pg-"))
    user = {"user": "postgres"} if os.getuid() == 0 else {}
    owner = folder / "owner"
    owner.write_text("owner's word")
    if user:
        for path in (folder, owner):
            shutil.chown(path, **user)
    make = ["initdb", "-D", "data", "-U", "owner", "-A", "scram-sha-256", "--pwfile", owner.name, "-N"]
    run: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
    subprocess.run([programs / make[0], *make[1:]], check=True, **run)
    options = ["-D", "data", "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen([programs / "postgres", *options], **run)
    login = f"host={folder} user=owner password='owner\\'s word' dbname=postgres"

    def is_ready() -> bool:
        try:
            psycopg.connect(login).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(is_ready)
        with psycopg.connect(login, autocommit=True) as connection:
            connection.execute("CREATE ROLE ada LOGIN CREATEDB PASSWORD 'ge%heim@1'")
            connection.execute('CREATE DATABASE "ada-trace" OWNER ada')
        yield URL.create("postgresql", "ada", "ge%heim@1", database="ada-trace", query={"host": str(folder)})
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
        shutil.rmtree(folder)


SELDOM = {
    f"PREFECT_SERVER_SERVICES_{service}_LOOP_SECONDS": "60"
    for service in ("LATE_RUNS", "PAUSE_EXPIRATIONS", "FOREMAN", "CANCELLATION_CLEANUP")
}
"""A server that waits for a test looks seldom for what no test waits for: that is a third of its work then."""


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """A Prefect server with an empty database on SQLite.

    Args:
        home: a folder of its own.

    Yields:
        the URL of its API.
    """
    with ExitStack() as stack:
        port = free_port()
        environment = os.environ | {
            "PREFECT_HOME": str(home),
            # Named, so that the server makes its tables at once.
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            **SELDOM,
        }
        environment.pop("PREFECT_API_URL", None)
        with (home / "server.log").open("wb") as log:
            streams, module = (0, log.fileno(), log.fileno()), "apps.up.prefect_server"
            server = forked.start(["--port", str(port)], Path.cwd(), environment, streams, module=module)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        api = f"http://127.0.0.1:{port}/api"
        wait_until(lambda: server.poll() is not None or _is_healthy(api))
        assert server.poll() is None, (home / "server.log").read_text()
        yield api


@contextmanager
def fork_server() -> Iterator[Forks]:
    """A fork server that starts when it is asked, itself as a fork: to import the flows takes seconds."""
    ours, theirs = socket.socketpair()
    started: list[forked.Fork] = []

    def requests() -> socket.socket:
        if not started:
            streams = (theirs.fileno(), 1, 2)
            started.append(forked.start([], forked.ROOT, os.environ, streams, module="tests.fork_server"))
            theirs.close()
        return ours

    with ours, theirs:
        yield Forks(requests)


def prefect_client(api: str, **more: Any) -> httpx.Client:
    """A plain client of a Prefect server's API, which says the token that the server wants of its clients.

    Args:
        more: options of httpx.
    """
    name = uuid.uuid4().hex
    with httpx.Client(timeout=30, **more) as client:
        given = client.get(f"{api}/csrf-token", params={"client": name}).raise_for_status().json()
    headers = {"Prefect-Csrf-Client": name, "Prefect-Csrf-Token": given["token"]}
    return httpx.Client(base_url=api, headers=headers, timeout=30, **more)


def _is_healthy(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health").is_success
    except httpx.TransportError:
        return False


class Cluster:
    """A Dask scheduler and expert workers, each a process, with what they and the flows have in common.

    Args:
        folder: where their home folder, weights and records are.
        host: where the scheduler listens.
        certificates: what they and the flows know each other by.
        environment: more of what they have in common.

    Attributes:
        address: the scheduler's.
        shared: the settings that the flows need, too.
        processes: what was started, whether it still runs or not.
    """

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", certificates: Certificates | None = None, **environment: str
    ) -> None:
        from prefect.settings import PREFECT_API_URL

        self._host, self._port = host, free_port()
        self.address = f"{'tls' if certificates else 'tcp'}://{host}:{self._port}"
        self.processes: list[forked.Fork] = []
        self.shared = {
            "HUGGINGGPT_HOME": str(folder / "home"),
            "HUGGINGGPT_MODELS_CACHE": str(folder / "models"),
            "HUGGINGGPT_TASK_RUNNER": "dask",
            **hugginggpt.cluster.address.Cluster(self.address, certificates).variables,
            "HUGGINGGPT_CPU_THREADS": "1",
            "OPENAI_API_KEY": "sk-stand-in",
            **environment,
        }
        self.environment = os.environ | {"PREFECT_LOGGING_LEVEL": "CRITICAL"} | self.shared
        if url := PREFECT_API_URL.value():
            self.environment["PREFECT_API_URL"] = str(url)
        self._stack = ExitStack()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def scheduler(self) -> forked.Fork:
        """Start the scheduler, always at the same address."""
        return self.start("--scheduler", "--host", self._host, "--port", str(self._port))

    def start(self, *arguments: str, **environment: str) -> forked.Fork:
        """Start an expert worker, and wait until it says that it is there."""
        reading, writing = os.pipe()
        said = self._stack.enter_context(os.fdopen(reading))
        words = ["expert-worker", *arguments]
        process = forked.start(words, Path.cwd(), self.environment | environment, (0, writing, 2))
        os.close(writing)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        self.processes.append(process)
        assert said.readline().startswith(("The scheduler of", "Expert worker "))
        return process
