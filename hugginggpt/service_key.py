"""The owner's key to the HTTP service: whoever has it may do everything that the owner may do with the service.

It is a file of the home folder, made by the first `hugginggpt up`. The keys of other clients are in `trace/keys.py`.
Nothing heavy is imported here, because quick commands need it.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from hugginggpt.home import write_private


def key_file(home: Path) -> Path:
    """The file that holds the key, and that only its owner can read."""
    return home / "api.key"


def new_key() -> str:
    """A new key, for the owner or another client; `redact` knows it by its beginning."""
    return f"hgpt_{secrets.token_urlsafe(32)}"


def make_key(home: Path) -> str:
    """The key of a home folder, which is made unless it is there."""
    if (known := read_key(home)) is not None:
        return known
    key = new_key()
    write_private(key_file(home), key)
    return key


def read_key(home: Path) -> str | None:
    """The key of a home folder; None if nothing was ever up for it."""
    try:
        return key_file(home).read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def is_key(key: str, given: str) -> bool:
    """Whether a text from outside is the key. This takes the same time however much of it is right."""
    return hmac.compare_digest(key.encode(), given.encode("utf-8", "surrogatepass"))


def proof(key: str, challenge: str) -> str:
    """What proves to a client that a server has the key, before the client sends it.

    Args:
        key: the key.
        challenge: a text that the client has just made up.
    """
    return hmac.new(key.encode(), b"service " + challenge.encode(), hashlib.sha256).hexdigest()
