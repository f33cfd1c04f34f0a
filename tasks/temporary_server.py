"""A Prefect server of ours that ends with this process, for runs where there is no other.

Prefect's own temporary server does not: it stays behind when a process is killed, and answers to every page of a
browser and to every user of the machine. This one has a login that only this process and the server know, and keeps its
database in the private home folder.
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

from hugginggpt.errors import OrchestratorUnavailableError
from hugginggpt.home import OWNER_ONLY, open_home
from hugginggpt.settings import CHECKOUT, get_settings

GRACE = 5.0
"""Seconds that the server has to end by itself."""


class TemporaryServer:
    """A Prefect server without UI and schedules, for the runs of this process. It is started, not awaited.

    Attributes:
        api_url: where it will be.
    """

    def __init__(self) -> None:
        # What connects before it is up waits in the queue of this socket.
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
        """Have runs reported to it, once it is up.

        Raises:
            OrchestratorUnavailableError: it does not come up.
        """
        if not self._is_up:
            self._await()
        with temporary_settings({PREFECT_API_URL: self.api_url, PREFECT_API_AUTH_STRING: self._login}):
            if not self._is_up:
                # What is logged last is sent from threads that know the global settings only.
                prefect.context.GLOBAL_SETTINGS_CONTEXT = get_settings_context()
                self._is_up = True
            yield

    def _await(self) -> None:
        seconds = PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
        try:
            with httpx.Client(trust_env=False, timeout=seconds) as client:
                client.get(f"{self.api_url}/health").raise_for_status()
        except httpx.HTTPError as error:
            raise OrchestratorUnavailableError(
                f"The temporary Prefect server did not come up ({type(error).__name__}): run it again with --verbose "
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
        # The user's profiles count; what the server writes is not for their folder. It is not the one of `up` either:
        # two servers do not share a database, nor this one the limits and schedules there.
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
    """The one of this process, started if need be; None where there is another server, or none is allowed."""
    global _started
    url = PREFECT_API_URL.value()
    with _lock:
        if url:
            return _started if is_temporary(url) else None
        if _started is None and PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
            _started = TemporaryServer()
        return _started


def is_temporary(api_url: str) -> bool:
    """Whether that is the temporary server of this process."""
    return _started is not None and _started.api_url == api_url
