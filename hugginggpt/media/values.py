"""Typed values in memory, one class per `ValueType`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from hugginggpt.capabilities import ValueType

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image as PILImage


@dataclass(frozen=True)
class Text:
    """A text."""

    text: str
    type = ValueType.TEXT


@dataclass(frozen=True)
class Image:
    """A picture: upright (EXIF applied), in mode RGB, RGBA or L.

    Attributes:
        text: what is written in it, if its file says that: the text of a page.
    """

    image: PILImage.Image
    text: str | None = None
    type = ValueType.IMAGE


@dataclass(frozen=True)
class Audio:
    """Sound: `samples` are float32 in [-1, 1] of shape (frames, channels), `rate` is in Hz."""

    samples: npt.NDArray[np.float32]
    rate: int
    type = ValueType.AUDIO


@dataclass(frozen=True)
class Video:
    """A video as its encoded bytes."""

    data: bytes
    mime: str = "video/mp4"
    type = ValueType.VIDEO


@dataclass(frozen=True)
class Document:
    """A document as its encoded bytes. What is in it is read by its parts: text, pages, tables."""

    data: bytes
    mime: str
    type = ValueType.DOCUMENT


@dataclass(frozen=True)
class Table:
    """A table; every row has one cell per column.

    Attributes:
        lines: the line of its file that each row begins in, as an editor counts them; empty if it comes from no file.
        name: what its document calls it, such as the name of its sheet; "" for nothing.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: Sequence[int] = field(default=(), compare=False, repr=False)
    name: str = field(default="", compare=False, repr=False)
    type = ValueType.TABLE

    def line_of(self, row: int) -> int:
        """The number of a row in its file, where the header usually is 1."""
        return self.lines[row] if self.lines else row + 2


@dataclass(frozen=True)
class Structured:
    """A structured result: JSON data, and a text that can replace it in a sentence."""

    data: Any
    text: str = field(default="")
    type = ValueType.STRUCTURED


Value: TypeAlias = Text | Image | Audio | Video | Table | Structured | Document
