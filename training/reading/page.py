"""A page: pieces of text with their places, as OCR finds them, and lines that are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import ImageFont

from hugginggpt.experts.embedded.reading_order import Box as Corners
from training.reading.traced import Traced

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


def corners(box: Box) -> Corners:
    """A box as OCR gives it: top left, top right, bottom right, bottom left."""
    left, top, right, bottom = box
    return (left, top), (right, top), (right, bottom), (left, bottom)


@dataclass(frozen=True)
class Piece:
    """A piece of text on a page.

    Attributes:
        left: of its first letter, in pixels.
        top: of the line that it stands in.
        grey: of its letters, from 0 for black.
    """

    text: Traced
    left: float
    top: float
    face: ImageFont.FreeTypeFont
    grey: int = 0

    @property
    def box(self) -> Box:
        """What its letters cover."""
        left, top, right, bottom = self.face.getbbox(self.text.text)
        return self.left + left, self.top + top, self.left + right, self.top + bottom


@dataclass
class Page:
    """A page.

    Attributes:
        rules: lines, each from a point to a point.
    """

    width: int
    height: int = 0
    pieces: list[Piece] = field(default_factory=list)
    rules: list[Box] = field(default_factory=list)
