"""The HTTP service of an `up`, on loopback: `python -m apps.http.server --fd N`."""

import argparse
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from hugginggpt.errors import HuggingGPTError

STOP_SECONDS = 5
"""How long open streams may take to end when the service is stopped."""
JOB_SECONDS = 2.0
"""How long jobs that are stopped with the service may take to end."""


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m apps.http.server", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="file descriptor of the bound socket to listen on")
    bound = socket.socket(fileno=parser.parse_args().fd)
    # uvicorn raises the signal again when it has stopped, and by default that ends the process.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="hugginggpt-service-"))
    code = 0
    try:
        _serve(bound, folder)
    except HuggingGPTError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        code = 2
    except SystemExit as ending:
        code = int(ending.code or 0)
    deadline = time.monotonic() + JOB_SECONDS
    for job in multiprocessing.active_children():
        job.join(max(0.0, deadline - time.monotonic()))
    if multiprocessing.active_children():
        os._exit(code)  # they go on in their folders; `sys.exit` would wait for them
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


def _serve(bound: socket.socket, folder: Path) -> None:
    from apps.up.forks import start_fork_server

    start_fork_server(folder)

    import uvicorn

    from apps.http.application import application
    from apps.http.work import Work
    from apps.up.guard import LOOPBACK_NAMES, Guard
    from hugginggpt.errors import ConfigurationError
    from hugginggpt.redaction import keep_out_of_logs
    from hugginggpt.service_key import read_key
    from hugginggpt.services import get_trace
    from hugginggpt.settings import get_settings

    settings = get_settings()
    keep_out_of_logs()
    key = read_key(settings.home_dir)
    if key is None:
        raise ConfigurationError(
            f"The home folder {settings.home_dir} has no key for the service: run `hugginggpt up`."
        )
    get_trace()
    ui_url = os.environ.get("PREFECT_UI_URL") or os.environ["PREFECT_API_URL"].removesuffix("/api")
    names = (*LOOPBACK_NAMES, *settings.allowed_hosts)
    config = uvicorn.Config(
        Guard(application(key, ui_url, Work(folder)), names),
        log_level="warning",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    uvicorn.Server(config).run([bound])


if __name__ == "__main__":
    main()
