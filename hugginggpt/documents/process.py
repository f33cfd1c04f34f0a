"""The process that reads documents: it holds one document and answers what is in it and what its pages look like."""

from __future__ import annotations

import importlib
import resource
from collections.abc import Mapping
from typing import Any, Protocol

from hugginggpt.child_process import Handler, Message
from hugginggpt.documents import wire
from hugginggpt.documents.budget import Budget
from hugginggpt.documents.model import FORMATS, Contents, Limits, too_much
from hugginggpt.documents.plain import cleaned
from hugginggpt.media.problem import ContentProblem

Pixels = tuple[str, tuple[int, int], bytes]
"""A picture's mode in Pillow, its size, and its pixels."""


class Pages(Protocol):
    """An open document."""

    def picture(self, page: int, limits: Limits) -> Pixels:
        """The picture of a page, counted from 0."""


def make_reader(memory: int) -> Handler:
    """The handler of a process that reads one document.

    Args:
        memory: limit on the process's address space, in bytes.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return _Reader()


class _Reader:
    """Answers `read` and `picture`, each about the data that came with it, or else with an earlier call."""

    def __init__(self) -> None:
        self._data = b""
        self._pages: Pages | None = None

    def __call__(self, header: Mapping[str, Any], data: bytes) -> Message:
        """Answer a call; the header of the answer has a `problem` if the document cannot be used."""
        if data:
            self._data, self._pages = data, None
        elif not self._data:
            return {"missing": True}, b""
        found = FORMATS[header["mime"]]
        try:
            return self._answer(header, Limits(**header["limits"]))
        except ContentProblem as problem:
            return {"problem": str(problem)}, b""
        except MemoryError:
            self._data, self._pages = b"", None
            return {"problem": too_much(header["limits"]["memory"])}, b""
        except Exception:
            # Parsers raise almost any exception on damaged files.
            return {"problem": f"is damaged and cannot be read as {found.name}; save it again"}, b""

    def _answer(self, header: Mapping[str, Any], limits: Limits) -> Message:
        module = importlib.import_module(f"hugginggpt.documents.{FORMATS[header['mime']].module}")
        if header["do"] == "read":
            contents: Contents = module.read(self._data, Budget(limits))
            return {}, wire.encoded(cleaned(contents))
        if self._pages is None:
            self._pages = module.opened(self._data, limits)
        mode, size, pixels = self._pages.picture(header["page"] - 1, limits)
        return {"mode": mode, "size": size}, pixels
