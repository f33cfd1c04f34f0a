"""Where a request's files are, for clients who cannot reach the places of the artifact store."""

from collections.abc import Callable

from hugginggpt.services import get_store
from hugginggpt.trace.file_names import named_files
from hugginggpt.trace.story import RequestTrace

Address = Callable[[str, str], str]
"""The address of a file for a client, by its SHA-256 and its name."""


def addresses(story: RequestTrace, address: Address | None) -> dict[str, str]:
    """Where each file that a request made is, by its SHA-256.

    Args:
        story: the request.
        address: the addresses for the client; None for the places in the store.
    """
    if address is None:
        return {file.artifact.sha256: get_store().address(file.artifact) for file in story.files}
    return {
        file.artifact.sha256: address(file.artifact.sha256, name + file.artifact.ending)
        for name, file in named_files(story)
    }


def places_named(story: RequestTrace, address: Address) -> str:
    """The answer of a request, in which places in the store have become what their files are called elsewhere."""
    said = story.response or ""
    for sha256, place in addresses(story, None).items():
        said = said.replace(place, addresses(story, address).get(sha256, sha256[:12]))
    return said
