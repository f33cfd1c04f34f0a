"""The parts of an `up`, in the order in which they start."""

import http.client
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from apps.up.login import CLIENT, EVERYWHERE, check_login, login
from apps.up.ports import bind
from hugginggpt.addresses import bracketed, is_loopback
from hugginggpt.environment import POOL
from hugginggpt.errors import ConfigurationError, UsageError
from hugginggpt.service_key import read_key
from hugginggpt.settings import CHECKOUT, Settings, get_settings
from hugginggpt.trace.database import database_file, parse_url
from hugginggpt.up_state import own_cluster

LOOPBACK = "127.0.0.1"

_FEW_ARENAS = {"MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2")}
"""glibc gives each thread an arena of its own, which keeps what was freed. The threads of these parts only wait."""


@dataclass(frozen=True)
class UpOptions:
    """How many of each part to run, and where they listen.

    Attributes:
        host: the address of Prefect's server; beyond loopback it needs a login. The Dask scheduler listens only on
            loopback, because it runs whatever it is sent.
        workers: the number of flow workers.
        requests: how many requests each flow worker runs at once.
        expert_workers: the number of expert workers; with 0, experts run in the flows' own processes.
        service_port: the port of the HTTP service; 0 takes a free one.
        service_host: the address of the HTTP service; beyond loopback it needs TLS or a proxy, and the commands of this
            machine reach it on a free port of loopback.
        alone: run the HTTP service alone, beside the Prefect server that PREFECT_API_URL names.
    """

    host: str = LOOPBACK
    port: int = 4200
    dask_port: int = 8786
    workers: int = 1
    requests: int = 2
    expert_workers: int = 0
    service_port: int = 4201
    service_host: str = LOOPBACK
    alone: bool = False

    @property
    def api_url(self) -> str:
        """The Prefect server's API, as this machine reaches it."""
        if self.alone:
            return os.environ["PREFECT_API_URL"]
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://{bracketed(host)}:{self.port}/api"

    @property
    def dask_address(self) -> str | None:
        """The scheduler of the expert workers; None without them."""
        return f"tls://{LOOPBACK}:{self.dask_port}" if self.expert_workers else None

    @property
    def flow_workers(self) -> list[str]:
        """The names of the flow workers."""
        return [f"flow-worker-{number + 1}" for number in range(self.workers)]

    def check(self) -> None:
        """Check that everything can be started.

        Raises:
            UsageError: a port is taken or given twice, the host is not this machine's, or others could reach it without
                a login.
            ConfigurationError: a package is not installed.
        """
        self._check_service()
        if self.alone:
            return
        check_login(self.host)
        ports = [port for port in (self.port, self.service_port, self.dask_port if self.expert_workers else 0) if port]
        if len(set(ports)) < len(ports):
            raise UsageError(
                "Two parts cannot listen on the same port: choose others with --port, --dask-port or --service-port."
            )
        bind(self.host, self.port).close()
        if self.expert_workers:
            if find_spec("distributed") is None or find_spec("prefect_dask") is None:
                raise ConfigurationError(
                    "Expert workers need packages that are not installed: run `pip install 'hugginggpt[dask]'`, "
                    "or pass --expert-workers 0 to run experts in each request's own process."
                )
            bind(LOOPBACK, self.dask_port, "--dask-port").close()

    @property
    def is_open(self) -> bool:
        """Whether other machines may reach the HTTP service."""
        return not is_loopback(self.service_host)

    def service_sockets(self) -> list[socket.socket]:
        """The bound sockets of the HTTP service: the first is on loopback.

        Raises:
            UsageError: a port is taken.
        """
        if not self.is_open:
            return [bind(self.service_host, self.service_port, "--service-port")]
        return [bind(LOOPBACK, 0), bind(self.service_host, self.service_port, "--service-port")]

    def _check_service(self) -> None:
        try:
            bound = self.service_sockets()
        except OSError as error:
            raise UsageError(f"The host '{self.service_host}' cannot be used ({error.strerror}).") from None
        for each in bound:
            each.close()
        settings = get_settings()
        has_tls = settings.service_tls_cert is not None and settings.service_tls_key is not None
        if self.is_open and not has_tls and settings.service_proxy is None:
            raise UsageError(
                f"Other machines can reach {self.service_host}, and keys would cross the network in the clear: set "
                "HUGGINGGPT_SERVICE_TLS_CERT and HUGGINGGPT_SERVICE_TLS_KEY, or name the proxy that does the TLS in "
                "HUGGINGGPT_SERVICE_PROXY."
            )


@dataclass(frozen=True)
class Part:
    """A process to keep running.

    Attributes:
        is_ready: whether it has started; None if `set_up` waits for it.
        environment: variables in addition to those of all parts.
        port: the port that it listens on, checked because another program on the port could also satisfy `is_ready`.
        sockets: sockets that it inherits. They outlive the process: no other program gets a port that it listens on,
            and what is sent to it meanwhile waits.
    """

    name: str
    command: list[str]
    is_ready: Callable[[], bool] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    sockets: tuple[socket.socket, ...] = ()


def parts(
    options: UpOptions,
    settings: Settings,
    database: dict[str, str],
    service: Sequence[socket.socket],
    forks: tuple[socket.socket, socket.socket],
) -> list[Part]:
    """The parts, each after the parts that it needs. The first is Prefect's server, unless the service runs alone.

    Args:
        options: how many parts, and where.
        settings: the settings.
        database: the variables that tell Prefect's server its database.
        service: the bound sockets of the HTTP service, the one on loopback first.
        forks: connected sockets: over the first the fork server takes requests, over the second it is asked.
    """
    python = [sys.executable, "-P", "-m"]
    server = [*python, "apps.up.prefect_server", "--host", options.host, "--port", str(options.port)]
    answers = partial(is_healthy, options.api_url)
    found = [] if options.alone else [Part("prefect-server", server, answers, database | _FEW_ARENAS, options.port)]
    cluster = own_cluster(settings.home_dir, options.dask_address)
    if cluster is not None:
        ours = [*python, "apps.cli", "expert-worker"]
        place = ["--host", LOOPBACK, "--port", str(options.dask_port)]
        listens = partial(_listens, options.dask_port)
        found.append(Part("dask-scheduler", [*ours, "--scheduler", *place], listens, port=options.dask_port))
        for number in range(options.expert_workers):
            found.append(Part(f"expert-worker-{number + 1}", ours))
    asked, asks = forks
    over = ["--forks", str(asks.fileno())]
    found.append(
        Part("fork-server", [*python, "apps.up.fork_server", "--requests", str(asked.fileno())], sockets=(asked,))
    )
    worker = [*python, "apps.up.flow_worker", "--pool", POOL, "--limit", str(options.requests), "--wait-for-pool"]
    # Prefect's default of ten seconds is long for a user who waits for an answer.
    polling = _FEW_ARENAS | {"PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "2")}
    for name in [] if options.alone else options.flow_workers:
        found.append(Part(name, [*worker, "--name", name, *over], environment=polling, sockets=(asks,)))
    places = [word for bound in service for word in ("--fd", str(bound.fileno()))]
    serve = [*python, "apps.http.server", *places, "--host", options.service_host, *over]
    is_serving = partial(_serves, service[0].getsockname()[1], settings.home_dir)
    found.append(Part("service", serve, is_serving, _FEW_ARENAS, sockets=(*service, asks)))
    return found


def part_environment(options: UpOptions, settings: Settings) -> dict[str, str]:
    """The environment of every part.

    Its paths are absolute, because each flow run has its own working folder, and no part looks for packages in its
    working folder. Where tasks run follows from `expert_workers`, whatever the user's environment says.
    """
    path = [os.path.abspath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    found = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *path]),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        **settings.places,
        "PREFECT_API_URL": options.api_url,
        "PREFECT_HOME": str(settings.home_dir / "prefect"),
    }
    if secret := login():
        found[CLIENT] = secret
    cluster = own_cluster(settings.home_dir, options.dask_address)
    if options.alone:
        pass  # tasks run where the environment says
    elif cluster is None:
        found["HUGGINGGPT_TASK_RUNNER"] = "threads"
    else:
        found |= {"HUGGINGGPT_TASK_RUNNER": "dask", **cluster.variables}
    if file := database_file(parse_url(settings.database)):
        found["HUGGINGGPT_DATABASE_URL"] = f"sqlite:///{file}"
    return found


def is_healthy(api_url: str) -> bool:
    """Whether the Prefect server with that API is up."""
    api = urlsplit(api_url)
    # With httpx, each call would load all certificates, which takes longer than the pause between two calls.
    connection = http.client.HTTPConnection(api.netloc, timeout=5)
    try:
        connection.request("GET", f"{api.path}/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _serves(port: int, home: Path) -> bool:
    from apps.http.client import Service

    key = read_key(home)
    return key is not None and Service(f"http://{LOOPBACK}:{port}", key).proves_itself()


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
