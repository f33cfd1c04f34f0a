"""Whether a request can be accepted as given. What cannot is wrong usage, and is refused before there is a run."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hugginggpt.artifacts import ArtifactStore, Resource
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError
from hugginggpt.request import RequestOptions, check_budget, check_size
from hugginggpt.resources import load_resources
from hugginggpt.settings import Settings


@dataclass(frozen=True)
class Accepted:
    """A request that can be begun.

    Attributes:
        resources: its files, in the store.
        seconds: how long it took to get them, which is a part of its time.
    """

    resources: list[Resource]
    seconds: float = 0.0


_accepted: dict[str, Accepted] = {}
"""The requests that this process has accepted and not begun yet."""


def accept(
    text: str,
    files: Sequence[str],
    options: RequestOptions,
    *,
    settings: Settings,
    store: ArtifactStore,
    roots: Sequence[Path] | None = None,
) -> Accepted:
    """Check a new request, and load its files into the store.

    Args:
        text: what is asked.
        files: what comes with it.
        options: how it is to be answered, and within which time.
        settings: the limits.
        store: where its files go.
        roots: folders that paths have to lie in, or are relative to; None for any path.

    Raises:
        UsageError: the request, or a file of it, cannot be accepted.
        StorageError: the store cannot take a file.
        DeadlineExceededError: its files were not there within its time.
    """
    began = time.monotonic()
    check_size(text, files, settings)
    check_budget(options, settings)
    try:
        resources = load_resources(files, settings, store, roots=roots, deadline=Deadline(options.deadline or math.inf))
    except DeadlineExceededError:
        raise DeadlineExceededError(
            f"The request's files had not all arrived within its {options.deadline:g} seconds: give it more time."
        ) from None
    return Accepted(resources, time.monotonic() - began)


def keep_accepted(request_id: str, accepted: Accepted) -> None:
    """Remember a request that this process accepted, until it begins the request."""
    _accepted[request_id] = accepted


def take_accepted(request_id: str | None) -> Accepted | None:
    """A request that this process accepted before; None when it did not."""
    return None if request_id is None else _accepted.pop(request_id, None)
