"""The login of Prefect's server: one secret, which clients send with every request."""

import os
import socket

from hugginggpt.addresses import is_loopback
from hugginggpt.errors import UsageError

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Hosts that mean every address of this machine, and the address at which it then reaches itself."""

SERVER = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT = "PREFECT_API_AUTH_STRING"


def login() -> str | None:
    """The secret that the environment sets for the server; None without a login."""
    return os.environ.get(SERVER) or None


def check_login(host: str) -> None:
    """Check that a server has a login if other machines can reach it.

    Args:
        host: the address that the server will listen on.

    Raises:
        UsageError: other machines may reach that address, and no login is set; or the host is unknown.
    """
    try:
        if not host:  # would mean every address
            raise ValueError
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise UsageError(f"The host '{host}' is unknown: give an address of this machine with --host.") from None
    if login() is None and not is_loopback(host):
        raise UsageError(
            f"Other machines can reach {host}, and Prefect's server has no login: set one in {SERVER}, "
            "such as admin:a-long-secret, or listen on 127.0.0.1."
        )
