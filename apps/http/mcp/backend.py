"""What the MCP tools need of the service, whether they run in it or in `hugginggpt mcp`."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from apps.http.events import Failed, Planned, Progress, Standing
from hugginggpt.errors import HuggingGPTError, TooLargeError, rebuilt
from hugginggpt.submission import Cancelled

MOST_RESOURCE_BYTES = 8 * 2**20
"""The largest file that is given as a resource: it is in memory whole, and a third larger on its way."""
SILENT_SECONDS = 10.0
"""After so long without news, a host is told again how a request stands, so that it does not give up."""


class Content(NamedTuple):
    """What is in a file."""

    data: bytes
    mime: str


class Backend(Protocol):
    """The service, for one caller. Each method raises the HuggingGPTError that says why it cannot be done."""

    async def create(self, asked: Mapping[str, Any]) -> None:
        """Begin a request, which has an id, and whose other fields are those of a `Submission`."""

    async def standing(self, name: str) -> Standing:
        """How the request stands whose id begins with a text. The paths of its report are links."""

    def watch(self, request_id: str) -> AsyncGenerator[Progress | None, None]:
        """The progress of a request to its end; None if there was no news for `SILENT_SECONDS`."""

    async def cancel(self, name: str) -> Cancelled:
        """Stop the request whose id begins with a text."""

    async def abandon(self, request_id: str) -> None:
        """Stop a request whose caller does not wait for it any more."""

    async def plan(self, request: str, files: Sequence[str]) -> Planned:
        """Plan a request without running it."""

    async def kinds(self) -> list[dict[str, Any]]:
        """The kinds of task."""

    async def file(self, sha256: str) -> Content:
        """A file of a request, by its hash."""


def failure(request_id: str, failed: Failed) -> HuggingGPTError:
    """Why a request is not worked on any more, and what to do."""
    hint = f" The request is kept: ask `result` for {request_id} later." if failed["begun"] else ""
    return rebuilt(failed["type"], failed["message"] + hint)


def check_size(size: int, link: str) -> None:
    """Raise unless a file of that size can be given as a resource.

    Raises:
        TooLargeError: it can only be fetched from the link.
    """
    if size > MOST_RESOURCE_BYTES:
        raise TooLargeError(
            f"The file has {size} bytes, more than the {MOST_RESOURCE_BYTES} of a resource: fetch it from {link}."
        )
