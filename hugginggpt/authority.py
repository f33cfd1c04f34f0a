"""Who is spoken to: the host and port of an address, compared as browsers compare them."""

import ipaddress
import re
from typing import NamedTuple

_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:/?#@\[\]\\]+))(?::([0-9]{0,5}))?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Authority(NamedTuple):
    """A host and a port.

    Attributes:
        host: a name in lower case, or an address without brackets.
        port: None when none is given.
    """

    host: str
    port: int | None


def parse_authority(text: str) -> Authority | None:
    """The host and port of `name`, `name:port`, `[::1]:port`; None for anything else."""
    matched = _AUTHORITY.fullmatch(text)
    if matched is None:
        return None
    address, name, port = matched.groups()
    try:
        host = str(ipaddress.IPv6Address(address)) if address else name.lower()
    except ValueError:
        return None
    return Authority(host, int(port) if port else None)


def is_same_origin(origin: str, host: str) -> bool:
    """Whether a page of an origin, as browsers send it, came from the host that is spoken to.

    The scheme does not count: behind a proxy that speaks HTTPS, the server is spoken to by HTTP.

    Args:
        origin: the header `Origin`, such as `http://127.0.0.1:4200` or `null`.
        host: the header `Host`.
    """
    scheme, colon, rest = origin.partition("://")
    theirs, ours = parse_authority(rest), parse_authority(host)
    if not colon or scheme not in _DEFAULT_PORTS or theirs is None or ours is None:
        return False
    default = _DEFAULT_PORTS[scheme]
    return (theirs.host, theirs.port or default) == (ours.host, ours.port or default)
