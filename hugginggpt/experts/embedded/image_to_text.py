"""Image to text by OCR."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, Inputs, Outputs, Surroundings
from hugginggpt.media import Text
from hugginggpt.models.card import Endpoint, ModelCard


class ImageToText(Expert):
    """Reads the text in a picture with PP-OCR, row by row."""

    kind = "image-to-text"
    endpoint = Endpoint.EMBEDDED
    packages = ("rapidocr", "onnxruntime", "cv2")
    install = "hugginggpt[embedded]"
    loads = "ocr"

    def load(self, card: ModelCard, surroundings: Surroundings) -> Any:
        """Start the reader."""
        from hugginggpt.experts.embedded.ocr import Reader

        return Reader(card, surroundings)

    def prepare(self, inputs: Inputs) -> Any:
        """The picture."""
        return inputs["image"].image

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        """Read it."""
        return model.read(prepared, deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """Its text."""
        return [Text(raw)]
