"""Real parts on loopback, each a process in a session of its own: Prefect's server, workers, a cluster."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import psycopg

from tests.servers import free_port, postgresql, postgresql_programs, wait_until
from tests.stand_ins.openai_server import OpenAIServer

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 600.0
"""How long something may take to start on a busy machine."""


class Part:
    """A process and all that it started."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._command, self._log, self._environment = command, log, environment
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def processes(self) -> list[psutil.Process]:
        """It and what it started, as far as that still runs."""
        with suppress(psutil.NoSuchProcess):
            this = psutil.Process(self.process.pid)
            return [this, *this.children(recursive=True)]
        return []

    @property
    def seconds(self) -> float:
        """The processor time that it, and what it started, has taken so far."""
        total = 0.0
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])
        return total

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL for it and all that it started."""
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it, and whatever is left of what it started."""
        started = self.processes
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=30)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


class Installation:
    """Prefect's server, our pool and deployments, and a scripted controller; without workers yet.

    Args:
        folder: where everything goes.
        stack: ends everything.
        database: `sqlite`, or `postgresql` from the system's packages; for Prefect's server and the trace.
        experts: whether tasks run on expert workers.
    """

    def __init__(self, folder: Path, stack: ExitStack, database: str, experts: bool) -> None:
        self._folder, self._stack = folder, stack
        self._dask = f"tcp://127.0.0.1:{free_port()}"
        port = free_port()
        self.api = f"http://127.0.0.1:{port}/api"
        controller = stack.enter_context(OpenAIServer(script={"respond": "The edges were drawn."}, key="sk-stand-in"))
        left = {name: value for name, value in os.environ.items() if not name.startswith(("HUGGINGGPT_", "PREFECT_"))}
        self.environment = left | {
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "HUGGINGGPT_HOME": str(folder / "home"),
            "HUGGINGGPT_LEASE_SECONDS": "10",
            "HUGGINGGPT_TASK_RUNNER": "dask" if experts else "threads",
            "HUGGINGGPT_DASK_ADDRESS": self._dask,
            "HUGGINGGPT_CPU_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "OPENAI_BASE_URL": controller.url,
            "OPENAI_API_KEY": "sk-stand-in",
        }
        if database == "postgresql":
            self.environment |= self._postgresql()
        # This process puts requests in line, and runs a flow now and then.
        os.environ.update(self.environment | {"PREFECT_LOGGING_LEVEL": "WARNING"})
        self.server = self.part("server", "-m", "apps.up.prefect_server", "--port", str(port))
        wait_until(self._is_healthy, START_SECONDS)
        from apps.up.prefect_api import set_up
        from hugginggpt.environment import ACCELERATOR_LIMIT, CONTROLLER_LIMIT

        set_up(self.api, {CONTROLLER_LIMIT: 4, ACCELERATOR_LIMIT: 1})
        deploy = ["-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments.yaml"]
        subprocess.run([sys.executable, *deploy], cwd=ROOT, env=self.environment, check=True, capture_output=True)
        self._stop_schedules()

    def part(self, name: str, *arguments: str) -> Part:
        """Start Python with these arguments, until the end."""
        part = Part([sys.executable, *arguments], self._folder / f"{name}.log", self.environment)
        self._stack.callback(part.end)
        return part

    def flow_worker(self, name: str) -> Part:
        """Start a flow worker for two requests at once, and wait until it is there."""
        part = self.part(name, "-m", "apps.up.flow_worker", "--limit", "2", "--name", name)
        wait_until(lambda: "started!" in part.log, START_SECONDS)
        return part

    def expert_workers(self, number: int) -> list[Part]:
        """Start the cluster with so many expert workers, and wait until they have joined."""
        from hugginggpt.cluster.address import cluster_of
        from hugginggpt.cluster.workers import expert_workers
        from hugginggpt.settings import get_settings

        ours, port = ("-m", "apps.cli", "expert-worker"), self._dask.rpartition(":")[2]
        self.part("scheduler", *ours, "--scheduler", "--host", "127.0.0.1", "--port", port)
        parts = [self.part(f"expert-{n}", *ours, "--address", self._dask) for n in range(number)]
        cluster = cluster_of(get_settings())
        wait_until(lambda: len(expert_workers(cluster) or ()) == number, START_SECONDS)
        return parts

    def _stop_schedules(self) -> None:
        """Nothing runs but what a benchmark starts."""
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            for deployment in client.read_deployments():
                for schedule in deployment.schedules:
                    client.delete_deployment_schedule(deployment.id, schedule.id)

    def _postgresql(self) -> dict[str, str]:
        programs = postgresql_programs()
        if programs is None:
            raise SystemExit("This needs PostgreSQL with its contrib extensions, from the system's packages.")
        trace = self._stack.enter_context(postgresql(programs))
        url = trace.render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE prefect")
        prefect = trace.set(database="prefect", drivername="postgresql+asyncpg")
        return {
            "HUGGINGGPT_DATABASE_URL": url,
            "PREFECT_API_DATABASE_CONNECTION_URL": prefect.render_as_string(hide_password=False),
        }

    def _is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.api}/health").is_success
        except httpx.TransportError:
            return False


@contextmanager
def installation(database: str = "sqlite", *, experts: bool = False) -> Iterator[Installation]:
    """An installation in a folder of its own, until the block ends."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        yield Installation(Path(folder), stack, database, experts)
