"""Where a request's files are, for clients who cannot reach the places of the artifact store."""

from collections.abc import Callable

from starlette.requests import Request

from hugginggpt.file_links import file_path, signed_path
from hugginggpt.services import get_store
from hugginggpt.trace.file_names import moved, named_files, stored_places
from hugginggpt.trace.story import RequestTrace

Address = Callable[[str, str], str]
"""The address of a file for a client, by its SHA-256 and its name."""


def links(request: Request) -> Address:
    """The addresses of files for a client that sends its key with each call."""
    base = _base(request)
    return lambda sha256, name: base + file_path(sha256, name)


def signed_links(request: Request) -> Address:
    """The addresses of files for a client that shows them elsewhere, without a key."""
    base, key = _base(request), request.app.state.key
    return lambda sha256, name: base + signed_path(key, sha256, name)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def addresses(story: RequestTrace, address: Address | None) -> dict[str, str]:
    """Where each file that a request made is, by its SHA-256.

    Args:
        story: the request.
        address: the addresses for the client; None for the places in the store.
    """
    if address is None:
        return stored_places(story, get_store())
    return {
        file.artifact.sha256: address(file.artifact.sha256, name + file.artifact.ending)
        for name, file in named_files(story)
    }


def places_named(story: RequestTrace, address: Address) -> str:
    """The answer of a request, in which places in the store have become what their files are called elsewhere."""
    return moved(story, addresses(story, None), addresses(story, address))
