"""Reads documents and renders their pages, in processes that can be killed."""

from __future__ import annotations

import atexit
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from PIL import Image as PILImage

from hugginggpt.child_process import Child, Message
from hugginggpt.deadline import Deadline
from hugginggpt.documents import wire
from hugginggpt.documents.kept import keep_if_small
from hugginggpt.documents.model import FORMATS, Contents, DocumentFormat, Limits, too_much
from hugginggpt.errors import DeadlineExceededError, ExpertUnavailableError
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Image

_FACTORY = "hugginggpt.documents.process:make_reader"
_IDLE_SECONDS = 10.0
_MODULES = {"pypdfium2": "pypdfium2", "beautifulsoup4": "bs4"}
"""The modules that packages install."""


def read(data: bytes, mime: str, limits: Limits, deadline: Deadline) -> Contents:
    """What is in a document. It is kept for the steps that use the document next.

    Args:
        data: the document.
        mime: its media type, one of `FORMATS`.
        limits: what reading it may cost.
        deadline: ends the reading.

    Raises:
        ContentProblem: it is damaged, protected, over a limit, or needs a package that is not installed.
        DeadlineExceededError: the deadline has passed, or was cancelled.
    """
    found = _format(mime, data)
    if found.has_pictures:
        with _processes.holding(_key(data, mime, limits), limits) as child:
            _, answer = _answer(child, {"do": "read", "mime": mime}, data, (limits, deadline))
    else:
        child = _child(limits)
        try:
            _, answer = _answer(child, {"do": "read", "mime": mime}, data, (limits, deadline))
        finally:
            child.close()
    contents = wire.decoded(answer)
    keep_if_small(data, mime, contents)
    return contents


def picture(data: bytes, mime: str, page: int, limits: Limits, deadline: Deadline) -> Image:
    """The picture of a page, upright, at about 200 dots per inch.

    Its process lives on for a few seconds, for the next page of the same document.

    Args:
        data: the document.
        mime: its media type, one of `FORMATS`.
        page: the number of the page, from 1.
        limits: what the picture may cost. There are fewer dots per inch if they would be too many pixels.
        deadline: ends the rendering.

    Raises:
        ContentProblem: there is no such page, or it cannot be rendered.
        DeadlineExceededError: the deadline has passed, or was cancelled.
    """
    found = _format(mime, data)
    if not found.has_pictures:
        raise ContentProblem(f"is {found.name}, whose pages cannot be shown as pictures; save it as a PDF file")
    with _processes.holding(_key(data, mime, limits), limits) as child:
        header = {"do": "picture", "mime": mime, "page": page}
        answer, pixels = _answer(child, header, b"", (limits, deadline))
        if "missing" in answer:
            answer, pixels = _answer(child, header, data, (limits, deadline))
    return Image(PILImage.frombytes(answer["mode"], tuple(answer["size"]), pixels))


def _format(mime: str, data: bytes) -> DocumentFormat:
    if not data:
        raise ContentProblem("is empty")
    found = FORMATS.get(mime)
    if found is None:
        raise ContentProblem(f"is of the type {mime}, which is not read as a document")
    if found.package and find_spec(_MODULES[found.package]) is None:
        raise ContentProblem(
            f'is {found.name}, which needs {found.package} to be read; run `pip install "hugginggpt[documents]"`'
        )
    return found


def _answer(child: Child, header: Mapping[str, Any], data: bytes, bounds: tuple[Limits, Deadline]) -> Message:
    limits, deadline = bounds
    try:
        answer, content = child.call(
            {**header, "limits": asdict(limits)}, data, deadline=Deadline(limits.seconds, deadline)
        )
    except DeadlineExceededError:
        deadline.check()
        raise ContentProblem(f"takes longer than {limits.seconds:g} seconds to be read; split it") from None
    except ExpertUnavailableError:
        # Native code that gets no more memory ends its process.
        raise ContentProblem(too_much(limits.memory)) from None
    if "problem" in answer:
        raise ContentProblem(answer["problem"])
    return answer, content


def _child(limits: Limits) -> Child:
    return Child(_FACTORY, {"memory": limits.memory}, threads=1)


_Key = tuple[int, str, str, int]


def _key(data: bytes, mime: str, limits: Limits) -> _Key:
    # A forked process must not talk to a process that its parent started.
    return os.getpid(), hashlib.sha256(data).hexdigest(), mime, limits.memory


class _Processes:
    """The processes that hold a document in use, and for a short while the one that was used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: dict[_Key, Child] = {}
        self._users: dict[_Key, int] = {}
        self._timer: threading.Timer | None = None

    @contextmanager
    def holding(self, key: _Key, limits: Limits) -> Iterator[Child]:
        """The process for a document, which stays there inside the block."""
        with self._lock:
            child = self._children.setdefault(key, _child(limits))
            self._users[key] = self._users.get(key, 0) + 1
        try:
            yield child
        finally:
            with self._lock:
                self._users[key] -= 1
            self._close(keep=key)
            self._close_later()

    def close(self) -> None:
        """End every process that is not in use."""
        self._close(keep=None)

    def _close(self, keep: _Key | None) -> None:
        with self._lock:
            idle = [key for key, users in self._users.items() if not users and key != keep and key[0] == os.getpid()]
            children = [self._children.pop(key) for key in idle]
            for key in idle:
                del self._users[key]
        for child in children:
            child.close()

    def _close_later(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(_IDLE_SECONDS, self.close)
            self._timer.daemon = True
            self._timer.start()


_processes = _Processes()
atexit.register(_processes.close)
