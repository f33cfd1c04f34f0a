"""The process of a temporary Prefect server, started with the standard library alone.

A command starts it before anything else, so that the server imports Prefect while the command does.
"""

import atexit
import http.client
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parents[1]
GRACE = 5.0
"""Seconds that the server gets to stop by itself."""

_DECISIVE = ("PREFECT_API_URL", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")
"""With one of these variables set, only Prefect itself can tell whether a run needs a temporary server."""


class ServerProcess:
    """A Prefect server that ends with this process. Creating it does not wait for it.

    Args:
        environment: its variables, besides the login.

    Attributes:
        api_url: where it is, or will be soon.
        login: what only this process and the server know, and its clients have to say.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        # Connections that come before the server is up wait in the backlog of this socket.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.api_url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
            self.login = f"hugginggpt:{secrets.token_urlsafe(32)}"
            path = [str(CHECKOUT), *filter(None, [environment.get("PYTHONPATH")])]
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "apps.up.prefect_server"),
                    *("--fd", str(listening.fileno()), "--parent", str(os.getpid())),
                ],
                env={
                    **environment,
                    "PYTHONPATH": os.pathsep.join(path),
                    # Other users of the machine cannot read the environment of a process.
                    "PREFECT_SERVER_API_AUTH_STRING": self.login,
                    "PREFECT_API_AUTH_STRING": self.login,
                },
                pass_fds=[listening.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._owner = os.getpid()
        atexit.register(self.stop)

    def wait_until_up(self, seconds: float) -> None:
        """Wait until it answers.

        Raises:
            OSError: it does not, or has ended.
            HTTPException: the same.
        """
        connection = http.client.HTTPConnection(urlsplit(self.api_url).netloc, timeout=seconds)
        try:
            connection.request("GET", "/api/health")
            if (answer := connection.getresponse()).status != http.client.OK:
                raise http.client.HTTPException(f"HTTP {answer.status}")
        finally:
            connection.close()

    def stop(self) -> None:
        """End it, and wait until it has ended; a fork of the process that started it does nothing."""
        if os.getpid() != self._owner:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def another_server_is_possible() -> bool:
    """Whether `up`, a setting of ours, or one of Prefect's may name a server."""
    if any(os.environ.get(name) for name in _DECISIVE) or os.environ.get("HUGGINGGPT_TASK_RUNNER") == "dask":
        return True
    home = Path(os.environ.get("HUGGINGGPT_HOME") or "~/.hugginggpt").expanduser()
    prefect = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    return (
        (home / "up.json").exists()
        or (prefect / "profiles.toml").exists()
        or Path("prefect.toml").exists()
        or _contains(Path(".env"), b"prefect_")
        or _contains(Path("pyproject.toml"), b"tool.prefect")
    )


_early: ServerProcess | None = None


def start_early() -> None:
    """Start a server for the flow run that this process is about to begin, once, if that surely needs one."""
    global _early
    if _early is None and not another_server_is_possible():
        _early = ServerProcess(os.environ)


def take_early() -> ServerProcess | None:
    """The server that was started early, once; its taker uses it or stops it."""
    global _early
    taken, _early = _early, None
    return taken


def _contains(file: Path, words: bytes) -> bool:
    try:
        return words in file.read_bytes().lower()
    except OSError:
        return False
