"""Whether two calls ask the same: a request's id belongs to what was first asked with it."""

import hashlib
import json

from hugginggpt.errors import RequestIdError
from hugginggpt.trace.story import AskedRequest
from hugginggpt.trace.tables import RequestRow

SHOWN_CHARS = 1000
"""A flow run for a request in line gets the request's id and this many characters of its text, and nothing else."""


def check_same(request: RequestRow, asked: AskedRequest) -> None:
    """Raise unless this asks the same as the known request.

    Raises:
        RequestIdError: it is not.
    """
    # Rows of older versions have no hash.
    if hash_of(asked, asked.text) != (request.asked_sha256 or hash_of(asked, request.text)):
        raise RequestIdError(f"The id {request.id} belongs to a different request: give this one another id.")


def check_resumed(request: RequestRow, asked: AskedRequest) -> None:
    """Raise unless this is the known request, in full or in the short form that a flow run gets.

    Raises:
        RequestIdError: it is neither.
    """
    given = asked.resources or asked.options.get("plan")
    if given or asked.text not in ("", request.text, request.text[:SHOWN_CHARS]):
        check_same(request, asked)


def hash_of(asked: AskedRequest, text: str) -> str:
    """What tells what is asked with a text, its files and its plan from everything else."""
    parts = [text, [resource.artifact.sha256 for resource in asked.resources], asked.options.get("plan")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
