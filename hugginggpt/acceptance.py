"""Whether a request can be accepted as given. What cannot is wrong usage, and is refused before there is a run."""

from collections.abc import Sequence

from hugginggpt.artifacts import ArtifactStore, Resource
from hugginggpt.request import RequestOptions, check_budget, check_text
from hugginggpt.resources import gather
from hugginggpt.settings import Settings

_accepted: dict[str, list[Resource]] = {}
"""The files of the requests that this process has accepted and not begun yet."""


def accept(
    text: str, files: Sequence[str], options: RequestOptions, *, settings: Settings, store: ArtifactStore
) -> list[Resource]:
    """Check a new request, and load its files into the store.

    Raises:
        UsageError: the request, or a file of it, cannot be accepted.
        StorageError: the store cannot take a file.
    """
    check_text(text)
    check_budget(options, settings)
    return gather(files, settings, store)


def keep_accepted(request_id: str, resources: list[Resource]) -> None:
    """Remember the files of a request that this process accepted, until it begins the request."""
    _accepted[request_id] = resources


def take_accepted(request_id: str | None) -> list[Resource] | None:
    """The files of a request that this process accepted before; None when it did not."""
    return None if request_id is None else _accepted.pop(request_id, None)
