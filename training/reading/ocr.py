"""The embedded OCR on pictures, in this process."""

from __future__ import annotations

from importlib.resources import files

from PIL import Image

from hugginggpt.experts.embedded.ocr_process import make_reader
from hugginggpt.experts.embedded.reading_order import Box as Corners
from hugginggpt.experts.embedded.reading_order import in_reading_order


class Ocr:
    """Reads pictures as the embedded experts do.

    Args:
        threads: how many it may use.
    """

    def __init__(self, threads: int = 1) -> None:
        self._read = make_reader(str(files("rapidocr") / "models"), threads)

    def lines(self, picture: Image.Image) -> list[tuple[str, Corners]]:
        """The pieces that it finds, with their corners."""
        pixels = picture.convert("RGB")
        answer, _ = self._read({"width": pixels.width, "height": pixels.height}, pixels.tobytes())
        return [(text, box) for text, box in answer["lines"]]

    def text(self, picture: Image.Image) -> str:
        """All text of a picture, row by row."""
        return in_reading_order([(box, text) for text, box in self.lines(picture)])
