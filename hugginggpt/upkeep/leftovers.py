"""Unfinished files, left by writes that were killed or found the disk full. Nothing will ever read or finish them."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.media.native import TEMPORARY
from hugginggpt.settings import Settings
from hugginggpt.up_state import UNFINISHED

_UNIQUE = "[0-9a-f]{32}"
_UNFINISHED = re.compile(rf".+\.{_UNIQUE}\.tmp|\.check-{_UNIQUE}")
_RECORD = re.compile(rf"{_UNIQUE}|[0-9a-f]{{64}}|[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
"""The names of Prefect's records of results: a cache key of ours, or a UUID."""


@dataclass(frozen=True)
class Leftover:
    """An unfinished file.

    Attributes:
        at: the time of the last write.
    """

    path: Path
    bytes: int
    at: datetime


def find_leftovers(settings: Settings, store: ArtifactStore, results: Path) -> list[Leftover]:
    """All unfinished files, including those that are being written now.

    Args:
        settings: where the home folder and the cache of weights are.
        store: the artifact store; it leaves unfinished files only if it is a folder.
        results: the folder where Prefect keeps its records.
    """
    found: dict[Path, Leftover] = {}
    for path in _unfinished(settings, store, results):
        try:
            status = path.lstat()
        except FileNotFoundError:  # it was finished meanwhile
            continue
        found[path] = Leftover(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
    return list(found.values())


def remove_leftovers(leftovers: Sequence[Leftover]) -> list[Leftover]:
    """Delete unfinished files, except those that were written to meanwhile; return the deleted ones."""
    gone = []
    for one in leftovers:
        try:
            if datetime.fromtimestamp(one.path.lstat().st_mtime, UTC) == one.at:
                one.path.unlink()
                gone.append(one)
        except FileNotFoundError:
            continue
    return gone


def _unfinished(settings: Settings, store: ArtifactStore, results: Path) -> Iterator[Path]:
    for folder in (store.folder, results):
        if folder is not None:
            yield from (path for path in folder.rglob("*") if _UNFINISHED.fullmatch(path.name))
    yield from (path for path in results.rglob("*") if _RECORD.fullmatch(path.name) and _is_cut_off(path))
    yield from settings.models_cache_dir.glob("models--*/blobs/*.incomplete")
    yield from settings.home_dir.glob(UNFINISHED)
    # This folder belongs to every user of the machine.
    yield from (path for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*") if _is_ours(path))


def _is_ours(path: Path) -> bool:
    try:
        return path.lstat().st_uid == os.getuid()
    except FileNotFoundError:
        return False


def _is_cut_off(record: Path) -> bool:
    """Whether only the beginning of a record was written."""
    try:
        content = record.read_bytes()
    except OSError:
        return False
    if not content.startswith(b"{") and content:
        return False  # not one of our records
    try:
        json.loads(content)
    except ValueError:
        return True
    return False
