"""The HTTP service of an `up`: `python -m apps.http.server --fd N [--fd N --host HOST] --forks N`."""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    parser.add_argument(
        "--fd",
        type=int,
        required=True,
        action="append",
        help="file descriptor of a bound socket to listen on; the first is on loopback, a second one is open to others",
    )
    parser.add_argument("--host", required=True, help="the host that clients elsewhere may call the service by")
    parser.add_argument(
        "--forks", type=int, required=True, help="file descriptor of the socket over which to ask the fork server"
    )
    arguments = parser.parse_args()
    bound = [socket.socket(fileno=number) for number in arguments.fd]
    forks = Forks.inherited(arguments.forks)
    # uvicorn raises the signal again when it has stopped, and by default that ends the process.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="hugginggpt-service-"))
    work = Work(folder, forks)
    code = 0
    try:
        _serve(bound, arguments.host, work, partial(forks.check, folder))
    except HuggingGPTError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        code = 2
    except SystemExit as ending:
        code = int(ending.code or 0)
    if work.wait(JOB_SECONDS):  # otherwise jobs go on in it
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


def _serve(bound: list[socket.socket], host: str, work: Work, check_forks: Callable[[], None]) -> None:
    import uvicorn

    from apps.http.application import application
    from apps.http.callers import follows_signed_link
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

    class Outer(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # the other one does

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            work.stop()
            for other in outer:
                other.should_exit = True
            super().handle_exit(sig, frame)

    ui_url = os.environ.get("PREFECT_UI_URL") or os.environ["PREFECT_API_URL"].removesuffix("/api")
    guarded = Guard(
        application(key, ui_url, work),
        (*LOOPBACK_NAMES, host, *settings.allowed_hosts),
        partial(follows_signed_link, key),
    )
    config = partial(uvicorn.Config, guarded, log_level="warning", timeout_graceful_shutdown=STOP_SECONDS)
    outer = [
        Outer(
            config(
                lifespan="off",  # the other one's is for both
                ssl_certfile=settings.service_tls_cert,
                ssl_keyfile=settings.service_tls_key,
                proxy_headers=settings.service_proxy is not None,
                forwarded_allow_ips=settings.service_proxy,
            )
        )
        for _ in bound[1:]
    ]
    inner = Server(config(proxy_headers=False))

    async def serve() -> None:
        await asyncio.gather(*(server.serve([one]) for server, one in zip([inner, *outer], bound, strict=True)))

    with asyncio.Runner(loop_factory=inner.config.get_loop_factory()) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
