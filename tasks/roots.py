"""What the parameters of a flow run may name."""

from hugginggpt.roots import Readable
from hugginggpt.settings import get_settings
from tasks.deployed import is_deployed


def readable() -> Readable | None:
    """What may be read; None for anything.

    Anyone who can start a run of a deployment, such as a web page that reaches Prefect's server, must not be able
    to read the worker's disk with it. A program that calls a flow itself can read its own files anyway.
    """
    return Readable(get_settings().file_roots) if is_deployed() else None
