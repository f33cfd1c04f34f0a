"""`/api/v1/files`: send files into the store, and have the files of requests."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, NamedTuple

from fastapi import APIRouter, File, Request, UploadFile
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse
from typing_extensions import TypedDict

from apps.http import jobs
from apps.http.callers import caller_of
from apps.http.paths import API
from apps.http.requests import requests_of, sender
from apps.http.uploads import file_name, kept
from apps.http.work import Work
from hugginggpt.artifacts import Artifact
from hugginggpt.errors import TraceError, UsageError
from hugginggpt.origin import Door
from hugginggpt.services import get_store, get_trace
from hugginggpt.settings import get_settings

router = APIRouter(prefix=API, tags=["files"])

_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/", "video/")
"""Media types that a browser shows; what it could run, such as HTML and SVG, it gets as plain text or to save."""
_SAVED = ("application/pdf", "application/zip")
_UNKNOWN = "application/octet-stream"

_POLICY = "default-src 'none'; sandbox"
_POLICY_OF_SHOWN = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
"""A browser that opens sound makes a page for it, with a player that loads the sound again."""

MEDIA_TYPE = "HuggingGPT-Media-Type"
"""The header with the media type that the trace has of a file, for programs; `Content-Type` is for browsers."""


class StoredUpload(TypedDict):
    """A file that was sent.

    Attributes:
        name: its name.
        reference: what names it among the files of a request.
        type: what it is: `text`, `image`, `audio`, `video`, `table`, `structured` or `document`.
        mime: its media type.
        notes: what one should know of how it was taken, one sentence each.
    """

    name: str
    reference: str
    sha256: str
    type: str
    mime: str
    bytes: int
    notes: list[str]


@router.post("/files", status_code=201)
async def store(request: Request, files: Annotated[list[UploadFile], File()]) -> list[StoredUpload]:
    """Put files into the store, for later requests: their `reference` goes into `files` of a request."""
    caller, work = caller_of(request), request.app.state.work
    most = get_settings().max_request_files
    if len(files) > most:
        raise UsageError(f"These are more than the {most} files that HUGGINGGPT_MAX_REQUEST_FILES allows.")
    assert isinstance(work, Work)
    async with kept(files) as paths:
        sent = sender(caller, Door.HTTP, paths)
        told = await work.do(jobs.store, [str(path) for path in paths], sent)
    stored: list[StoredUpload] = told["stored"]
    await run_in_threadpool(get_trace().keys.keep_uploads, caller.name, [one["sha256"] for one in stored])
    return stored


@router.get("/files/{sha256}", response_class=FileResponse)
@router.get("/files/{sha256}/{name:path}", response_class=FileResponse)
async def file(request: Request, sha256: str, name: str = "") -> FileResponse:
    """A file of a request that the caller may see, whole or a range of it."""
    found = await requests_of(request).file(caller_of(request), sha256)
    shown = found.mime.startswith(_SHOWN)
    headers = {
        "Content-Security-Policy": _POLICY_OF_SHOWN if shown else _POLICY,
        "Cache-Control": "private, max-age=31536000",
        MEDIA_TYPE: found.mime,
    }
    place = await run_in_threadpool(_on_disk, found)
    is_text = found.mime.startswith("text/") or found.mime == "application/json"
    return FileResponse(
        place.path,
        headers=headers,
        media_type=found.mime if shown or found.mime in _SAVED else "text/plain" if is_text else _UNKNOWN,
        filename=file_name(name) if name else f"{sha256[:12]}{found.ending}",
        content_disposition_type="inline" if shown or is_text else "attachment",
        background=None if place.folder is None else BackgroundTask(shutil.rmtree, place.folder, ignore_errors=True),
    )


class _Place(NamedTuple):
    """Where a file is on this disk, and the folder to delete when it was sent, if it was fetched for that."""

    path: Path
    folder: str | None


def _on_disk(artifact: Artifact) -> _Place:
    store = get_store()
    if store.folder is not None:
        place = Path(store.address(artifact))
        if not place.is_file():
            raise TraceError("The file is not in the artifact store any more.")
        return _Place(place, None)
    folder = tempfile.mkdtemp(prefix="download-")
    return _Place(store.export(artifact, Path(folder), "file"), folder)
