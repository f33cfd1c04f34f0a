"""Files that come with a call: how large they may be, and where they are until they are in the store."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from apps.http.errors import refusal
from apps.up.guard import Application, Message, Receive, Scope, Send
from hugginggpt import text
from hugginggpt.errors import TooLargeError
from hugginggpt.text import MOST_NAME_BYTES

_ROOM = 40
"""Bytes of a file name that are left for what `tempfile` and others add."""


class BoundedBodies:
    """An ASGI application in front of another, which lets calls send only so much.

    Args:
        application: the other.
        most: the most bytes of a call's body.
    """

    def __init__(self, application: Application, most: int) -> None:
        self._application = application
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, and end it when it sends too much."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._most:
            await self._refuse(scope, receive, send)
            return
        received = 0
        begun = False

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise TooLargeError(self._message)
            return message

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._application(scope, bounded, noting)
        except TooLargeError:
            if begun:
                raise
            await self._refuse(scope, receive, send)

    @property
    def _message(self) -> str:
        return f"The call sends more than the {self._most} bytes that HUGGINGGPT_MAX_UPLOAD_BYTES allows."

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = refusal(TooLargeError.__name__, self._message, 413, {"Connection": "close"})
        await answer(scope, receive, send)


@asynccontextmanager
async def kept(uploads: Sequence[UploadFile]) -> AsyncIterator[list[Path]]:
    """The files on this disk, under their own names, for as long as the block runs."""
    if not uploads:
        yield []
        return
    folder = Path(await run_in_threadpool(tempfile.mkdtemp, prefix="upload-"))
    try:
        paths = []
        for number, upload in enumerate(uploads):
            path = folder / str(number) / file_name(upload.filename)
            await run_in_threadpool(_write, upload, path)
            paths.append(path)
        yield paths
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


def file_name(given: str | None) -> str:
    """A name that a client gives to a file, without folders and what no disk takes."""
    last = PurePosixPath((given or "").replace("\\", "/")).name
    return text.file_name(last, MOST_NAME_BYTES - _ROOM) or "file"


def _write(upload: UploadFile, path: Path) -> None:
    path.parent.mkdir()
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file)
