"""Counts what reading a document costs, and refuses it where that is too much."""

from __future__ import annotations

from hugginggpt.documents.model import Limits
from hugginggpt.media.problem import ContentProblem

_SHARE_OF_MEMORY = 4
"""An XML text takes several times its size in memory once it is parsed."""


class Budget:
    """What is left of the limits while one document is read."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._characters = limits.characters
        self._cells = limits.cells
        self._unpacked = limits.memory // _SHARE_OF_MEMORY

    def pages(self, count: int, part: str = "page") -> None:
        """Check the number of pages, slides, sheets or frames.

        Raises:
            ContentProblem: there are more than allowed.
        """
        if count > self.limits.pages:
            raise ContentProblem(
                f"has {count} {part}s, more than the {self.limits.pages} that HUGGINGGPT_MAX_DOCUMENT_PAGES allows; "
                "split it"
            )

    def spend_characters(self, count: int) -> None:
        """Count characters of the text.

        Raises:
            ContentProblem: there are more than allowed.
        """
        self._characters -= count
        if self._characters < 0:
            raise ContentProblem(
                f"has more than the {self.limits.characters} characters that HUGGINGGPT_MAX_TEXT_CHARS allows; split it"
            )

    def spend_cells(self, count: int) -> None:
        """Count cells of tables.

        Raises:
            ContentProblem: there are more than allowed.
        """
        self._cells -= count
        if self._cells < 0:
            raise ContentProblem(f"has more than the {self.limits.cells} table cells allowed; split it")

    def spend_unpacked(self, count: int) -> None:
        """Count bytes that come out of an archive, whatever sizes the archive declares.

        Raises:
            ContentProblem: there are more than allowed.
        """
        self._unpacked -= count
        if self._unpacked < 0:
            most = self.limits.memory // _SHARE_OF_MEMORY
            raise ContentProblem(f"holds more than {most} bytes once it is unpacked, too much to read; split it")
