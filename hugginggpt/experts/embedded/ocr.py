"""OCR for experts: reads the text in a picture within a deadline."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PIL import Image as PILImage

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.child_process import Child
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.models.card import ModelCard

START_SECONDS = 120.0

# RapidOCR scales thinner pictures to an enormous size, or fails.
_MOST_TIMES_AS_LONG = 8


class OcrReader:
    """RapidOCR in a child process."""

    def __init__(self, card: ModelCard, context: ExpertContext) -> None:
        threads = context.settings.cpu_threads
        arguments: Mapping[str, object] = {
            "folder": str(packaged_files(card, "rapidocr")[0] / "models"),
            "threads": threads,
        }
        self._child = Child("hugginggpt.experts.embedded.ocr_process:make_reader", arguments, threads=threads)
        self._child.start(Deadline(START_SECONDS))

    def read(self, picture: PILImage.Image, deadline: Deadline) -> str:
        """The text in a picture, row by row.

        Raises:
            ExpertError: there is no text in the picture.
            DeadlineExceededError: reading took too long.
        """
        return str(self._answer(picture, deadline)["text"])

    def words(self, picture: PILImage.Image, deadline: Deadline) -> list[tuple[str, tuple[float, float, float, float]]]:
        """The words in a picture, each with its left, top, right and bottom in pixels.

        OCR finds boxes of whole lines; they are divided in proportion to the lengths of the words.

        Raises:
            ExpertError: there is no text in the picture.
            DeadlineExceededError: reading took too long.
        """
        return [word for text, corners in self._answer(picture, deadline)["lines"] for word in _words(text, corners)]

    def _answer(self, picture: PILImage.Image, deadline: Deadline) -> Mapping[str, Any]:
        pixels = _wide_enough(opaque(picture))
        header = {"width": pixels.width, "height": pixels.height}
        with computing(deadline):
            answer, _ = self._child.call(header, pixels.tobytes(), deadline=deadline)
        if not answer["text"]:
            raise ExpertError("No text was found in the picture.")
        return answer

    def close(self) -> None:
        """End the process."""
        self._child.close()


def _wide_enough(picture: PILImage.Image) -> PILImage.Image:
    """The picture, padded with white on the right or below if it is too thin to read."""
    least = max(picture.size) // _MOST_TIMES_AS_LONG
    if min(picture.size) >= least:
        return picture
    page = PILImage.new("RGB", (max(picture.width, least), max(picture.height, least)), "white")
    page.paste(picture)
    return page


def _words(text: str, corners: Sequence[Sequence[float]]) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    top, bottom = min(y for _, y in corners), max(y for _, y in corners)
    letter = (right - left) / max(1, len(text))
    for word in re.finditer(r"\S+", text):
        yield word.group(), (left + word.start() * letter, top, left + word.end() * letter, bottom)
