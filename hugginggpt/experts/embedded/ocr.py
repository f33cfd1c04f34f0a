"""OCR for experts: reads the text in a picture within a deadline."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PIL import Image as PILImage

from hugginggpt.child_process import Child
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.embedded.legible import UNREADABLE
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.models.card import ModelCard

START_SECONDS = 120.0


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
        """The text in a picture, line by line, with a mark in place of what cannot be read.

        Raises:
            ExpertError: there is no text in the picture, or none of it can be read.
            DeadlineExceededError: reading took too long.
        """
        return str(self._answer(picture, deadline)["text"])

    def words(self, picture: PILImage.Image, deadline: Deadline) -> list[tuple[str, tuple[float, float, float, float]]]:
        """The words in a picture, each with its left, top, right and bottom in pixels.

        OCR finds boxes of whole lines; they are divided in proportion to the lengths of the words. Words that cannot be
        read are left out.

        Raises:
            ExpertError: there is no text in the picture, or none of it can be read.
            DeadlineExceededError: reading took too long.
        """
        return [word for text, corners in self._answer(picture, deadline)["lines"] for word in _words(text, corners)]

    def _answer(self, picture: PILImage.Image, deadline: Deadline) -> Mapping[str, Any]:
        pixels = opaque(picture)
        header = {"width": pixels.width, "height": pixels.height}
        with computing(deadline):
            answer, _ = self._child.call(header, pixels.tobytes("raw", "BGR"), deadline=deadline)
        if not answer["text"]:
            raise ExpertError("No text was found in the picture.")
        if not answer["text"].replace(UNREADABLE, "").strip():
            raise ExpertError(
                "The text in the picture cannot be read: it is not clear enough, or in a script other than Latin, "
                "Chinese and Japanese."
            )
        return answer

    def close(self) -> None:
        """End the process."""
        self._child.close()


def _words(text: str, corners: Sequence[Sequence[float]]) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    upper, lower = (corners[0], corners[1]), (corners[3], corners[2])
    for word in re.finditer(r"\S+", text.replace(UNREADABLE, " " * len(UNREADABLE))):
        ends = [
            (start + share * (end - start))
            for line in (upper, lower)
            for share in (word.start() / len(text), word.end() / len(text))
            for start, end in zip(*line, strict=True)
        ]
        xs, ys = ends[::2], ends[1::2]
        yield word.group(), (min(xs), min(ys), max(xs), max(ys))
