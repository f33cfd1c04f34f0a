"""Which files the parameters of a flow run may name."""

from collections.abc import Sequence
from pathlib import Path

from prefect.runtime import deployment

from hugginggpt.settings import get_settings


def readable_roots() -> Sequence[Path] | None:
    """The folders that they have to lie in; None for any.

    Whoever can start a run of a deployment, or a page that gets through to Prefect's server, is not to read the
    worker's disk by it. Who runs a flow in a program of theirs reads what is theirs.
    """
    return None if deployment.get_id() is None else get_settings().file_roots
