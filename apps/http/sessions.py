"""How a browser gets in: a link that opens the page once, and then a cookie. Both come from the owner's key."""

import base64
import hashlib
import hmac
import secrets
import time
from pathlib import Path

from hugginggpt.home import write_private

COOKIE = "hugginggpt"
"""The name of the cookie."""

SESSION_SECONDS = 30 * 24 * 3600
"""How long a browser stays in."""


def make_link_token(home: Path) -> str:
    """A token that lets one browser in, once. It replaces the one before."""
    token = secrets.token_urlsafe(24)
    write_private(_token_file(home), token)
    return token


def take_link_token(home: Path, given: str) -> bool:
    """Whether that is the token, which is of no use from then on."""
    try:
        token = _token_file(home).read_text("ascii")
        right = hmac.compare_digest(token.encode(), given.encode("utf-8", "surrogatepass"))
        if right:
            _token_file(home).unlink()  # of two that come at once, one finds it gone
    except (OSError, UnicodeDecodeError):
        return False
    return right


def session(key: str, who: str) -> str:
    """The value of a cookie.

    Args:
        key: the owner's key.
        who: the name of the key that let the browser in; "" for the owner.
    """
    content = f"{int(time.time()) + SESSION_SECONDS}.{secrets.token_urlsafe(9)}.{who}"
    return base64.urlsafe_b64encode(f"{_signature(key, content)}.{content}".encode()).decode().rstrip("=")


def whose(key: str, cookie: str) -> str | None:
    """Who was let in with that cookie: the name of a key, or "" for the owner; None if the cookie is not valid."""
    try:
        padded = cookie + "=" * (-len(cookie) % 4)
        signature, _, content = base64.urlsafe_b64decode(padded.encode()).decode().partition(".")
        if not hmac.compare_digest(signature.encode(), _signature(key, content).encode()):
            return None
        until, _, who = content.split(".", 2)
        return who if time.time() < int(until) else None
    except ValueError:
        return None


def _signature(key: str, content: str) -> str:
    return hmac.new(key.encode(), b"session " + content.encode(), hashlib.sha256).hexdigest()


def _token_file(home: Path) -> Path:
    return home / "api.link"
