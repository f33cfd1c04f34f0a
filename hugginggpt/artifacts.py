"""Content-addressed store of values: each is named by the SHA-256 of its encoded bytes, with the ending of its type."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from hugginggpt.capabilities import ValueType
from hugginggpt.errors import StorageError
from hugginggpt.filesystems import open_filesystem, storage_error, write_new, written_at
from hugginggpt.redaction import redact
from hugginggpt.text import file_name, one_line, storable

if TYPE_CHECKING:
    from hugginggpt.media import Value
    from hugginggpt.settings import Settings

PREVIEW_CHARS = 4000

KEPT = timedelta(hours=1)
"""How long an artifact is safe after it was written or kept, because something may refer to it only later."""

_FRESH = KEPT / 2
_MOST_STEM_BYTES = 200  # of a file's name, which leaves room for a number and the extension
_NAME = re.compile(r"([0-9a-f]{64})((?:\.[a-z0-9]{1,8})?)")
_MOST_PLACES = 1024  # artifacts of a store whose paths are remembered


class Artifact(BaseModel):
    """A stored value, by name.

    Attributes:
        sha256: hash of the encoded bytes, which names it in the store.
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

    @property
    def ending(self) -> str:
        """The ending of its file's name, with its dot; empty if its media type has none."""
        return _ending(self.mime)


@dataclass(frozen=True)
class Stored:
    """A file in the listing of a store. The same bytes may be in several files with different endings.

    Attributes:
        at: when it was last written or kept.
    """

    sha256: str
    ending: str
    bytes: int
    at: datetime


class ArtifactStore:
    """Values stored by their hash, in a local folder or at any fsspec URL. Safe to share between threads and processes.

    The path of a value is `<root>/<first two digits>/<hash><ending>`; earlier versions stored it without the ending. A
    file with that name is complete: a local file gets its name only once it is written, and a wrong size or hash is
    detected.

    Args:
        url: a folder, or a URL such as `s3://bucket/folder`.
    """

    def __init__(self, url: str) -> None:
        self._shown = redact(url)
        self._fs, self._root, self._local = open_filesystem(url, self._shown)
        self._places: dict[tuple[str, str], str] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> ArtifactStore:
        """The store of the settings. Nothing is written before the first `put`.

        Raises:
            ConfigurationError: its URL cannot be used.
        """
        return cls(settings.artifacts)

    @property
    def location(self) -> str:
        """The store's folder or URL, without user names and passwords."""
        return self._shown

    @property
    def folder(self) -> Path | None:
        """The store's folder; None for a store that is not local."""
        return Path(self._root) if self._local else None

    def put(self, value: Value, check_deadline: Callable[[], object] = lambda: None) -> Artifact:
        """Store a value.

        Args:
            value: the value.
            check_deadline: called repeatedly while a long recording is encoded; an exception from it stops the
                encoding.

        Raises:
            StorageError: the store cannot be written.
        """
        from hugginggpt.media import encode, text_of

        data, mime = encode(value, check_deadline)
        return self.put_bytes(data, value.type, mime, text_of(value))

    def put_bytes(self, data: bytes, type: ValueType, mime: str, preview: str | None = None) -> Artifact:
        """Store encoded bytes; storing the same bytes again takes no space.

        Args:
            data: the encoded value.
            type: what it is.
            mime: how it is encoded.
            preview: its text rendering, of any length.

        Raises:
            StorageError: the store cannot be written; DiskFullError if there is no room.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(sha256, _ending(mime))
        with self._explained("written"):
            if not (self._renew(path) and self._holds(path, data)):
                self._write(path, data)
        self._remember(sha256, _ending(mime), path)
        # Models write halves of characters, which Prefect and the trace cannot store.
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
        data = self.find(artifact.sha256, artifact.ending)
        if data is None:
            raise StorageError(
                f"The artifact store at {self._shown} no longer has the result {artifact.sha256[:12]}: "
                "run the request again with --fresh."
            )
        return data

    def find(self, sha256: str, ending: str = "") -> bytes | None:
        """The bytes that have a hash, checked against it; None if the store does not have them.

        Args:
            sha256: the hash.
            ending: the ending of their file's name, as `Artifact.ending` gives it; without it, the store may have to
                list a folder.

        Raises:
            StorageError: they are damaged, or the store cannot be read.
        """
        with self._explained("read"):
            paths = chain(self._paths(sha256, ending), () if ending else self._listed(sha256))
            data = next((data for path in paths if (data := self._read(path)) is not None), None)
        if data is None:
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(
                f"The result {sha256[:12]} in the artifact store at {self._shown} is damaged: "
                "run the request again with --fresh."
            )
        return data

    def exists(self, artifact: Artifact) -> bool:
        """Whether the store has an artifact, by name and size.

        Raises:
            StorageError: the store cannot be read.
        """
        with self._explained("read"):
            return any(self._size(path) == artifact.bytes for path in self._paths(artifact.sha256, artifact.ending))

    def keep(self, artifact: Artifact) -> bool:
        """Whether the store has an artifact, as for `exists`. If so, it is kept as if it had just been written.

        Raises:
            StorageError: the store cannot be read or written.
        """
        paths = self._paths(artifact.sha256, artifact.ending)
        with self._explained("used"):
            return any(self._renew(path) and self._size(path) == artifact.bytes for path in paths)

    def stored(self) -> Iterator[Stored]:
        """Everything in the store, in no order.

        Raises:
            StorageError: the store cannot be read.
        """
        with self._explained("read"):
            for path, info in self._fs.find(self._root, detail=True).items():
                if match := _NAME.fullmatch(path.rpartition("/")[2]):
                    yield Stored(match[1], match[2], int(info["size"]), written_at(info))

    def remove(self, one: Stored | Artifact) -> bool:
        """Delete an artifact's file, unless it was written or kept within the last hour.

        A local folder never loses an artifact that is kept at the same moment; with an object store, there is an
        instant between the last check and the deletion.

        Returns:
            False if it has to be kept, or was already gone.

        Raises:
            StorageError: the store cannot be read or written.
        """
        path = self._path(one.sha256, one.ending)
        with self._explained("written"):
            if (at := self._written_at(path)) is None or at > datetime.now(UTC) - KEPT:
                return False
            if not self._local:
                self._fs.rm_file(path)
                return True
            # From now on, nothing finds it, so it would be written again; its time shows whether it was kept before.
            aside = f"{path}.{uuid.uuid4().hex}.tmp"
            os.replace(path, aside)
            with suppress(FileNotFoundError):  # another process deleted it as a leftover
                if Path(aside).stat().st_mtime > (datetime.now(UTC) - KEPT).timestamp():
                    os.replace(aside, path)
                    return False
                os.unlink(aside)
            return True

    def address(self, artifact: Artifact) -> str:
        """An artifact's path, or its URL in a store that is not local. It never fails, even if the store is away."""
        if self._local:
            return self._place(artifact.sha256, artifact.ending)
        return str(self._fs.unstrip_protocol(self._remote_place(artifact.sha256, artifact.ending)))

    def export(self, artifact: Artifact, folder: Path, name: str) -> Path:
        """Write a copy that a person can open.

        A file of that name with other contents stays as it is; then the copy is called `name-2`, `name-3` and so on.

        Args:
            artifact: what to write.
            folder: the folder, which is created if necessary.
            name: the copy's name; its extension follows from the artifact's type.

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
                if write_new(path, data) or (path.is_file() and path.read_bytes() == data):
                    return path
                number += 1
        except OSError as error:
            raise storage_error(f"The folder {folder} cannot be written", error) from error

    def check(self) -> None:
        """Write, read and delete a small file.

        Raises:
            StorageError: one of these fails.
        """
        path = f"{self._root}/.check-{uuid.uuid4().hex}"
        with self._explained("used"):
            self._write(path, b"check")
            if self._fs.cat_file(path) != b"check":
                raise StorageError(f"The artifact store at {self._shown} does not return data as written.")
            self._fs.rm_file(path)

    def _path(self, sha256: str, ending: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}{ending}"

    def _paths(self, sha256: str, ending: str) -> tuple[str, ...]:
        """Where an artifact may be: under its whole name, or under its bare hash."""
        return tuple(dict.fromkeys((self._path(sha256, ending), self._path(sha256, ""))))

    def _place(self, sha256: str, ending: str) -> str:
        paths = self._paths(sha256, ending)
        return next((path for path in paths if self._fs.exists(path)), paths[0])

    def _remote_place(self, sha256: str, ending: str) -> str:
        """As `_place`, but the store is asked only once, and not about what was written here."""
        if (path := self._places.get((sha256, ending))) is None:
            try:
                path = self._place(sha256, ending)
            except Exception:  # each file system has its own; whoever reads the file is told what is wrong
                return self._path(sha256, ending)
            self._remember(sha256, ending, path)
        return path

    def _remember(self, sha256: str, ending: str, path: str) -> None:
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        self._places[sha256, ending] = path

    def _listed(self, sha256: str) -> Iterator[str]:
        """The paths of an artifact under any ending, which are looked for only if they are asked for."""
        with suppress(FileNotFoundError):
            for path in self._fs.ls(f"{self._root}/{sha256[:2]}", detail=False):
                if (match := _NAME.fullmatch(path.rpartition("/")[2])) and match[1] == sha256:
                    yield path

    def _read(self, path: str) -> bytes | None:
        try:
            data: bytes = self._fs.cat_file(path)
        except FileNotFoundError:
            return None
        return data

    def _size(self, path: str) -> int | None:
        try:
            return int(self._fs.info(path)["size"])
        except FileNotFoundError:
            return None

    def _written_at(self, path: str) -> datetime | None:
        try:
            return written_at(self._fs.info(path))
        except FileNotFoundError:
            return None

    def _renew(self, path: str) -> bool:
        """Make a file count as written now; False if it is gone."""
        try:
            if self._local:
                with suppress(PermissionError):  # it belongs to another user, who alone can prune it
                    os.utime(path)
            elif (at := self._written_at(path)) is None:
                return False
            elif at < datetime.now(UTC) - _FRESH:
                self._fs.pipe_file(path, self._fs.cat_file(path))
        except FileNotFoundError:
            return False
        return True

    def _holds(self, path: str, data: bytes) -> bool:
        # A power cut can leave a local file of the right size with the wrong contents. Object stores check
        # contents themselves, and reading from them costs.
        return self._size(path) == len(data) and (not self._local or self._read(path) == data)

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
            # Missing folders are created. A missing bucket is not, because its name may be a mistake.
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
            # Each file system of fsspec has its own errors, without a common base class.
            raise storage_error(f"The artifact store at {self._shown} cannot be {what}", error) from error


def _ending(mime: str) -> str:
    from hugginggpt.media import EXTENSIONS

    return EXTENSIONS.get(mime.partition(";")[0], "")


def _file_name(name: str, mime: str) -> tuple[str, str]:
    """A file name that stays in its folder, as stem and the right extension."""
    from hugginggpt.media import EXTENSIONS

    extension = _ending(mime)
    stem = re.sub(r'[/\\:*?"<>|]+', "-", one_line(name)).strip(" .") or "file"
    ending = PurePosixPath(stem).suffix
    if ending.lower() == extension or ending.lower() in EXTENSIONS.values():
        stem = stem.removesuffix(ending)
    return file_name(stem, _MOST_STEM_BYTES), extension
