"""A temporary Prefect server that ends with this process, for runs that have no other server.

Prefect's own temporary server keeps running if its process is killed, and answers every web page in a browser and every
user of the machine. Ours has a login that only this process and the server know, and keeps its database in the private
home folder.
"""

import atexit
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import httpx
import prefect.context
from prefect.context import get_settings_context
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)

from hugginggpt.cluster.address import cluster_of
from hugginggpt.errors import ConfigurationError, OrchestratorUnavailableError
from hugginggpt.home import OWNER_ONLY, open_home
from hugginggpt.settings import CHECKOUT, get_settings

GRACE = 5.0
"""Seconds that the server gets to stop by itself."""


class TemporaryServer:
    """A Prefect server without UI and schedules, for the runs of this process. Creating it does not wait for it.

    Attributes:
        api_url: where it is, or will be soon.
    """

    def __init__(self) -> None:
        # Connections that come before the server is up wait in the backlog of this socket.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.api_url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
            self._login = f"hugginggpt:{secrets.token_urlsafe(32)}"
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "apps.up.prefect_server"),
                    *("--fd", str(listening.fileno()), "--parent", str(os.getpid())),
                ],
                env=_environment(self._login),
                pass_fds=[listening.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._is_up = False
        self._owner = os.getpid()
        atexit.register(self._stop)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Wait until it is up, and report the runs in the block to it.

        Raises:
            OrchestratorUnavailableError: it did not come up.
        """
        if not self._is_up:
            self._wait_until_up()
        with temporary_settings({PREFECT_API_URL: self.api_url, PREFECT_API_AUTH_STRING: self._login}):
            if not self._is_up:
                # The last log entries are sent from threads that know only the global settings.
                prefect.context.GLOBAL_SETTINGS_CONTEXT = get_settings_context()
                self._is_up = True
            yield

    def _wait_until_up(self) -> None:
        seconds = PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
        try:
            with httpx.Client(trust_env=False, timeout=seconds) as client:
                client.get(f"{self.api_url}/health").raise_for_status()
        except httpx.HTTPError as error:
            raise OrchestratorUnavailableError(
                f"The temporary Prefect server did not start ({type(error).__name__}): run it with --verbose "
                "to see why, or start a lasting one with `hugginggpt up`."
            ) from None

    def _stop(self) -> None:
        if os.getpid() != self._owner:
            return  # a fork
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment(login: str) -> dict[str, str]:
    """The environment of the server's process, which only its user can read."""
    settings, path = get_current_settings(), [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        **settings.to_environment_variables(exclude_unset=True),
        "PYTHONPATH": os.pathsep.join(path),
        PREFECT_SERVER_API_AUTH_STRING.name: login,
        PREFECT_API_AUTH_STRING.name: login,
    }
    if "home" not in settings.model_fields_set:
        # The user's profiles apply, but the server does not write into their folder. It does not use the folder of `up`
        # either: two servers must not share a database, and limits and schedules of `up` are not for this one.
        home = get_settings().home_dir
        open_home(home)
        (home / "prefect").mkdir(mode=OWNER_ONLY, exist_ok=True)
        environment |= {
            "PREFECT_HOME": str(home / "prefect" / "temporary"),
            "PREFECT_PROFILES_PATH": str(settings.profiles_path),
        }
    return environment


_lock = Lock()
_started: TemporaryServer | None = None


def temporary_server() -> TemporaryServer | None:
    """The temporary server of this process, started on first use; None if another server is set, or none is allowed."""
    global _started
    url = PREFECT_API_URL.value()
    with _lock:
        if url:
            return _started if is_temporary(url) else None
        if _started is None and PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
            _started = TemporaryServer()
        return _started


def is_temporary(api_url: str) -> bool:
    """Whether this is the address of this process's temporary server."""
    return _started is not None and _started.api_url == api_url


def check_workers_reach_server() -> None:
    """Raise if tasks are to run on expert workers that cannot reach the Prefect server of this process.

    Raises:
        ConfigurationError: it is the temporary one, or there is none; or their cluster cannot be used with these
            settings.
    """
    settings, url = get_settings(), PREFECT_API_URL.value()
    if settings.task_runner != "dask":
        return
    cluster_of(settings)
    if not url or is_temporary(url):
        raise ConfigurationError(
            "Expert workers need a Prefect server that they can reach: start one with `hugginggpt up`, name one "
            "in PREFECT_API_URL, or set HUGGINGGPT_TASK_RUNNER to threads."
        )
