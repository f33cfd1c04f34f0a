"""Ports that servers listen on."""

import socket

from hugginggpt.errors import UsageError
from hugginggpt.redaction import said


def bind(host: str, port: int, option: str = "--port") -> socket.socket:
    """A socket that is bound to an address but does not listen yet, so that early clients are refused."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            # Connections that have just closed do not count.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise UsageError(
            f"Port {port} of {host} cannot be used ({said(error)}): choose another with {option}."
        ) from None
    return bound
