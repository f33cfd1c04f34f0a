"""The HTTP service of an `up`, on loopback: `python -m apps.http.server --fd N --forks N`."""

import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from apps.http.work import Work
from apps.up.forks import Forks
from hugginggpt.errors import HuggingGPTError

STOP_SECONDS = 5
"""How long open streams may take to end when the service is stopped."""
JOB_SECONDS = 2.0
"""How long jobs that are stopped with the service may take to end."""


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m apps.http.server", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="file descriptor of the bound socket to listen on")
    parser.add_argument(
        "--forks", type=int, required=True, help="file descriptor of the socket over which to ask the fork server"
    )
    arguments = parser.parse_args()
    bound = socket.socket(fileno=arguments.fd)
    forks = Forks.inherited(arguments.forks)
    # uvicorn raises the signal again when it has stopped, and by default that ends the process.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="hugginggpt-service-"))
    work = Work(folder, forks)
    code = 0
    try:
        _serve(bound, work, partial(forks.check, folder))
    except HuggingGPTError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        code = 2
    except SystemExit as ending:
        code = int(ending.code or 0)
    if work.wait(JOB_SECONDS):  # otherwise jobs go on in it
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


def _serve(bound: socket.socket, work: Work, check_forks: Callable[[], None]) -> None:
    import uvicorn

    from apps.http.application import application
    from apps.http.links import is_signed
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
    check_forks()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            work.stop()
            super().handle_exit(sig, frame)

    ui_url = os.environ.get("PREFECT_UI_URL") or os.environ["PREFECT_API_URL"].removesuffix("/api")
    names = (*LOOPBACK_NAMES, *settings.allowed_hosts)
    config = uvicorn.Config(
        Guard(application(key, ui_url, work), names, partial(is_signed, key)),
        log_level="warning",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    Server(config).run([bound])


if __name__ == "__main__":
    main()
