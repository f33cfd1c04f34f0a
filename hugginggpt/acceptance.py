"""Check whether a request can be accepted. If it cannot, it is refused as wrong usage before there is a run."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.costs import check_prices
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError
from hugginggpt.origin import Origin
from hugginggpt.request import RequestOptions, check_size
from hugginggpt.resource import Resource
from hugginggpt.resources import load_resources
from hugginggpt.roots import Readable
from hugginggpt.settings import Settings


@dataclass(frozen=True)
class Accepted:
    """A request that can start.

    Attributes:
        resources: its files, in the store.
        seconds: how long it took to load them, which counts towards the request's deadline.
        origin: where it came from, if its way in has told.
    """

    resources: list[Resource]
    seconds: float = 0.0
    origin: Origin | None = None


_accepted: dict[str, Accepted] = {}
"""The requests that this process has accepted but not started yet."""


def accept(
    text: str,
    files: Sequence[str],
    options: RequestOptions,
    *,
    settings: Settings,
    store: ArtifactStore,
    readable: Readable | None = None,
) -> Accepted:
    """Check a new request, and load its files into the store.

    Args:
        text: the request.
        files: its files.
        options: how to answer it, with its deadline and cost ceiling.
        settings: the limits.
        store: where its files go.
        readable: what paths may lead to; None allows any path.

    Raises:
        UsageError: the request or one of its files cannot be accepted.
        StorageError: the store cannot take a file.
        DeadlineExceededError: the files did not arrive within the deadline.
    """
    began = time.monotonic()
    check_size(text, files, settings)
    if options.max_cost is not None:
        check_prices(settings)
    try:
        deadline = Deadline(options.deadline or math.inf)
        resources = load_resources(files, settings, store, readable=readable, deadline=deadline)
    except DeadlineExceededError:
        raise DeadlineExceededError(
            f"The request's files did not all arrive within its {options.deadline:g} seconds: allow more time."
        ) from None
    return Accepted(resources, time.monotonic() - began)


def keep_accepted(request_id: str, accepted: Accepted, origin: Origin) -> None:
    """Remember an accepted request, and where it came from, until this process starts it."""
    _accepted[request_id] = replace(accepted, origin=origin)


def take_accepted(request_id: str | None) -> Accepted | None:
    """The request that this process accepted under that id; None if it accepted none."""
    return None if request_id is None else _accepted.pop(request_id, None)
