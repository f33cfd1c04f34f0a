"""Document question answering: the OCR reader reads, the controller answers."""

from typing import Any

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, Inputs, Outputs, Surroundings
from hugginggpt.media import Text

_ANSWER_TOKENS = 256


class DocumentQuestionAnswering(Expert):
    """Answers a question from what stands in a picture of a document."""

    kind = "document-question-answering"
    endpoint = Endpoint.EMBEDDED
    packages = ("rapidocr", "onnxruntime", "cv2")
    install = "hugginggpt[embedded]"
    loads = "ocr"

    def load(self, card: ModelCard, surroundings: Surroundings) -> Any:
        """Start the reader."""
        from hugginggpt.experts.embedded.reader import Reader

        return Reader(card, surroundings)

    def bind(self, model: Any, surroundings: Surroundings) -> Any:
        """The reader, and the controller of this request."""
        return model, surroundings.controller()

    def prepare(self, inputs: Inputs) -> Any:
        """The picture and the question."""
        return inputs["image"].image, inputs["text"].text

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        """Read the picture, then ask."""
        from hugginggpt.controller.prompts import Cuttable, render_within

        reader, controller = model
        picture, question = prepared
        page = reader.read(picture, deadline)
        prompt = render_within(
            self.kind, controller.context_tokens - _ANSWER_TOKENS, page=Cuttable(page), question=question
        )
        return controller.chat(prompt, stage=self.kind, max_tokens=_ANSWER_TOKENS, deadline=deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The answer."""
        return [Text(raw)]
