"""Web pages that a browser saved in a single file (MHTML): an e-mail whose parts are the page and what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message

_OF_MAILS = ("To", "Cc", "Received", "Message-ID")
_PAGES = ("text/html", "application/xhtml+xml")
_FRAMES = re.compile(rb"<frameset[\s>]", re.IGNORECASE)


def pages_in(message: Message) -> list[Message]:
    """The parts that are read of a page that somebody saved; none if it is an e-mail that somebody sent.

    That is the part that the head names as the page, or else the first. If it consists of frames, they come next.
    """
    is_page = message.get_content_type() in ("multipart/related", *_PAGES)
    if not is_page or "@" in str(message.get("From", "")) or any(message.get(name) for name in _OF_MAILS):
        return []
    found = list(_html(message))
    start = _bare(message.get_param("start"))
    location = _bare(message.get("Snapshot-Content-Location"))
    named = [
        *(part for part in found if start and _bare(part.get("Content-ID")) == start),
        *(part for part in found if location and _bare(part.get("Content-Location")) == location),
        *found[:1],
    ][:1]
    content = named[0].get_payload(decode=True) if named else b""
    has_frames = isinstance(content, bytes) and _FRAMES.search(content) is not None
    return [*named, *(part for part in found if has_frames and part is not named[0])]


def _html(message: Message) -> Iterator[Message]:
    """The parts that are HTML, and those in groups of alternatives."""
    parts = message.get_payload() if message.is_multipart() else [message]
    for part in parts:
        if isinstance(part, Message):
            inner = part.get_payload() if part.get_content_type() == "multipart/alternative" else [part]
            yield from (one for one in inner if isinstance(one, Message) and one.get_content_type() in _PAGES)


def _bare(name: object) -> str:
    return str(name or "").strip().strip("<>")
