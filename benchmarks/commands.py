"""Our commands and a bare Prefect server, timed in a home of their own, with nothing of the user's settings."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from hugginggpt.settings import CHECKOUT
from tests.servers import free_port

QUESTION = ["ask", "What is the total?", "--file", str(CHECKOUT / "examples" / "invoice.png")]
"""A request that the embedded controller plans as one document question."""

# Like an installed package, the checkout keeps its modules compiled.
_SETTINGS = ("HUGGINGGPT_", "PREFECT_", "OPENAI_", "HF_", "PYTHONDONTWRITEBYTECODE")


def environment(home: Path) -> dict[str, str]:
    """The variables of a user with that home, who has set nothing and has no network."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)} | {
        "HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(CHECKOUT),
    }


def seconds_of(home: Path, *arguments: str) -> float:
    """How long one of our commands takes from its start to its end, in seconds.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-P", "-m", "apps.cli", *arguments]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=home, env=environment(home), capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{arguments[0]} ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def seconds_of_bare_start(home: Path) -> float:
    """How long `prefect server start` takes until it is healthy, in seconds; then it is stopped.

    Raises:
        SystemExit: it did not start.
    """
    port = free_port()
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _is_healthy(port):
            if server.poll() is not None:
                raise SystemExit("The bare Prefect server did not start.")
            time.sleep(0.02)
        return time.perf_counter() - began
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=60).is_success
    except httpx.TransportError:
        return False
