"""The file systems of an artifact store, a local folder or any that fsspec supports, and of its copies."""

from __future__ import annotations

import errno
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hugginggpt.errors import NO_SPACE, ConfigurationError, DiskFullError, StorageError
from hugginggpt.redaction import said

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_CAUSES = {
    errno.ENOENT: "it does not exist; create it, or set HUGGINGGPT_ARTIFACTS_URL to a place that exists",
    errno.ENOSPC: "there is no space left; free some and try again",
    errno.EDQUOT: "your quota there is used up; free some space and try again",
    errno.EROFS: "it is read-only; set HUGGINGGPT_ARTIFACTS_URL to a place that you may write to",
    errno.EACCES: "you have no permission; change that, or set HUGGINGGPT_ARTIFACTS_URL to another place",
    errno.EPERM: "you have no permission; change that, or set HUGGINGGPT_ARTIFACTS_URL to another place",
    errno.ENOTDIR: "part of its path is a file, not a folder",
}


def open_filesystem(url: str, shown: str) -> tuple[AbstractFileSystem, str, bool]:
    """The file system of a URL, the root in it, and whether it is this machine's."""
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    try:
        # Other processes write to the store, too, so an earlier listing may be out of date.
        fs, root = url_to_fs(url, use_listings_cache=False)
    except ImportError:
        raise ConfigurationError(
            f"The artifact store at {shown} needs a package that is not installed: pip install 'hugginggpt[s3]' "
            "for S3, or the fsspec package for that kind of address."
        ) from None
    except ValueError:
        raise ConfigurationError(
            f"The setting HUGGINGGPT_ARTIFACTS_URL is not valid: {shown} is neither a folder nor a URL of a kind that "
            "fsspec knows."
        ) from None
    return fs, str(root).rstrip("/"), isinstance(fs, LocalFileSystem)


def written_at(info: dict[str, Any]) -> datetime:
    """When a file was written, under whatever name the file system gives it; now if it does not say."""
    found = next((info[name] for name in ("mtime", "LastModified", "last_modified", "created") if info.get(name)), None)
    if isinstance(found, int | float):
        return datetime.fromtimestamp(found, UTC)
    if isinstance(found, datetime):
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.now(UTC)


def storage_error(what: str, error: Exception) -> StorageError:
    """The error to raise for an exception of a file system; a DiskFullError if there is no room.

    Args:
        what: what could not be done, such as "The folder /a cannot be written".
        error: the exception.
    """
    code: Any = errno.ENOENT if isinstance(error, FileNotFoundError) else getattr(error, "errno", None)
    unknown = f"{type(error).__name__}: {said(getattr(error, 'strerror', None) or error)}".rstrip(".: ")
    error_class = DiskFullError if code in NO_SPACE else StorageError
    return error_class(f"{what}: {_CAUSES.get(code, unknown)}.")


def write_new(path: Path, data: bytes) -> bool:
    """Write a file unless one of that name exists; return whether it was written."""
    try:
        file = path.open("xb")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(data)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    return True
