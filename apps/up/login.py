"""The login of Prefect's server: one secret, which its clients say with every request."""

import os
import socket

from hugginggpt.addresses import is_loopback
from hugginggpt.errors import UsageError

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What stands for every address of this machine, and where it then reaches itself."""

SERVER = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT = "PREFECT_API_AUTH_STRING"


def login() -> str | None:
    """What the environment says the server asks for; None without a login."""
    return os.environ.get(SERVER) or None


def check_login(host: str) -> None:
    """See that a server which others can reach asks who they are.

    Args:
        host: the address that it is to listen on.

    Raises:
        UsageError: other machines may reach that address, and no login is set; or the host is unknown.
    """
    _check_known(host)
    if login() is None and not is_loopback(host):
        raise UsageError(
            f"Other machines may reach {host}, and Prefect's server asks nobody who they are: set a login in {SERVER}, "
            "such as admin:a-long-secret, or listen on 127.0.0.1."
        )


def _check_known(host: str) -> None:
    try:
        if not host:  # which would be everywhere
            raise ValueError
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise UsageError(f"The host '{host}' is unknown: give an address of this machine with --host.") from None
