"""The OCR reader as experts use it: a picture in, its text out, within a deadline."""

from collections.abc import Mapping

from PIL import Image as PILImage

from hugginggpt.catalog.card import ModelCard
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Surroundings
from hugginggpt.experts.child import Child
from hugginggpt.experts.drawing import on_white
from hugginggpt.experts.embedded.packaged import packaged_files

START_SECONDS = 120.0


class Reader:
    """RapidOCR in a child process."""

    def __init__(self, card: ModelCard, surroundings: Surroundings) -> None:
        threads = surroundings.settings.cpu_threads
        arguments: Mapping[str, object] = {
            "folder": str(packaged_files("rapidocr", card) / "models"),
            "threads": threads,
        }
        self._child = Child("hugginggpt.experts.embedded.reading:make_reader", arguments, threads=threads)
        self._child.start(Deadline(START_SECONDS))

    def read(self, picture: PILImage.Image, deadline: Deadline) -> str:
        """The text in a picture, row by row.

        Raises:
            ExpertError: there is none.
            DeadlineExceededError: reading took too long.
        """
        pixels = on_white(picture)
        header = {"width": pixels.width, "height": pixels.height}
        with computing(deadline):
            answer, _ = self._child.call(header, pixels.tobytes(), deadline=deadline)
        if not answer["text"]:
            raise ExpertError("No text was found in the picture.")
        return str(answer["text"])

    def close(self) -> None:
        """End the process."""
        self._child.close()
