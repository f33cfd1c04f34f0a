"""The folders whose files a plan or a deployed run may read."""

from collections.abc import Sequence
from pathlib import Path


def find_in_roots(path: str, roots: Sequence[Path]) -> Path | None:
    """The regular file at a path, with links followed, if it is in one of the folders; else None.

    Args:
        path: absolute, or relative to any of the folders.
        roots: the folders.
    """
    for root in roots:
        try:
            top = root.expanduser().resolve()
            found = (top / path).resolve()
            if found.is_relative_to(top) and found.is_file():
                return found
        except (OSError, ValueError, RuntimeError):  # not a possible file name, or no such folder
            continue
    return None
