"""Links to files that need no key, because they carry a signature: what a chat application shows in its own pages."""

import hashlib
import hmac
import time
from urllib.parse import parse_qs, quote, urlencode

from apps.http.paths import FILES
from apps.up.guard import Scope

LINK_SECONDS = 7 * 24 * 3600
"""How long a link can be followed."""


def signed_path(key: str, sha256: str, name: str) -> str:
    """The path of a file, with its signature.

    Args:
        key: the owner's key.
        sha256: the file's hash.
        name: the name under which it is saved.
    """
    until = str(int(time.time()) + LINK_SECONDS)
    query = urlencode({"until": until, "signature": _signature(key, sha256, until)})
    return f"{FILES}/{sha256}/{quote(name)}?{query}"


def is_signed(key: str, scope: Scope) -> bool:
    """Whether a call follows a link to a file that was signed with that key, and can still be followed."""
    path: str = scope.get("path", "")
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or not path.startswith(f"{FILES}/"):
        return False
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    (until, *_), (signature, *_) = query.get("until", [""]), query.get("signature", [""])
    if not until.isdecimal() or len(until) > 12 or int(until) < time.time():
        return False
    sha256 = path.removeprefix(f"{FILES}/").partition("/")[0]
    return hmac.compare_digest(signature.encode(), _signature(key, sha256, until).encode())


def _signature(key: str, sha256: str, until: str) -> str:
    return hmac.new(key.encode(), f"file {sha256} {until}".encode(), hashlib.sha256).hexdigest()
