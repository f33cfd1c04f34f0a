"""File systems behind fsspec: opening one, when its files were written, and what its errors mean."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hugginggpt.errors import NO_SPACE, ConfigurationError, DiskFullError, StorageError
from hugginggpt.redaction import said

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_CAUSES = {
    errno.ENOENT: "it does not exist; create it, or set HUGGINGGPT_ARTIFACTS_URL to one that does",
    errno.ENOSPC: "there is no space left; free some and try again",
    errno.EDQUOT: "your quota is used up; free some space and try again",
    errno.EROFS: "it is read-only; set HUGGINGGPT_ARTIFACTS_URL to a place that can be written",
    errno.EACCES: "you have no permission; change that, or set HUGGINGGPT_ARTIFACTS_URL to another place",
    errno.EPERM: "you have no permission; change that, or set HUGGINGGPT_ARTIFACTS_URL to another place",
    errno.ENOTDIR: "a part of its path is a file, not a folder",
}


def open_filesystem(url: str, shown: str) -> tuple[AbstractFileSystem, str, bool]:
    """The file system of a URL, the root in it, and whether it is local."""
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    try:
        # Others write to the store too, so earlier listings may be out of date.
        fs, root = url_to_fs(url, use_listings_cache=False)
    except ImportError:
        raise ConfigurationError(
            f"The artifact store at {shown} needs a package that is not installed: pip install 'hugginggpt[s3]' "
            "for S3, or the fsspec package for that kind of address."
        ) from None
    except ValueError:
        raise ConfigurationError(
            f"The setting HUGGINGGPT_ARTIFACTS_URL cannot be used: {shown} is neither a folder nor a URL "
            "that fsspec supports."
        ) from None
    return fs, str(root).rstrip("/"), isinstance(fs, LocalFileSystem)


def written_at(info: dict[str, Any]) -> datetime:
    """When a file was written, however its file system reports that; now, if it does not."""
    found = next((info[name] for name in ("mtime", "LastModified", "last_modified", "created") if info.get(name)), None)
    if isinstance(found, int | float):
        return datetime.fromtimestamp(found, UTC)
    if isinstance(found, datetime):
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.now(UTC)


def storage_error(problem: str, error: Exception) -> StorageError:
    """The error for a failure of a file system.

    Args:
        problem: the beginning of the sentence, up to the cause.
        error: what the file system raised.
    """
    kind = DiskFullError if getattr(error, "errno", None) in NO_SPACE else StorageError
    return kind(f"{problem}: {_reason(error)}.")


def _reason(error: Exception) -> str:
    code = errno.ENOENT if isinstance(error, FileNotFoundError) else getattr(error, "errno", None)
    if code in _CAUSES:
        return _CAUSES[code]
    return f"{type(error).__name__}: {said(getattr(error, 'strerror', None) or error)}".rstrip(".: ")
