"""The way in for files: loaded from a path, a URL or a data URI, and checked before anything uses them."""

from __future__ import annotations

import base64
import binascii
import codecs
import os
import re
import stat
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from hugginggpt.addresses import shown
from hugginggpt.capabilities import ValueType
from hugginggpt.deadline import NO_DEADLINE, Deadline
from hugginggpt.errors import MediaError
from hugginggpt.media import input_formats, tables, text_kinds, texts
from hugginggpt.media.input_formats import Format
from hugginggpt.media.problem import ContentProblem, too_large
from hugginggpt.media.recognition import recognise
from hugginggpt.roots import existing_form, find_in_roots
from hugginggpt.text import MOST_NAME_BYTES, file_name, is_blank, is_storable, one_line

if TYPE_CHECKING:
    from hugginggpt.documents import Contents
    from hugginggpt.settings import Settings  # pydantic would be most of what a process costs that reads a document

_MOST_SHOWN = 300
_MOST_READ = 10_000  # characters at the end of a path that are read to show it
_MOST_CELLS, _MOST_MEMORY, _MOST_SECONDS = 2_000_000, 500_000_000, 120.0
"""What reading a document may cost, in cells of its tables, bytes of memory and seconds."""
_ENDING_BYTES = 8
"""Room for the ending that a name may lack."""
_SCHEME = re.compile(r"(data:|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_SPECIAL = (
    (stat.S_ISDIR, "is a folder; give the files in it one by one"),
    (stat.S_ISFIFO, "is a pipe; save its content to a file first"),
    (stat.S_ISSOCK, "is a socket; give a file"),
    (stat.S_ISCHR, "is a device; give a file"),
    (stat.S_ISBLK, "is a device; give a file"),
)


@dataclass(frozen=True)
class LoadedFile:
    """A checked file of a request: its bytes and their type.

    The bytes are those of the file, except that a text in another encoding becomes UTF-8, a recording that only PyAV
    reads becomes FLAC, and what is missing or too much at an end is mended: they are decoded again later, by their type
    and media type alone.

    Attributes:
        name: the last part of its path or URL, with an ending, composed (NFC).
        type: the type of the value that `decode` returns.
        mime: its media type, by its content.
        notes: what the user should know of how it was taken, one sentence each.
        contents: what is in a document, or in a file of several pictures; None for any other.
    """

    name: str
    data: bytes
    type: ValueType
    mime: str
    notes: tuple[str, ...] = ()
    contents: Contents | None = None


def load_file(
    source: str,
    settings: Settings,
    *,
    roots: Sequence[Path] | None = None,
    deadline: Deadline = NO_DEADLINE,
    called: str | None = None,
) -> LoadedFile:
    """Read a file and check its size, what it is, and that it decodes.

    If it is something else than its ending or its server says, but can be used, there is a note.

    Args:
        source: a path (`~` and `file://` too), an http(s) URL or a data URI.
        settings: the limits.
        roots: folders that a path has to be in, or is relative to; None allows any path.
        deadline: stops a download, and decoding where it goes piece by piece.
        called: what messages call a path; None for the path itself.

    Raises:
        MediaError: one sentence naming the file, what is wrong with it and what to do.
        ForbiddenURLError: the URL leads to an address that may not be fetched.
        DeadlineExceededError: the deadline has passed, or was cancelled.
    """
    if not is_storable(source):
        raise MediaError(f"The name of the file {_named(source)} is not valid UTF-8; rename the file or copy it.")
    scheme = _SCHEME.match(source)
    match scheme.group(1).lower() if scheme else None:
        case "data:":
            mime, data = _from_data_uri(source, settings)
            return _checked("The data URI", "data", mime, data, settings, deadline)
        case "http://" | "https://":
            from hugginggpt.media.fetch import fetch

            fetched = fetch(source, settings, deadline=deadline)
            subject = f"The file at {shown(source)}"
            return _checked(subject, fetched.name, fetched.mime, fetched.data, settings, deadline)
        case "file://":
            path = _from_file_uri(source)
        case None:
            path = Path(source)
        case other:
            raise MediaError(
                f"Addresses that start with {_named(other)} cannot be read; give a path, an http(s) URL or a data URI."
            )
    subject = f"The file {_named(called or source)}"
    if not source.strip():
        raise MediaError("The name of a file is empty; give a path, a URL or a data URI.")
    data = _from_path(path if roots is None else _in_roots(path, subject, roots), subject, settings)
    return _checked(subject, path.name, None, data, settings, deadline)


def check_file(
    name: str, data: bytes, settings: Settings, *, mime: str | None = None, deadline: Deadline = NO_DEADLINE
) -> LoadedFile:
    """Check bytes that came from elsewhere as `load_file` checks a file.

    Args:
        name: the name of their file.
        data: the bytes.
        settings: the limits.
        mime: their media type, if it is known.
        deadline: as for `load_file`.

    Raises:
        MediaError: as `load_file`.
    """
    return _checked(f"The file {_named(name)}", name, mime, data, settings, deadline)


def _in_roots(path: Path, subject: str, roots: Sequence[Path]) -> Path:
    """The path with its links followed. The error does not reveal what exists outside the folders."""
    try:
        found = find_in_roots(str(path.expanduser()), roots)
    except RuntimeError:  # no such user
        found = None
    if found is None:
        raise MediaError(
            f"{subject} is outside the folders that may be read here: add its folder to HUGGINGGPT_FILE_ROOTS, "
            "or give a URL, a data URI or an artifact:// reference."
        )
    return found


def _from_path(path: Path, subject: str, settings: Settings) -> bytes:
    try:
        path = existing_form(path.expanduser())
        # Opening a pipe waits for its writer, so check first.
        _refuse_special(subject, os.stat(path).st_mode)
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            _refuse_special(subject, found.st_mode)
            # One byte more than allowed, because the file may grow meanwhile.
            data = b"" if found.st_size > settings.max_file_bytes else file.read(settings.max_file_bytes + 1)
    except FileNotFoundError:
        raise MediaError(f"{subject} does not exist; check the path.") from None
    except PermissionError:
        raise MediaError(f"{subject} is not readable; check its permissions.") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise MediaError(f"{subject} cannot be read ({reason or 'not a usable path'}); check the path.") from error
    if max(found.st_size, len(data)) > settings.max_file_bytes:
        raise MediaError(f"{subject} {too_large(settings.max_file_bytes)}.")
    return data


def _refuse_special(subject: str, mode: int) -> None:
    for is_special, problem in _SPECIAL:
        if is_special(mode):
            raise MediaError(f"{subject} {problem}.")


def _from_file_uri(source: str) -> Path:
    try:
        parts = urlsplit(source)
    except ValueError:
        raise MediaError(f"{_named(source)} is not a valid file:// address; give the path of the file.") from None
    if parts.netloc not in ("", "localhost"):
        raise MediaError(f"The file {_named(source)} is on another machine; copy it here first.")
    return Path(url2pathname(parts.path))


def _named(source: str) -> str:
    """The name that the user gave, fit for a sentence. Of a long path, the end is shown."""
    line = one_line(source[-_MOST_READ:])
    return line if len(line) <= _MOST_SHOWN and len(source) <= _MOST_READ else "…" + line[1 - _MOST_SHOWN :]


def _from_data_uri(source: str, settings: Settings) -> tuple[str | None, bytes]:
    """The declared media type with its parameters, or None, and the bytes."""
    comma = source.find(",")
    if comma < 0:
        raise MediaError("The data URI has no comma between its type and its data; check how it was made.")
    mime, *parameters = (part.strip() for part in source[len("data:") : comma].split(";"))
    is_base64 = bool(parameters) and parameters[-1].lower() == "base64"
    declared = "; ".join([mime, *parameters[: -1 if is_base64 else None]])
    # Four base64 characters make three bytes; a percent-encoded byte takes up to three characters.
    if len(source) - comma - 1 > (settings.max_file_bytes + 3) * (2 if is_base64 else 3):
        raise MediaError(f"The data URI {too_large(settings.max_file_bytes)}.")
    # One name for every step, so that at most two copies of a long URI are in memory.
    data = unquote_to_bytes(source[comma + 1 :])
    if is_base64:
        data = data.translate(bytes.maketrans(b"-_", b"+/"), string.whitespace.encode())
        if len(data) % 4:
            data += b"=" * (-len(data) % 4)
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error:
            raise MediaError("The data URI does not hold valid base64; check how it was made.") from None
    if len(data) > settings.max_file_bytes:
        raise MediaError(f"The data URI {too_large(settings.max_file_bytes)}.")
    return declared or None, data


def _checked(
    subject: str, name: str, mime: str | None, data: bytes, settings: Settings, deadline: Deadline
) -> LoadedFile:
    if not data:
        raise MediaError(f"{subject} is empty; give one with content.")
    name = file_name(name, MOST_NAME_BYTES - _ENDING_BYTES) or "file"
    ending = PurePosixPath(name).suffix
    try:
        found = recognise(data)
        if found is None:
            taken = _taken_text(data, ending, mime, settings, deadline)
        else:
            taken = _taken_media(data, found, ending, mime, settings, deadline)
    except ContentProblem as problem:
        raise MediaError(f"{subject} {problem}.") from problem
    name = name if ending else name + input_formats.EXTENSIONS[taken.mime]
    notes = tuple(f"{one_line(name, _MOST_SHOWN)} {note}." for note in taken.notes)
    return LoadedFile(name, taken.data, taken.type, taken.mime, notes, taken.contents)


class _Taken(NamedTuple):
    """What is kept of a file.

    Attributes:
        found: its format.
        mime: of the bytes that are kept.
        notes: ends of sentences about it.
        contents: as in `LoadedFile`.
    """

    data: bytes
    found: Format
    type: ValueType
    mime: str
    notes: tuple[str, ...]
    contents: Contents | None = None


def _taken_text(data: bytes, ending: str, mime: str | None, settings: Settings, deadline: Deadline) -> _Taken:
    data = texts.without_padding(data)
    text = texts.decoded(data, _charset(mime), settings.max_text_chars)
    if is_blank(text.text):
        raise ContentProblem("is empty; give one with content")
    found = text_kinds.kind_of(text.text, input_formats.by_ending(ending), input_formats.by_mime(mime))
    notes = _contradictions(found, ending, mime)
    assert found.type is not None
    if found.type is ValueType.DOCUMENT:
        # A page may declare another charset, but a mark comes before that.
        if found in _PAGES:
            notes = (*notes, *filter(None, [text.note]))
            if not (text.is_utf8 and data.isascii()):
                data = codecs.BOM_UTF8 + texts.write(text.text)
        return _taken_document(data, found, notes, settings, deadline)
    if not text.is_utf8:
        data = texts.write(text.text)
    if found.type is ValueType.TABLE:
        tables.read(data, settings.max_text_chars, settings.max_decoded_bytes)
    return _Taken(data, found, found.type, found.mime, (*notes, *filter(None, [text.note])))


_PAGES = (input_formats.HTML, input_formats.SRT, input_formats.VTT)


def _taken_document(
    data: bytes, found: Format, notes: tuple[str, ...], settings: Settings, deadline: Deadline
) -> _Taken:
    from hugginggpt import documents

    limits = documents.Limits(
        pages=settings.max_document_pages,
        pixels=settings.max_image_pixels,
        cells=_MOST_CELLS,
        characters=settings.max_text_chars,
        memory=min(settings.max_decoded_bytes, _MOST_MEMORY),
        seconds=_MOST_SECONDS,
    )
    contents = documents.read(data, found.mime, limits, deadline)
    return _Taken(data, found, ValueType.DOCUMENT, found.mime, (*notes, *contents.notes), contents)


def _taken_media(
    data: bytes, found: Format, ending: str, mime: str | None, settings: Settings, deadline: Deadline
) -> _Taken:
    if found is input_formats.PROTECTED:
        raise ContentProblem("is protected by a password; save it without one")
    notes = _contradictions(found, ending, mime)
    if found.type is None:
        raise ContentProblem(f"is {found.name}, which cannot be used; {found.advice}")
    kept = found.mime
    if found.type is ValueType.DOCUMENT:
        return _taken_document(data, found, notes, settings, deadline)
    if found.type is ValueType.IMAGE:
        from hugginggpt.media import pictures

        data = pictures.take(data, settings.max_image_pixels, settings.max_decoded_bytes)
        if found in _WITH_FRAMES and (frames := pictures.frames(data)) > 1:
            taken = _taken_document(data, found, notes, settings, deadline)
            best = taken.contents.best if taken.contents is not None else 1
            several = f"holds {frames} pictures; where one is wanted, it is number {best}"
            return taken._replace(type=ValueType.IMAGE, notes=(*taken.notes, several))
    elif found.type is ValueType.AUDIO:
        from hugginggpt.media import sound

        data, kept, more = sound.take(data, found, settings.max_audio_seconds, settings.max_decoded_bytes, deadline)
        notes = (*notes, *more)
    else:
        from hugginggpt.media import videos

        videos.check(data, found, settings.max_image_pixels, settings.max_decoded_bytes, deadline)
    return _Taken(data, found, found.type, kept, notes)


_WITH_FRAMES = (
    input_formats.TIFF,
    input_formats.GIF,
    input_formats.WEBP,
    input_formats.PNG,
    input_formats.JPEG,
)


def _charset(mime: str | None) -> str | None:
    """The charset in a Content-Type."""
    match = _CHARSET.search(mime or "")
    return match[1] if match else None


def _contradictions(found: Format, ending: str, mime: str | None) -> tuple[str, ...]:
    """How a file's content contradicts its declared media type or its ending, as the end of a sentence.

    A server's media type is more reliable than the last part of a URL: if there is one, the
    ending only has to name the same type of media.

    Raises:
        ContentProblem: it does, and the content cannot be used.
    """
    declared, ended = input_formats.by_mime(mime), input_formats.by_ending(ending)
    shown = one_line((mime or "").split(";")[0], _MOST_SHOWN)
    if declared is not None and not _matches(found, declared):
        if found.type is None:
            raise ContentProblem(f"is declared as {shown} but holds {found.name}; {found.advice}")
        return (f"is {found.name}; it is declared as {shown}",)
    if ended is not None and not (_matches(found, ended) or (declared is not None and found.type is ended.type)):
        if found.type is None:
            raise ContentProblem(f"has the ending {ending} but holds {found.name}; {found.advice}")
        return (f"is {found.name}; its ending says {ending[1:].upper()}",)
    return ()


def _matches(found: Format, claimed: Format) -> bool:
    return input_formats.interchangeable(found, claimed) or (found.is_text and claimed.is_text)
