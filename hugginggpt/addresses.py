"""Addresses from outside: of requests, plans, redirects and settings, and hosts with ports as headers name them.

All are read here, and whatever is wrong with one is said in the same words, never with its secrets.
"""

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from hugginggpt.text import one_line

if TYPE_CHECKING:
    import httpx

MOST_CHARS = 8000
"""Longer addresses are refused by most servers, too."""

_MOST_SHOWN = 200
_HOST = re.compile(
    r"(?!.{254})(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?"  # a name, or an address of version 4
    r"|(?=[^%]*:)[0-9a-f:.]+(?:%[\w.-]+)?",
    re.IGNORECASE,
)


_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:/?#@\[\]\\]+))(?::([0-9]{0,5}))?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """An address cannot be used: its message is the rest of a sentence whose subject is the address."""


class RefusedAddressError(AddressError):
    """An address could be used, and is not, for safety's sake."""


def web_address(text: str, base: "httpx.URL | None" = None) -> "httpx.URL":
    """Read an http or https URL; nothing but this class of error is ever raised.

    Args:
        text: the URL, or the target of a redirect.
        base: where the redirect came from.

    Returns:
        The URL without its fragment; host and port can be connected to.

    Raises:
        RefusedAddressError: it is neither http nor https, or holds a user name or password.
        AddressError: anything else is wrong with it.
    """
    import httpx

    if len(text) > MOST_CHARS:
        raise AddressError(f"has {len(text)} characters; {MOST_CHARS} is the most")
    try:
        url = httpx.URL(text) if base is None else base.join(text)
        scheme, host, port, userinfo = url.scheme, url.host and url.raw_host.decode(), url.port, url.userinfo
    except (httpx.InvalidURL, ValueError, TypeError):
        # Hosts that are no names raise errors of Unicode. What the error says can be a part of a password.
        raise AddressError("is not a valid URL; check it") from None
    if scheme not in ("http", "https"):
        raise RefusedAddressError("is neither http nor https; give such a URL or a path")
    before, _, after = text.partition("//")
    if userinfo or ((not before or before.endswith(":")) and _user(after)):
        raise RefusedAddressError("holds a user name or password; give one without")
    if not host:
        raise AddressError("names no host; check it")
    if not _HOST.fullmatch(host):
        raise AddressError("names a host that no host can be called; check it")
    _check_port(port)
    return url.copy_with(fragment=None)


def scheduler_address(text: str) -> tuple[str, int]:
    """The host and port of a Dask scheduler's address.

    Raises:
        AddressError: it is none.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None or parts.scheme not in ("tcp", "tls") or len(text) > MOST_CHARS:
        raise AddressError("is not the address of a Dask scheduler: give one such as tcp://127.0.0.1:8786")
    if holds_user(text) or parts.query or parts.path.strip("/"):
        raise RefusedAddressError("holds more than a host and a port: give one such as tcp://127.0.0.1:8786")
    if not _HOST.fullmatch(host):
        raise AddressError("names a host that no host can be called; check it")
    _check_port(port)
    return host, port


def _check_port(port: int | None) -> None:
    if port is not None and not 0 < port < 65536:
        raise AddressError(f"has the port {str(port)[:20]}; ports are between 1 and 65535")


def holds_user(address: str) -> bool:
    """Whether an address, or one inside it, has a user name or password before its host."""
    return any(_user(part) for part in address.split("//")[1:])


def shown(url: str) -> str:
    """The URL for people: in one line, without query and credentials, which can be secrets."""
    before, slashes, after = url[:MOST_CHARS].partition("//")
    # First of all: a password can hold what begins a query.
    without_user = before + slashes + after[len(_user(after)) :]
    first, *others = re.split(r"[?#]", without_user, maxsplit=1)[0].split("//")
    return one_line("//".join([first, *(part[len(_user(part)) :] for part in others)]), _MOST_SHOWN)


def _user(after: str) -> str:
    """What stands before the host, given what comes after two slashes."""
    authority = re.split(r"[/?#]", after, maxsplit=1)[0]
    host, _, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
    could_be_host = (port.isdigit() or not port) and (":" not in host or host.endswith("]"))
    # A slash or question mark in a password makes a host and a wrong port of what is before it.
    until = len(authority) if "@" in authority or could_be_host or ":" not in authority else len(after)
    return after[: after.rfind("@", 0, until) + 1]


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


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that host. Names other than localhost may lead anywhere tomorrow."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
