"""Links to files that need no key, because they carry a signature: for pages of other programs, such as Prefect's."""

import hashlib
import hmac
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode

from hugginggpt.service_key import read_key
from hugginggpt.up_state import read

FILES = "/api/v1/files"
"""The path of the service's files."""

LINK_SECONDS = 7 * 24 * 3600
"""How long a link can be followed."""


def file_path(sha256: str, name: str) -> str:
    """The path of a file, under the name that it is saved as."""
    return f"{FILES}/{sha256}/{quote(name)}"


def signed_path(key: str, sha256: str, name: str) -> str:
    """The path of a file, with its signature.

    Args:
        key: the owner's key.
        sha256: the file's hash.
        name: the name under which it is saved.
    """
    until = str(int(time.time()) + LINK_SECONDS)
    query = urlencode({"until": until, "signature": _signature(key, sha256, until)})
    return f"{file_path(sha256, name)}?{query}"


def signed_link(home: Path, sha256: str, name: str) -> str | None:
    """The address of a file on the service that is up for a home folder; None if there is none.

    Args:
        home: the home folder.
        sha256: the file's hash.
        name: the name under which it is saved.
    """
    key, up = read_key(home), read(home)
    return None if key is None or up is None or not up.page_url else up.page_url + signed_path(key, sha256, name)


def page_link(home: Path) -> str | None:
    """The address of the page of the service that is up for a home folder; None if there is none."""
    up = read(home)
    return None if up is None or not up.page_url else f"{up.page_url}/"


def is_signed(key: str, path: str, query_string: str) -> bool:
    """Whether an address leads to a file, was signed with that key, and can still be followed."""
    if not path.startswith(f"{FILES}/"):
        return False
    query = parse_qs(query_string)
    (until, *_), (signature, *_) = query.get("until", [""]), query.get("signature", [""])
    if not until.isdecimal() or len(until) > 12 or int(until) < time.time():
        return False
    sha256 = path.removeprefix(f"{FILES}/").partition("/")[0]
    return hmac.compare_digest(signature.encode(), _signature(key, sha256, until).encode())


def _signature(key: str, sha256: str, until: str) -> str:
    return hmac.new(key.encode(), f"file {sha256} {until}".encode(), hashlib.sha256).hexdigest()
