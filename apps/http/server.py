"""The HTTP service of an `up`, on loopback: `python -m apps.http.server --fd N`."""

import argparse
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

from hugginggpt.errors import HuggingGPTError

STOP_SECONDS = 5
"""How long open streams may take to end when the service is stopped."""


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m apps.http.server", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="file descriptor of the bound socket to listen on")
    bound = socket.socket(fileno=parser.parse_args().fd)
    # So that the folder is deleted: uvicorn raises the signal again when it has stopped, which would end the process.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="hugginggpt-service-") as folder:
        try:
            _serve(bound, Path(folder))
        except HuggingGPTError as error:
            print(f"Error: {error.message}", file=sys.stderr)
            sys.exit(2)


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
