"""Server-sent events."""

import json
from collections.abc import AsyncIterator

from pydantic import BaseModel
from starlette.responses import StreamingResponse

STILL_HERE = ": still here\n\n"
"""What bridges silence; clients skip it."""
DONE = "data: [DONE]\n\n"


class EventStream(StreamingResponse):
    """Server-sent events, as text."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], status_code: int = 200) -> None:
        super().__init__(events, status_code, {"Cache-Control": "no-store"})


def event(data: object, name: str | None = None, id_: str | None = None) -> str:
    """An event with JSON data, in which there may be models."""
    named = "" if name is None else f"event: {name}\n"
    named += "" if id_ is None else f"id: {id_}\n"
    return f"{named}data: {json.dumps(data, default=BaseModel.model_dump)}\n\n"
