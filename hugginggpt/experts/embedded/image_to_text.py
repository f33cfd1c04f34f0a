"""Image to text with OCR."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.media import Text
from hugginggpt.models.card import Endpoint, ModelCard


class ImageToText(Expert):
    """Reads the text in a picture with PP-OCR, row by row; a page whose text its file has is not read again."""

    kind = "image-to-text"
    endpoint = Endpoint.EMBEDDED
    packages = ("rapidocr", "onnxruntime", "cv2")
    requirement = "hugginggpt[embedded]"
    pool_key = "ocr"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        from hugginggpt.experts.embedded.ocr import OcrReader

        return OcrReader(card, context)

    def prepare(self, inputs: Inputs) -> Any:
        return inputs["image"]

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        return prepared.text or model.read(prepared.image, deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]
