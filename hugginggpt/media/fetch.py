"""Fetching a URL that a user or a plan names, without letting it reach into private networks.

Host names are resolved here, every address of a host is checked, and the connection goes to the
address that was checked, so a name that changes its address in between (DNS rebinding) gains nothing.
Redirects are checked the same way. Only GET over http and https is used, without cookies,
credentials or a proxy from the environment.
"""

from __future__ import annotations

import socket
import ssl
import zlib
from collections.abc import Container, Iterable, Iterator
from email.message import Message
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpcore
import httpx

from hugginggpt.addresses import AddressError, RefusedAddressError, shown, web_address
from hugginggpt.deadline import NO_DEADLINE, Deadline
from hugginggpt.errors import DeadlineExceededError, ForbiddenURLError, MediaError
from hugginggpt.media.problem import too_large
from hugginggpt.redaction import said
from hugginggpt.settings import Settings
from hugginggpt.text import file_name

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
TOTAL_SECONDS = 300.0
MAX_REDIRECTS = 5

_GLANCE_SECONDS = 0.5
"""How often a read wakes up to check its deadline, which cannot interrupt it."""

_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK = 1 << 16
_MAX_MEMBERS = 10_000
"""Members of a gzip body; empty ones would never reach the size limit."""

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


class Fetched(NamedTuple):
    """The content behind a URL.

    Attributes:
        mime: the media type that the server declared, or "".
        name: the file name that the server gave, else the last part of the URL.
    """

    data: bytes
    mime: str
    name: str


def fetch(url: str, settings: Settings, *, seconds: float = TOTAL_SECONDS, deadline: Deadline = NO_DEADLINE) -> Fetched:
    """Fetch a URL within the limits on size and time.

    Args:
        url: an http or https URL without credentials.
        settings: `max_file_bytes`, and `trusted_hosts`, which may have private addresses. A redirect may
            lead to a trusted host only if the URL itself is on one.
        seconds: time for everything, including redirects and name resolution.
        deadline: the caller's deadline.

    Raises:
        ForbiddenURLError: the URL or a redirect leads to an address that may not be fetched.
        MediaError: the URL cannot be reached, answers with an error, is too large or takes too long.
        DeadlineExceededError: the deadline has passed, or was cancelled.
    """
    within = Deadline(seconds, deadline)
    here = _parsed(url)
    # Strangers choose where their redirects lead, so only a trusted host may redirect to a trusted one.
    hosts = {host.lower().strip("[]") for host in settings.trusted_hosts}
    private = hosts if here.raw_host.decode().lower() in hosts else set()
    subject = f"The file at {shown(url)}"
    with httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(), network_backend=_Guarded(private, within)
    ) as connections:
        try:
            for _ in range(MAX_REDIRECTS + 1):
                with connections.stream("GET", str(here), headers=_headers()) as response:
                    headers = httpx.Headers(response.headers)
                    if response.status in _REDIRECTS and "location" in headers:
                        here = _parsed(headers["location"], here)
                        continue
                    if response.status != 200:
                        answer = f"{response.status} {httpx.codes.get_reason_phrase(response.status)}".strip()
                        raise MediaError(f"{subject} could not be fetched ({answer}); check the address.")
                    data = _body(response.iter_stream(), headers, subject, settings)
                    return Fetched(data, headers.get("content-type", ""), _name(headers, str(here), url))
        except (httpcore.TimeoutException, TimeoutError):
            deadline.check()
            raise MediaError(f"{subject} did not arrive in time; try again or download it yourself.") from None
        except ssl.SSLError as error:
            raise MediaError(f"{subject} could not be fetched securely ({error.reason}); check the address.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpx.InvalidURL) as error:
            reason = said(error)
            raise MediaError(f"{subject} cannot be reached ({reason}); check the address and the network.") from error
    raise MediaError(f"{subject} redirects more than {MAX_REDIRECTS} times; check the address.")


def _headers() -> list[tuple[bytes | str, bytes | str]]:
    from hugginggpt import __version__

    return [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", f"hugginggpt/{__version__}")]


def _parsed(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        return web_address(url, base)
    except AddressError as error:
        kind = ForbiddenURLError if isinstance(error, RefusedAddressError) else MediaError
        what = "address" if base is None else "redirect to"
        raise kind(f"The {what} {shown(url)} {error}.") from None


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


def _body(stream: Iterable[bytes], headers: httpx.Headers, subject: str, settings: Settings) -> bytes:
    limit = settings.max_file_bytes
    declared = headers.get("content-length", "")
    data = bytearray()
    if not (declared.isascii() and declared.isdigit() and int(declared) > limit):
        for part in _unpacked(stream, headers.get("content-encoding", "identity").strip().lower(), subject):
            data += part
            if len(data) > limit:
                break
        else:
            return bytes(data)
    raise MediaError(f"{subject} {too_large(settings.max_file_bytes)}.")


def _unpacked(stream: Iterable[bytes], encoding: str, subject: str) -> Iterator[bytes]:
    """The body in small parts, so that a decompression bomb is noticed before it fills the memory."""
    if encoding in ("identity", ""):
        yield from stream
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise MediaError(f"{subject} arrived compressed as {encoding}, which was not requested; download it yourself.")
    unpack, members = _decompressor(), 1
    try:
        for packed in stream:
            while packed:
                if unpack.eof:
                    # After the end only another member may follow (RFC 1952, 2.2).
                    members += 1
                    if encoding == "deflate" or members > _MAX_MEMBERS:
                        raise MediaError(f"{subject} is compressed in {members} parts or more; download it yourself.")
                    unpack = _decompressor()
                yield unpack.decompress(packed, _CHUNK)
                packed = unpack.unconsumed_tail or unpack.unused_data
    except zlib.error as error:
        raise MediaError(f"{subject} arrived damaged ({error}); try again.") from error
    if not unpack.eof:
        raise MediaError(f"{subject} arrived incomplete; try again.")


def _decompressor() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # accepts both headers


def _name(headers: httpx.Headers, *urls: str) -> str:
    """The server's name for the file, else the last part of the URL after redirects, else before them."""
    names = [_declared(headers.get("content-disposition", "")), *(unquote(httpx.URL(url).path) for url in urls)]
    parts = [file_name(PurePosixPath(name.replace("\\", "_")).name) for name in names]
    with_ending = next((part for part in parts if PurePosixPath(part).suffix), None)
    return with_ending or next((part for part in parts if part), "download")


def _declared(disposition: str) -> str:
    """The file name in a Content-Disposition header, or ""."""
    message = Message()
    message["content-disposition"] = disposition
    try:
        return message.get_filename() or ""
    except (ValueError, TypeError, LookupError):  # malformed headers
        return ""
