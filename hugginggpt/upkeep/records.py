"""Prefect's records of results: JSON files named by cache keys that contain the names of artifacts."""

import json
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SHA256 = re.compile("[0-9a-f]{64}")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC).isoformat()


@dataclass(frozen=True)
class Record:
    """A record.

    Attributes:
        at: when it was written.
        sha256s: everything in it that could be the name of an artifact.
    """

    path: Path
    bytes: int
    at: datetime
    sha256s: frozenset[str]


def read_records(folder: Path) -> Iterator[Record]:
    """The records in Prefect's local storage. Other files there are ignored."""
    for path in folder.rglob("*"):
        if (content := _content(path)) is not None:
            status = path.stat()
            names = frozenset(_SHA256.findall(json.dumps(content["result"])))
            yield Record(path, status.st_size, _written(status), names)


def remove_records(records: Sequence[Record]) -> list[Record]:
    """Delete records, except those that were written again; return the deleted ones.

    All of them expire before any is deleted, so that a task that has just found its record can still read it.
    """
    expired = [(record, at) for record in records if (at := _expire(record)) is not None]
    return [record for record, at in expired if _remove(record.path, at)]


def _written(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)


def _content(path: Path) -> dict[str, Any] | None:
    """The content of a record; None if it is not a record, or is being written or deleted."""
    try:
        content = json.loads(path.read_bytes())
        metadata = content["metadata"]
        return content if "storage_key" in metadata and "result" in content else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _expire(record: Record) -> int | None:
    """Mark a record as expired; return the time of that change, or None if the record was written again."""
    content = _content(record.path)
    if content is None or _written(record.path.stat()) > record.at:
        return None
    content["metadata"]["expiration"] = _LONG_AGO
    unfinished = record.path.with_name(f"{record.path.name}.{uuid.uuid4().hex}.tmp")
    try:
        unfinished.write_text(json.dumps(content), encoding="utf-8")
        at = unfinished.stat().st_mtime_ns
        os.replace(unfinished, record.path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    return at


def _remove(path: Path, at: int) -> bool:
    try:
        if path.stat().st_mtime_ns != at:
            return False
        path.unlink()
    except FileNotFoundError:
        return False
    return True
