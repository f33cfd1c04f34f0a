"""A temporary Prefect server that ends with this process, for runs that have no other server.

Prefect's own temporary server keeps running if its process is killed, and answers every web page in a browser and every
user of the machine. Ours has a login that only this process and the server know, and keeps its database in the private
home folder.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from threading import Lock

import prefect.context
from prefect.context import get_settings_context
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)

from hugginggpt.cluster.address import cluster_of
from hugginggpt.errors import ConfigurationError, OrchestratorUnavailableError
from hugginggpt.server_process import ServerProcess, take_early
from hugginggpt.settings import get_settings


class TemporaryServer:
    """A Prefect server without UI and schedules, for the runs of this process. Creating it does not wait for it.

    Attributes:
        api_url: where it is, or will be soon.
    """

    def __init__(self) -> None:
        self._process = take_early() or ServerProcess(_environment())
        self.api_url = self._process.api_url
        self._is_up = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """Wait until it is up, and report the runs in the block to it.

        Raises:
            OrchestratorUnavailableError: it did not come up.
        """
        # First, because it takes a while, and the server may not be up yet.
        with temporary_settings({PREFECT_API_URL: self.api_url, PREFECT_API_AUTH_STRING: self._process.login}):
            if not self._is_up:
                self._wait_until_up()
                # The last log entries are sent from threads that know only the global settings.
                prefect.context.GLOBAL_SETTINGS_CONTEXT = get_settings_context()
                self._is_up = True
            yield

    def _wait_until_up(self) -> None:
        try:
            self._process.wait_until_up(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
        except (OSError, HTTPException) as error:
            raise OrchestratorUnavailableError(
                f"The temporary Prefect server did not start ({type(error).__name__}): run it with --verbose "
                "to see why, or start a lasting one with `hugginggpt up`."
            ) from None


def _environment() -> dict[str, str]:
    """The environment of a server that has the Prefect settings of this process."""
    return {**os.environ, **get_current_settings().to_environment_variables(exclude_unset=True)}


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
