"""What an `up` runs, part by part, in the order of starting."""

import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec

from apps.up.login import CLIENT, EVERYWHERE, check_login, login
from hugginggpt.cluster.address import Cluster
from hugginggpt.environment import POOL
from hugginggpt.errors import ConfigurationError, UsageError
from hugginggpt.settings import CHECKOUT, Settings
from hugginggpt.trace.database import database_file, parse_url
from hugginggpt.up import own_cluster

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Wishes:
    """How many of each part, and where.

    Attributes:
        host: the address that the server listens on; beyond loopback only with a login. Dask listens on loopback only:
            it runs whatever it is sent.
        workers: flow workers, each of which runs so many requests at once.
        expert_workers: with none, experts run in the flows' own processes.
    """

    host: str = LOOPBACK
    port: int = 4200
    dask_port: int = 8786
    workers: int = 1
    requests: int = 2
    expert_workers: int = 0

    @property
    def api_url(self) -> str:
        """The Prefect server's API, for this machine."""
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/api"

    @property
    def dask_address(self) -> str | None:
        """The scheduler of the expert workers."""
        return f"tls://{LOOPBACK}:{self.dask_port}" if self.expert_workers else None

    def check(self) -> None:
        """See that everything asked for can be started.

        Raises:
            UsageError: a port is taken, a host is not of this machine, or others reach it without a login.
            ConfigurationError: something is not installed.
        """
        check_login(self.host)
        _check_free(self.host, self.port, "--port")
        if self.expert_workers:
            if find_spec("distributed") is None or find_spec("prefect_dask") is None:
                raise ConfigurationError(
                    "Expert workers need a package that is not installed: pip install 'hugginggpt[dask]', "
                    "or give --expert-workers 0 to run experts in each request's own process."
                )
            _check_free(LOOPBACK, self.dask_port, "--dask-port")


@dataclass(frozen=True)
class Part:
    """A process to keep running.

    Attributes:
        environment: what it has besides the supervisor's own.
        is_ready: whether it has come up.
        port: what it listens on. Another program that took it meanwhile may well answer `is_ready`.
    """

    name: str
    command: list[str]
    is_ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None


def parts(wishes: Wishes, settings: Settings, database: dict[str, str]) -> list[Part]:
    """The parts; what each needs comes before it.

    Args:
        database: the environment that leads Prefect's server to its database.
    """
    server = ["-m", "apps.up.prefect_server", "--host", wishes.host, "--port", str(wishes.port)]
    is_healthy = partial(_is_healthy, wishes.api_url)
    found = [Part("prefect-server", [sys.executable, *server], is_healthy, database, wishes.port)]
    cluster = own_cluster(settings.home_dir, wishes.dask_address)
    if cluster is not None:
        ours = [sys.executable, "-m", "apps.cli", "expert-worker"]
        place = ["--host", LOOPBACK, "--port", str(wishes.dask_port)]
        listens = partial(_listens, wishes.dask_port)
        found.append(Part("dask-scheduler", [*ours, "--scheduler", *place], listens, port=wishes.dask_port))
        for number in range(wishes.expert_workers):
            have_joined = partial(_have_joined, cluster, number + 1)
            found.append(Part(f"expert-worker-{number + 1}", ours, have_joined))
    worker = [sys.executable, "-m", "apps.up.flow_worker", "--pool", POOL, "--limit", str(wishes.requests)]
    # Prefect's own ten seconds are long for somebody who waits for an answer.
    often = {"PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "2")}
    now = datetime.now(UTC)
    for number in range(wishes.workers):
        name = f"flow-worker-{number + 1}"
        is_online = partial(_is_online, wishes.api_url, name, now)
        found.append(Part(name, [*worker, "--name", name], is_online, often))
    return found


def surroundings(wishes: Wishes, settings: Settings) -> dict[str, str]:
    """The environment of every part: absolute where it names folders, for a flow run has a folder of its own.

    Where tasks are run follows from the expert workers that were wished for, whatever it is elsewhere.
    """
    path = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    found = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
        **settings.places,
        "PREFECT_API_URL": wishes.api_url,
        "PREFECT_HOME": str(settings.home_dir / "prefect"),
    }
    if secret := login():
        found[CLIENT] = secret
    cluster = own_cluster(settings.home_dir, wishes.dask_address)
    if cluster is None:
        found["HUGGINGGPT_TASK_RUNNER"] = "threads"
    else:
        found |= {"HUGGINGGPT_TASK_RUNNER": "dask", **cluster.variables}
    if file := database_file(parse_url(settings.database)):
        found["HUGGINGGPT_DATABASE_URL"] = f"sqlite:///{file}"
    return found


def _check_free(host: str, port: int, option: str) -> None:
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with closing(socket.socket(family, kind)) as probe:
            # What ended a moment ago does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise UsageError(f"The host '{host}' is unknown: give an address of this machine with --host.") from None
    except OSError as error:
        raise UsageError(
            f"Port {port} of {host} cannot be used ({error.strerror}): choose another with {option}."
        ) from None


def _is_healthy(api_url: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{api_url}/health", timeout=5).is_success
    except httpx.TransportError:
        return False


def _is_online(api_url: str, worker: str, since: datetime) -> bool:
    import httpx

    from apps.up.prefect_api import flow_workers

    try:
        return worker in flow_workers(api_url, since)
    except httpx.HTTPError:
        return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def _have_joined(cluster: Cluster, least: int) -> bool:
    from hugginggpt.cluster.workers import expert_workers

    return len(expert_workers(cluster) or ()) >= least
