"""Connections that cannot lead into private networks, for addresses that users and plans name.

Host names are resolved here, every address of a host is checked, and the connection goes to the
address that was checked, so a name that changes its address in between (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Container, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore
import httpx

from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ForbiddenURLError
from hugginggpt.settings import Settings

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0

_GLANCE_SECONDS = 0.5
"""How often a read wakes up to check its deadline, which cannot interrupt it."""

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The part of IPv6 that is allocated for public routing."""

_NOT_PUBLIC: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(block)
    for block in (
        # IANA's IPv4 special-purpose registry, and multicast
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # IANA's IPv6 special-purpose registry, as far as it lies in 2000::/3
        "2001::/23",
        "2001:db8::/32",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
"""Networks with a special purpose: private, shared, reserved, documentation, tests, tunnels."""


def guarded_connections(host: str, settings: Settings, deadline: Deadline) -> httpcore.ConnectionPool:
    """Connections for one task, which begins at a host that somebody has named.

    Args:
        host: the host.
        settings: `trusted_hosts`, which may have private addresses. Strangers choose where their redirects lead, so
            these may be reached only if the task begins at one of them.
        deadline: for everything together.

    Returns:
        a pool that raises a ForbiddenURLError for an address that may not be reached.
    """
    hosts = {trusted.lower().strip("[]") for trusted in settings.trusted_hosts}
    private = hosts if host.lower() in hosts else set()
    return httpcore.ConnectionPool(ssl_context=httpx.create_ssl_context(), network_backend=_Guarded(private, deadline))


class _Guarded(httpcore.NetworkBackend):
    """Connects only to checked addresses, and keeps every wait within the deadline.

    Args:
        private: hosts that may have a private address, in lower case.
        deadline: for everything together.
    """

    def __init__(self, private: Container[str], deadline: Deadline) -> None:
        self._private = private
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            try:
                within = _within(self._deadline, CONNECT_SECONDS)
                stream = self._network.connect_tcp(address, port, within, local_address, socket_options)
                return _Timed(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            # The system's resolver takes no timeout.
            found = Deadline(CONNECT_SECONDS, self._deadline).wait_for(
                lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except DeadlineExceededError:
            raise httpcore.ConnectTimeout(f"the host {host} was not found in time") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the host {host} is not known") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if host.lower() not in self._private:
            for address in addresses:
                if not is_public(address):
                    raise ForbiddenURLError(
                        f"The host {host} has the private or reserved address {address}, which may not be fetched; "
                        "if it is yours, name the host in HUGGINGGPT_TRUSTED_HOSTS and give its own URL."
                    )
        return addresses


class _Timed(httpcore.NetworkStream):
    """A connection whose reads and writes end by the deadline, however slowly bytes arrive."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        silence = Deadline(SILENCE_SECONDS, self._deadline)
        while True:
            try:
                return self._stream.read(max_bytes, _within(silence, _GLANCE_SECONDS))
            except httpcore.ReadTimeout:
                if silence.expired():
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _within(self._deadline, SILENCE_SECONDS))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        within = _within(self._deadline, CONNECT_SECONDS)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, within), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _within(deadline: Deadline, seconds: float) -> float:
    if deadline.expired():
        raise httpcore.ReadTimeout("the deadline has passed")
    return min(seconds, deadline.remaining())


def is_public(address: str) -> bool:
    """Whether an IP address, or the IPv4 address that it wraps, is on the public internet."""
    found: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(found, IPv6Address):
        wrapped = found.ipv4_mapped or found.sixtofour
        if wrapped is None and found in _NAT64:
            wrapped = IPv4Address(int(found) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
        if found not in _GLOBAL_UNICAST:
            return False
    return not any(found in block for block in _NOT_PUBLIC)
