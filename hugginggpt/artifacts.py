"""Content-addressed store of values: a value's name is the SHA-256 of its encoded bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from hugginggpt.capabilities import ValueType
from hugginggpt.errors import NO_SPACE, ConfigurationError, DiskFullError, StorageError
from hugginggpt.redaction import redact, said
from hugginggpt.text import file_name, one_line, storable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from hugginggpt.media import Value
    from hugginggpt.settings import Settings

PREVIEW_CHARS = 4000

KEPT = timedelta(hours=1)
"""What was written, or asked to be kept, is not deleted so long: whoever did may refer to it only later."""

_FRESH = KEPT / 2
_MOST_STEM_BYTES = 200
"""What is left of a file's name goes for a number and the ending."""
_NAME = re.compile("[0-9a-f]{64}")


class Artifact(BaseModel):
    """A stored value, by name.

    Attributes:
        sha256: hash of the encoded bytes, which is also the name in the store.
        bytes: encoded size.
        preview: the first `PREVIEW_CHARS` characters of its text rendering, for text, tables and
            structured values; None for media.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    type: ValueType
    mime: str
    bytes: int
    preview: str | None = None


class Resource(BaseModel):
    """A value that a plan can name: a file of the request, or a result of an earlier turn.

    Attributes:
        name: what a plan calls it, `invoice.png` for example; unique within a request.
        source: where it came from, as the user gave it (path or URL), or the earlier request's id.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    artifact: Artifact
    source: str


@dataclass(frozen=True)
class Stored:
    """What lies in a store.

    Attributes:
        at: when it was written last, or last asked to be kept.
    """

    sha256: str
    bytes: int
    at: datetime


class ArtifactStore:
    """Values under their hash, in a local folder or at any fsspec URL. Safe to share between threads and processes.

    A value lies at `<root>/<first two digits>/<hash>`. What is there is complete: a local file gets
    its name when it is written, and a wrong size or hash is found out.

    Args:
        url: a folder, or a URL such as `s3://bucket/folder`.
    """

    def __init__(self, url: str) -> None:
        self._shown = redact(url)
        self._fs, self._root, self._local = _filesystem(url, self._shown)

    @classmethod
    def from_settings(cls, settings: Settings) -> ArtifactStore:
        """The store of the settings. Nothing is written before the first `put`.

        Raises:
            ConfigurationError: its URL cannot be used.
        """
        return cls(settings.artifacts)

    @property
    def location(self) -> str:
        """Where it is: a folder or URL, without user names and passwords."""
        return self._shown

    @property
    def folder(self) -> Path | None:
        """The folder that it is; None for a store that is not local."""
        return Path(self._root) if self._local else None

    def put(self, value: Value, check_deadline: Callable[[], object] = lambda: None) -> Artifact:
        """Store a value.

        Args:
            value: what is to be kept.
            check_deadline: called repeatedly while a long recording is encoded; an exception stops it.

        Raises:
            StorageError: the store cannot be written.
        """
        from hugginggpt.media import encode, text_of

        data, mime = encode(value, check_deadline)
        return self.put_bytes(data, value.type, mime, text_of(value))

    def put_bytes(self, data: bytes, type: ValueType, mime: str, preview: str | None = None) -> Artifact:
        """Store encoded bytes; the same bytes again cost no space.

        Args:
            data: the encoded value.
            type: what it is.
            mime: how it is encoded.
            preview: its text rendering, of any length.

        Raises:
            StorageError: the store cannot be written; a DiskFullError when there is no room.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        with self._explained("written"):
            if not (self._renew(sha256) and self._holds(sha256, data)):
                self._write(self._path(sha256), data)
        # Models write halves of characters, which neither Prefect's records nor the trace could hold.
        shown = None if preview is None else storable(preview[:PREVIEW_CHARS])
        return Artifact(sha256=sha256, type=type, mime=mime, bytes=len(data), preview=shown)

    def get(self, artifact: Artifact) -> Value:
        """The value of an artifact.

        Raises:
            StorageError: it is gone or damaged, or the store cannot be read.
        """
        from hugginggpt.media import decode

        return decode(artifact.type, self.read_bytes(artifact), artifact.mime)

    def read_bytes(self, artifact: Artifact) -> bytes:
        """The encoded bytes of an artifact, checked against its hash.

        Raises:
            StorageError: it is gone or damaged, or the store cannot be read.
        """
        data = self.find(artifact.sha256)
        if data is None:
            raise StorageError(
                f"The result {artifact.sha256[:12]} is gone from the artifact store at {self._shown}: "
                "run the request again with --fresh."
            )
        return data

    def find(self, sha256: str) -> bytes | None:
        """The bytes of that hash, checked against it; None when the store does not have them.

        Raises:
            StorageError: they are damaged, or the store cannot be read.
        """
        with self._explained("read"):
            try:
                data: bytes = self._fs.cat_file(self._path(sha256))
            except FileNotFoundError:
                return None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(
                f"The result {sha256[:12]} in the artifact store at {self._shown} is damaged: "
                "run the request again with --fresh."
            )
        return data

    def exists(self, artifact: Artifact) -> bool:
        """Whether the store holds an artifact, by name and size.

        Raises:
            StorageError: the store cannot be read.
        """
        with self._explained("read"):
            return self._size(artifact.sha256) == artifact.bytes

    def keep(self, artifact: Artifact) -> bool:
        """Whether the store holds an artifact, as `exists`; if so it is kept as if it had just been written.

        Raises:
            StorageError: the store cannot be read or written.
        """
        with self._explained("used"):
            return self._renew(artifact.sha256) and self._size(artifact.sha256) == artifact.bytes

    def stored(self) -> Iterator[Stored]:
        """Everything in the store, in no order.

        Raises:
            StorageError: the store cannot be read.
        """
        with self._explained("read"):
            for path, info in self._fs.find(self._root, detail=True).items():
                if _NAME.fullmatch(name := path.rpartition("/")[2]):
                    yield Stored(name, int(info["size"]), _moment(info))

    def remove(self, sha256: str) -> bool:
        """Delete what nobody wrote or asked to be kept within the last hour.

        In a local folder nothing that is being asked for just now is lost; an object store leaves an instant
        between the last look and the deletion.

        Returns:
            False when it is to be kept, or was gone already.

        Raises:
            StorageError: the store cannot be read or written.
        """
        path = self._path(sha256)
        with self._explained("written"):
            if (at := self._written_at(path)) is None or at > datetime.now(UTC) - KEPT:
                return False
            if not self._local:
                self._fs.rm_file(path)
                return True
            # Whoever asks for it from here on does not find it, and writes it anew; whoever did so before is seen.
            aside = f"{path}.{uuid.uuid4().hex}.tmp"
            os.replace(path, aside)
            with suppress(FileNotFoundError):  # somebody took it for a leftover
                if Path(aside).stat().st_mtime > (datetime.now(UTC) - KEPT).timestamp():
                    os.replace(aside, path)
                    return False
                os.unlink(aside)
            return True

    def address(self, artifact: Artifact) -> str:
        """Where an artifact lies: a path, or a URL for a store that is not local."""
        path = self._path(artifact.sha256)
        return path if self._local else str(self._fs.unstrip_protocol(path))

    def export(self, artifact: Artifact, folder: Path, name: str) -> Path:
        """Write a copy that a person can open.

        A file of that name with other contents is left alone, and the copy is called `name-2` or so.

        Args:
            artifact: what to write.
            folder: where to; created if need be.
            name: what to call it; it gets the extension of what it is.

        Returns:
            The copy's path.

        Raises:
            StorageError: the store cannot be read, or the folder not written.
        """
        data = self.read_bytes(artifact)
        stem, extension = _file_name(name, artifact.mime)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            number = 1
            while True:
                path = folder / (f"{stem}{extension}" if number == 1 else f"{stem}-{number}{extension}")
                if _write_new(path, data) or (path.is_file() and path.read_bytes() == data):
                    return path
                number += 1
        except OSError as error:
            raise _kind_of(error)(f"The folder {folder} cannot be written: {_reason(error)}.") from error

    def check(self) -> None:
        """Write, read and delete a small file.

        Raises:
            StorageError: one of these does not work.
        """
        path = f"{self._root}/.check-{uuid.uuid4().hex}"
        with self._explained("used"):
            self._write(path, b"check")
            if self._fs.cat_file(path) != b"check":
                raise StorageError(f"The artifact store at {self._shown} does not give back what was written to it.")
            self._fs.rm_file(path)

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}"

    def _size(self, sha256: str) -> int | None:
        try:
            return int(self._fs.info(self._path(sha256))["size"])
        except FileNotFoundError:
            return None

    def _written_at(self, path: str) -> datetime | None:
        try:
            return _moment(self._fs.info(path))
        except FileNotFoundError:
            return None

    def _renew(self, sha256: str) -> bool:
        """Have something count as written now; False when it is gone."""
        path = self._path(sha256)
        try:
            if self._local:
                with suppress(PermissionError):  # written by another user, who has to be the one that prunes
                    os.utime(path)
            elif (at := self._written_at(path)) is None:
                return False
            elif at < datetime.now(UTC) - _FRESH:
                self._fs.pipe_file(path, self._fs.cat_file(path))
        except FileNotFoundError:
            return False
        return True

    def _holds(self, sha256: str, data: bytes) -> bool:
        # A power cut can leave a local file of the right size with the wrong contents; object stores
        # check theirs, and reading there costs.
        try:
            return self._size(sha256) == len(data) and (
                not self._local or self._fs.cat_file(self._path(sha256)) == data
            )
        except FileNotFoundError:
            return False  # it has just been removed

    def _write(self, path: str, data: bytes) -> None:
        if not self._local:
            self._write_remote(path, data)
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(f"{path}.{uuid.uuid4().hex}.tmp")
        try:
            with unfinished.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def _write_remote(self, path: str, data: bytes) -> None:
        try:
            self._fs.pipe_file(path, data)
        except FileNotFoundError:
            # Folders are made where they are needed; a bucket is not, for its name may be a mistake.
            bucket = self._root.partition("/")[0]
            if bucket and not self._fs.exists(bucket):
                raise
            self._fs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            self._fs.pipe_file(path, data)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except Exception as error:
            # Each file system behind fsspec has errors of its own, with no common base.
            raise _kind_of(error)(f"The artifact store at {self._shown} cannot be {what}: {_reason(error)}.") from error


def _moment(info: dict[str, Any]) -> datetime:
    """When a file was written, as each kind of store says it; one that does not say it is of now."""
    found = next((info[name] for name in ("mtime", "LastModified", "last_modified", "created") if info.get(name)), None)
    if isinstance(found, int | float):
        return datetime.fromtimestamp(found, UTC)
    if isinstance(found, datetime):
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.now(UTC)


def _filesystem(url: str, shown: str) -> tuple[AbstractFileSystem, str, bool]:
    """The file system of a URL, the root in it, and whether it is this machine's."""
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    try:
        # Others write to the store as well: what was listed before says nothing.
        fs, root = url_to_fs(url, use_listings_cache=False)
    except ImportError:
        raise ConfigurationError(
            f"The artifact store at {shown} needs a package that is not installed: pip install 'hugginggpt[s3]' "
            "for S3, or the fsspec package for that kind of address."
        ) from None
    except ValueError:
        raise ConfigurationError(
            f"The setting HUGGINGGPT_ARTIFACTS_URL cannot be used: {shown} is neither a folder nor a URL of a kind "
            "that fsspec knows."
        ) from None
    return fs, str(root).rstrip("/"), isinstance(fs, LocalFileSystem)


_CAUSES = {
    errno.ENOENT: "there is no such place; create it, or set HUGGINGGPT_ARTIFACTS_URL to one that is there",
    errno.ENOSPC: "there is no space left; free some and try again",
    errno.EDQUOT: "your quota there is used up; free some space and try again",
    errno.EROFS: "it is read-only; set HUGGINGGPT_ARTIFACTS_URL to a place that can be written",
    errno.EACCES: "you have no permission; change that, or set HUGGINGGPT_ARTIFACTS_URL to another place",
    errno.EPERM: "you have no permission; change that, or set HUGGINGGPT_ARTIFACTS_URL to another place",
    errno.ENOTDIR: "a part of its path is a file, not a folder",
}


def _kind_of(error: Exception) -> type[StorageError]:
    return DiskFullError if getattr(error, "errno", None) in NO_SPACE else StorageError


def _reason(error: Exception) -> str:
    code = errno.ENOENT if isinstance(error, FileNotFoundError) else getattr(error, "errno", None)
    if code in _CAUSES:
        return _CAUSES[code]
    return f"{type(error).__name__}: {said(getattr(error, 'strerror', None) or error)}".rstrip(".: ")


def _file_name(name: str, mime: str) -> tuple[str, str]:
    """A file name that stays in its folder, as stem and the right extension."""
    from hugginggpt.media import EXTENSIONS

    extension = EXTENSIONS.get(mime, "")
    stem = re.sub(r'[/\\:*?"<>|]+', "-", one_line(name)).strip(" .") or "file"
    ending = PurePosixPath(stem).suffix
    if ending.lower() == extension or ending.lower() in EXTENSIONS.values():
        stem = stem.removesuffix(ending)
    return file_name(stem, _MOST_STEM_BYTES), extension


def _write_new(path: Path, data: bytes) -> bool:
    """Write a file unless something of that name is there already."""
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
