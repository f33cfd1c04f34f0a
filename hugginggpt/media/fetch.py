"""Fetching a URL that a user or a plan names, without letting it reach into private networks.

Connections are guarded, and redirects are checked the same way. Only GET over http and https is used, without cookies,
credentials or a proxy from the environment.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterable, Iterator
from email.message import Message
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

import httpcore
import httpx

from hugginggpt.addresses import AddressError, RefusedAddressError, shown, web_address
from hugginggpt.deadline import NO_DEADLINE, Deadline
from hugginggpt.errors import ForbiddenURLError, MediaError
from hugginggpt.guarded_network import guarded_connections
from hugginggpt.media.problem import too_large
from hugginggpt.redaction import said
from hugginggpt.settings import Settings
from hugginggpt.text import file_name

TOTAL_SECONDS = 300.0
MAX_REDIRECTS = 5

_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK = 1 << 16
_MAX_MEMBERS = 10_000
"""Members of a gzip body; empty ones would never reach the size limit."""


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
    subject = f"The file at {shown(url)}"
    with guarded_connections(here.raw_host.decode(), settings, within) as connections:
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
