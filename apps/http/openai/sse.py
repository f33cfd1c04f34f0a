"""Server-sent events, as both APIs write them."""

import json
from typing import Any

STILL_HERE = ": still here\n\n"
"""What bridges silence; clients skip it."""
DONE = "data: [DONE]\n\n"


def event(data: dict[str, Any], name: str | None = None) -> str:
    """An event with JSON data."""
    named = "" if name is None else f"event: {name}\n"
    return f"{named}data: {json.dumps(data)}\n\n"


def pieces(text: str) -> list[str]:
    """A text as it is streamed: a line at a time."""
    return text.splitlines(keepends=True) or [""]
