"""Addresses from outside: in requests, plans, redirects and settings, and the hosts and ports in HTTP headers.

All of them are parsed here, and errors describe them in the same words, without their secrets.
"""

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from hugginggpt.text import one_line

if TYPE_CHECKING:
    import httpx

MOST_CHARS = 8000
"""Most servers refuse longer addresses, too."""

_MOST_SHOWN = 200
_HOST = re.compile(
    r"(?!.{254})(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?"  # a name, or an address of version 4
    r"|(?=[^%]*:)[0-9a-f:.]+(?:%[\w.-]+)?",
    re.IGNORECASE,
)


_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:/?#@\[\]\\]+))(?::([0-9]{0,5}))?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """An address cannot be used. The message is the rest of a sentence whose subject is the address."""


class RefusedAddressError(AddressError):
    """An address is valid, but refused for safety."""


def web_address(text: str, base: "httpx.URL | None" = None) -> "httpx.URL":
    """Parse an http or https URL. It raises only the errors listed here.

    Args:
        text: the URL, or the target of a redirect.
        base: where the redirect came from.

    Returns:
        The URL without its fragment; it has a valid host and port.

    Raises:
        RefusedAddressError: it is neither http nor https, or contains a user name or password.
        AddressError: anything else is wrong with it.
    """
    import httpx

    if len(text) > MOST_CHARS:
        raise AddressError(f"has {len(text)} characters, more than the {MOST_CHARS} that are allowed")
    try:
        url = httpx.URL(text) if base is None else base.join(text)
        scheme, host, port, userinfo = url.scheme, url.host and url.raw_host.decode(), url.port, url.userinfo
    except (httpx.InvalidURL, ValueError, TypeError):
        # Invalid host names raise Unicode errors, whose messages can contain a part of a password.
        raise AddressError("is not a valid URL; check it") from None
    if base is None and "://" not in text:
        raise RefusedAddressError("does not begin with http:// or https://; put the right one before it")
    if scheme not in ("http", "https"):
        raise RefusedAddressError("is neither http nor https; give an http or https URL")
    before, _, after = text.partition("//")
    if userinfo or ((not before or before.endswith(":")) and _user(after)):
        raise RefusedAddressError("contains a user name or password; give one without")
    if not host:
        raise AddressError("has no host; check it")
    if not _HOST.fullmatch(host):
        raise AddressError("has an invalid host name; check it")
    _check_port(port)
    return url.copy_with(fragment=None)


def scheduler_address(text: str) -> tuple[str, int]:
    """The host and port of a Dask scheduler's address.

    Raises:
        AddressError: it is not the address of a Dask scheduler.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None or parts.scheme not in ("tcp", "tls") or len(text) > MOST_CHARS:
        raise AddressError("is not the address of a Dask scheduler; give one such as tcp://127.0.0.1:8786")
    if holds_user(text) or parts.query or parts.path.strip("/"):
        raise RefusedAddressError("contains more than a host and a port; give one such as tcp://127.0.0.1:8786")
    if not _HOST.fullmatch(host):
        raise AddressError("has an invalid host name; check it")
    _check_port(port)
    return host, port


def _check_port(port: int | None) -> None:
    if port is not None and not 0 < port < 65536:
        raise AddressError(f"has the port {str(port)[:20]}; ports are from 1 to 65535")


def holds_user(address: str) -> bool:
    """Whether an address, or an address inside it, has a user name or password before its host."""
    return any(_user(part) for part in address.split("//")[1:])


def shown(url: str) -> str:
    """The URL for display: in one line, without its query and credentials, which can be secrets."""
    before, slashes, after = url[:MOST_CHARS].partition("//")
    # First, because a password can contain the character that begins a query.
    without_user = before + slashes + after[len(_user(after)) :]
    first, *others = re.split(r"[?#]", without_user, maxsplit=1)[0].split("//")
    return one_line("//".join([first, *(part[len(_user(part)) :] for part in others)]), _MOST_SHOWN)


def _user(after: str) -> str:
    """The user name and password before the host, given what comes after two slashes."""
    authority = re.split(r"[/?#]", after, maxsplit=1)[0]
    host, _, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
    could_be_host = (port.isdigit() or not port) and (":" not in host or host.endswith("]"))
    # If a password contains a slash or question mark, what is before that looks like a host and a wrong port.
    until = len(authority) if "@" in authority or could_be_host or ":" not in authority else len(after)
    return after[: after.rfind("@", 0, until) + 1]


class Authority(NamedTuple):
    """A host and a port.

    Attributes:
        host: a name in lower case, or an address without brackets.
        port: None if there is none.
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


def bracketed(host: str) -> str:
    """A host as it is written before a port: an IPv6 address gets brackets."""
    return f"[{host}]" if ":" in host else host


def is_same_origin(origin: str, host: str) -> bool:
    """Whether a page of an origin, as browsers send it, came from the host that it sends a request to.

    The scheme does not count: a proxy that speaks HTTPS may talk to the server over HTTP.

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
    """Whether only this machine can reach that host. Names other than localhost may lead anywhere tomorrow."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
