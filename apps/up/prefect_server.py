"""Prefect's server, run by us: Prefect's own application with a guard around it.

`prefect server start` answers to every host name and every page. This server answers only to its own names and its own
pages (`guard`), turns on Prefect's protection against forged requests, and requires a login wherever other machines can
reach it.
"""

import argparse
import asyncio
import ctypes
import errno
import gc
import os
import signal
import socket
import sys
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from apps.up.ports import bind
from apps.up.prefect_schema import prepare_database
from hugginggpt.addresses import bracketed, parse_authority
from hugginggpt.errors import HuggingGPTError

if TYPE_CHECKING:
    import uvicorn

LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Keeps the leases on slots of limits in files in PREFECT_HOME. Prefect's default, the server's memory, loses that
when the server dies, while its database goes on counting the slots as taken.
"""
STOP_SECONDS = 60.0
"""How long the server may take to stop when its parent is gone, because it may be creating its tables."""
SETTLE_SECONDS = 10.0
"""So long after its start, a lasting server gives back the memory that only the start took."""
QUIET_SECONDS = 1.0
"""It does so once nothing was asked of it for so long, because it answers nobody meanwhile, for a third of a second."""
_POLL_SECONDS = 0.2


def main() -> None:
    """Serve until SIGINT or SIGTERM, or, as a temporary server, until the process that started it is gone."""
    arguments = _arguments()
    gc.disable()  # until it is up: what is imported stays, and the collector would look through it over and over
    if arguments.parent:
        threading.Thread(target=_stop_with, args=(arguments.parent,), daemon=True).start()
    try:
        names = _names(arguments.host)
        # Bind first: everything else takes seconds.
        bound = bind(arguments.host, arguments.port) if arguments.fd is None else socket.socket(fileno=arguments.fd)
        _configure(names, bound.getsockname()[1])
        if arguments.parent:
            _configure_temporary()
        prepare_database()
    except HuggingGPTError as error:
        if not arguments.parent:  # otherwise the parent says the same
            print(f"Error: {error.message}", file=sys.stderr)
        sys.exit(2)
    server = _server(names, temporary=bool(arguments.parent))
    server.run([bound])
    if not server.started:
        sys.exit(3)


def origins(names: tuple[str, ...], port: int) -> list[str]:
    """The origins of the pages of a server that answers to these names."""
    return [f"http://{bracketed(name)}:{port}" for name in names]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m apps.up.prefect_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=4200, help="port to listen on")
    parser.add_argument("--parent", type=int, help="the process that started a temporary server, which stops with it")
    parser.add_argument("--fd", type=int, help="file descriptor of a bound socket to use")
    return parser.parse_args()


def _names(host: str) -> tuple[str, ...]:
    """The host names that the server answers to.

    Raises:
        HuggingGPTError: the server must not listen there, or a setting cannot be used.
    """
    from apps.up.guard import LOOPBACK_NAMES
    from apps.up.login import EVERYWHERE, check_login
    from hugginggpt.settings import get_settings

    check_login(host)
    known = parse_authority(bracketed(host))
    own = () if known is None or host in EVERYWHERE else (known.host,)
    return tuple(dict.fromkeys((*LOOPBACK_NAMES, *own, *get_settings().allowed_hosts)))


def _configure(names: tuple[str, ...], port: int) -> None:
    """Set the variables that Prefect reads on import. The user cannot turn off what protects the server."""
    from hugginggpt.environment import set_defaults

    set_defaults()
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(origins(names, port))
    os.environ["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] = "true"
    if not os.environ.get("PREFECT_UI_API_URL"):
        # Relative, so that it works under each of the server's names.
        os.environ.setdefault("PREFECT_SERVER_UI_API_URL", "/api")
    # The older pages play sound and videos; the newer ones leave them out of what they show.
    os.environ.setdefault("PREFECT_SERVER_UI_V2_ENABLED", "false")
    os.environ.setdefault("PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", LEASES)
    # A slot whose holder was killed comes free this many seconds after its lease has run out, at most.
    os.environ.setdefault("PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS", "5")


def _configure_temporary() -> None:
    """Keep the data of a temporary server apart, and register nothing that a single run does not use.

    The user's profiles apply, but the server does not write into their folder. It does not use the folder of `up`
    either: two servers must not share a database, and limits and schedules of `up` are not for this one.

    Raises:
        ConfigurationError: the home folder cannot be kept private, or cannot be written.
    """
    from hugginggpt.errors import ConfigurationError
    from hugginggpt.home import OWNER_ONLY, open_home
    from hugginggpt.redaction import said
    from hugginggpt.settings import get_settings

    if "PREFECT_HOME" not in os.environ:
        home = get_settings().home_dir
        open_home(home)
        try:
            (home / "prefect").mkdir(mode=OWNER_ONLY, exist_ok=True)
            if not os.access(home / "prefect", os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise ConfigurationError(
                f"The folder {home / 'prefect'} cannot be created or written ({said(error)}): set HUGGINGGPT_HOME to "
                "another folder."
            ) from None
        os.environ.setdefault("PREFECT_PROFILES_PATH", str(Path("~/.prefect/profiles.toml").expanduser()))
        os.environ["PREFECT_HOME"] = str(home / "prefect" / "temporary")
    if not any(name.startswith(("PREFECT_API_DATABASE_", "PREFECT_SERVER_DATABASE_")) for name in os.environ):
        file = Path(os.environ["PREFECT_HOME"]).expanduser() / "prefect.db"
        os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{file}"
    os.environ.setdefault("PREFECT_API_BLOCKS_REGISTER_ON_START", "false")
    os.environ.setdefault("PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION", "false")


def _server(names: tuple[str, ...], *, temporary: bool) -> "uvicorn.Server":
    import uvicorn
    from filelock import FileLock
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    from apps.up.artifacts import take_artifacts_together
    from apps.up.csrf import check_tokens
    from apps.up.guard import Guard
    from apps.up.recording import record_together
    from apps.up.routers import ask_only_the_router_of_a_path
    from apps.up.sqlite import keep_writers_in_line

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            # Two servers that start with the same empty database would both create its tables.
            with FileLock(lock) if temporary else nullcontext():
                await super().startup(sockets)
            gc.freeze()
            gc.enable()
            if not temporary:
                asyncio.get_running_loop().call_later(SETTLE_SECONDS, self.give_back_memory, -1)

        def give_back_memory(self, requests: int) -> None:
            if requests == (now := self.server_state.total_requests):
                _give_back_memory()
            else:
                asyncio.get_running_loop().call_later(QUIET_SECONDS, self.give_back_memory, now)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Ctrl-C also reaches a temporary server, but its parent still has to report how the run ended.
            if not (temporary and sig == signal.SIGINT):
                super().handle_exit(sig, frame)

    lock = get_current_settings().home / "temporary-server.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    settings = get_current_settings().server
    gc.freeze()  # `create_app` collects garbage, and would look through all that was imported
    application = create_app(ephemeral=temporary, final=True)
    take_artifacts_together(application)
    record_together()
    ask_only_the_router_of_a_path(application)
    config = uvicorn.Config(
        Guard(keep_writers_in_line(check_tokens(application)), names, policy=_policy(str(settings.ui.api_url or ""))),
        timeout_keep_alive=int(settings.api.keepalive_timeout),
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        log_level="error" if temporary else settings.logging_level.lower(),
        lifespan="on",
    )
    return Server(config)


def _policy(api_url: str) -> str:
    """The policy of Prefect's pages: they send nothing to anybody but the server, although one of them tries to.

    Args:
        api_url: where its pages reach its API.
    """
    scheme, host, *_ = urlsplit(api_url)
    elsewhere = (f"{scheme}://{host}", f"{scheme.replace('http', 'ws')}://{host}") if host else ()
    return " ".join(["connect-src 'self' data: blob:", *elsewhere])


def _give_back_memory() -> None:
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _stop_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
