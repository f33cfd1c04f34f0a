"""Where a file is that a user names, whichever working folder the process has that reads it."""

import os
import re
from pathlib import PurePath

_ADDRESS = re.compile(r"(data:|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)


def is_address(source: str) -> bool:
    """Whether a source is a URL, a data URI or a reference, and not a path."""
    return _ADDRESS.match(source) is not None


def absolute(source: str) -> str:
    """A path made absolute, with `~` expanded; URLs, data URIs and references stay as they are.

    Its `..` stay, too: behind a link to a folder they lead elsewhere than the path reads.
    """
    if is_address(source) or not source.strip():
        return source
    return str(PurePath(os.getcwd(), os.path.expanduser(source)))
