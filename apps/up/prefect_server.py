"""Prefect's server, run by us: the application that Prefect makes, and what we put around it.

`prefect server start` answers to every host name and every page. Here it answers to its own names and its own
pages only (`guard`), with Prefect's protection against forged requests, and with a login wherever other machines
reach it.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from contextlib import nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any

from hugginggpt.addresses import parse_authority
from hugginggpt.errors import HuggingGPTError, UsageError

if TYPE_CHECKING:
    import uvicorn

LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Who keeps who holds slots of a limit: files in PREFECT_HOME. In the server's memory, Prefect's own choice, that is
lost when it dies, while its database goes on counting the slots as taken.
"""
LONGEST_END = 60.0
"""Seconds that the server has to end when its parent is gone: it may be making its tables."""
_LOOKS_EVERY = 0.2


def main() -> None:
    """Serve until SIGINT or SIGTERM; a temporary server until the process that started it is gone, too."""
    arguments = _arguments()
    if arguments.parent:
        threading.Thread(target=_end_with, args=(arguments.parent,), daemon=True).start()
    try:
        names = _names(arguments.host)
        # First of all, for the rest takes seconds.
        bound = _bound(arguments.host, arguments.port) if arguments.fd is None else socket.socket(fileno=arguments.fd)
        _configure(names, bound.getsockname()[1])
    except HuggingGPTError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        sys.exit(2)
    server = _server(names, temporary=bool(arguments.parent))
    server.run([bound])
    if not server.started:
        sys.exit(3)


def origins(names: tuple[str, ...], port: int) -> list[str]:
    """The pages of a server that answers to these names."""
    return [f"http://{f'[{name}]' if ':' in name else name}:{port}" for name in names]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m apps.up.prefect_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="where it listens")
    parser.add_argument("--port", type=int, default=4200)
    parser.add_argument("--parent", type=int, help="a temporary server: ends with that process, which started it")
    parser.add_argument("--fd", type=int, help="a listening socket to take over")
    return parser.parse_args()


def _names(host: str) -> tuple[str, ...]:
    """The hosts that it answers to.

    Raises:
        HuggingGPTError: it must not listen there, or a setting cannot be used.
    """
    from apps.up.guard import LOOPBACK_NAMES
    from apps.up.login import EVERYWHERE, check_login
    from hugginggpt.settings import get_settings

    check_login(host)
    known = parse_authority(f"[{host}]" if ":" in host else host)
    own = () if known is None or host in EVERYWHERE else (known.host,)
    return tuple(dict.fromkeys((*LOOPBACK_NAMES, *own, *get_settings().allowed_hosts)))


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has the address, and does not listen yet: who comes early is refused.

    Raises:
        UsageError: it cannot be had.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise UsageError(f"Port {port} of {host} cannot be used ({error.strerror}): choose another.") from None
    return bound


def _configure(names: tuple[str, ...], port: int) -> None:
    """Set what Prefect reads when it is imported. What protects the server is not the user's to set otherwise."""
    from hugginggpt.environment import set_defaults

    set_defaults()
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(origins(names, port))
    os.environ["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] = "true"
    if not os.environ.get("PREFECT_UI_API_URL"):
        # Under whichever of its names a browser reached it.
        os.environ.setdefault("PREFECT_SERVER_UI_API_URL", "/api")
    os.environ.setdefault("PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", LEASES)


def _server(names: tuple[str, ...], *, temporary: bool) -> "uvicorn.Server":
    import uvicorn
    from filelock import FileLock
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    from apps.up.guard import Guard

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            # Two that begin with the same empty database would both make its tables.
            with FileLock(begun) if temporary else nullcontext():
                await super().startup(sockets)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Ctrl-C reaches a temporary server, too, and whoever started it still has to tell it how that ended.
            if not (temporary and sig == signal.SIGINT):
                super().handle_exit(sig, frame)

    begun = get_current_settings().home / "temporary-server.lock"
    begun.parent.mkdir(parents=True, exist_ok=True)
    settings = get_current_settings().server
    application: Any = Guard(create_app(ephemeral=temporary, final=True), names)
    config = uvicorn.Config(
        application,
        timeout_keep_alive=int(settings.api.keepalive_timeout),
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        log_level="error" if temporary else settings.logging_level.lower(),
        lifespan="on",
    )
    return Server(config)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOKS_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LONGEST_END)
    os._exit(1)


if __name__ == "__main__":
    main()
