"""Hashes of the code that results depend on besides the models: while they stay the same, cached results count.

The code is found by its folders, so that a new module counts without being listed anywhere.
"""

import hashlib
from collections.abc import Iterable
from functools import cache

from hugginggpt.models.card import Endpoint
from hugginggpt.settings import PACKAGE

_READING = ("documents/**/*.py", "media/**/*.py", "text.py")
_EMBEDDED = (*_READING, "experts/*.py", "experts/embedded/**/*.py", "spoken.py")


@cache
def code_sha256(endpoint: Endpoint, *, reads: bool) -> str | None:
    """Hash of our code that a result depends on; None if it depends on the model alone.

    What an embedded model makes depends on the code around it. Other models get values that our code reads from
    documents and tables: the same bytes may mean something else to another version of it.

    Args:
        endpoint: where the model runs.
        reads: an input is a table or a part of a document.
    """
    if endpoint is Endpoint.EMBEDDED:
        return _sha256(_EMBEDDED)
    return _sha256(_READING) if reads else None


def _sha256(patterns: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in PACKAGE.glob(pattern)}):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
