"""What is in the documents that this process read last: a document is read when it comes in, and used right after."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from hugginggpt.documents.model import Contents

_MOST_KEPT = 4
_MOST_KEPT_CHARACTERS = 5_000_000
_FEW_CELLS = 250_000

_lock = threading.Lock()
_kept: OrderedDict[str, Contents] = OrderedDict()


def keep(data: bytes, mime: str, contents: Contents) -> None:
    """Keep what is in a document, unless it is too long; of the documents before, the last few are kept."""
    if sum(len(page.text) for page in contents.pages) > _MOST_KEPT_CHARACTERS:
        return
    with _lock:
        _kept[_key(data, mime)] = contents
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)


def keep_if_small(data: bytes, mime: str, contents: Contents) -> None:
    """Keep what is in a document that has just come in: a service takes in many that only others use."""
    if sum(len(table.rows) * len(table.columns) for table in contents.tables) <= _FEW_CELLS:
        keep(data, mime, contents)


def kept(data: bytes, mime: str) -> Contents | None:
    """What is in a document, if it is kept."""
    key = _key(data, mime)
    with _lock:
        if key not in _kept:
            return None
        _kept.move_to_end(key)
        return _kept[key]


def _key(data: bytes, mime: str) -> str:
    return f"{hashlib.sha256(data).hexdigest()} {mime}"
