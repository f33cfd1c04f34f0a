"""Document question answering with OCR and the controller."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import ExpertContext, Inputs
from hugginggpt.experts.controller import QuestionAnswering
from hugginggpt.media import Text
from hugginggpt.models.card import Endpoint, ModelCard


class DocumentQuestionAnswering(QuestionAnswering):
    """Reads a picture of a document with OCR; the controller answers the question from the text."""

    kind = "document-question-answering"
    endpoint = Endpoint.EMBEDDED
    packages = ("rapidocr", "onnxruntime", "cv2")
    requirement = "hugginggpt[embedded]"
    pool_key = "ocr"
    uses_controller = True

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        from hugginggpt.experts.embedded.ocr import OcrReader

        return OcrReader(card, context)

    def for_request(self, model: Any, context: ExpertContext) -> Any:
        """The OCR reader, and the controller of this request."""
        return model, super().for_request(None, context)

    def prepare(self, inputs: Inputs) -> Any:
        return inputs

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        reader, controller = model
        picture = prepared["image"]
        page = picture.text or reader.read(picture.image, deadline)
        asked = super().prepare({"text": prepared["text"], "context": Text(page)})
        return super().run(controller, asked, deadline)
