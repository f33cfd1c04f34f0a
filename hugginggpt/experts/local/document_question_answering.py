"""Document question answering through transformers: LayoutLM on the words that OCR finds, Donut on the picture."""

from dataclasses import dataclass
from typing import Any

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.embedded.ocr import OcrReader
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.media import Text
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Endpoint, ModelCard

_READS_BY_ITSELF = "vision-encoder-decoder"
_AROUND = 8
"""Tokens besides the question: Donut's special tokens, and a minimum for the answer."""
_SCALE = 1000
"""LayoutLM takes positions on a page in thousandths of its sides."""


@dataclass(frozen=True)
class _ModelWithReader:
    """The model, and its OCR reader if it needs one."""

    model: LoadedModel[Any]
    reader: OcrReader | None

    @property
    def bytes(self) -> int:
        return self.model.bytes

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()


class DocumentQuestionAnswering(PipelineExpert):
    """Answers a question from a picture of a document."""

    kind = "document-question-answering"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        model = super().load(card, context)
        if model.tool.model.config.model_type == _READS_BY_ITSELF:
            # The default limit is too short for many questions with their answers.
            model.tool.model.generation_config.max_new_tokens = None
            model.tool.model.generation_config.max_length = _longest(model.tool)
            return _ModelWithReader(model, None)
        if model.tool.image_processor is not None:
            # Otherwise it calls Tesseract, which is not a dependency.
            model.tool.image_processor.apply_ocr = False
        ocr = next(card for card in bundled_cards()["image-to-text"] if Endpoint.EMBEDDED in card.runs_on)
        return _ModelWithReader(model, OcrReader(ocr, context))

    def prepare(self, inputs: Inputs) -> Any:
        question = inputs["text"].text.strip()
        if not question:
            raise ExpertError("The question about the document is empty: write one.")
        return opaque(inputs["image"].image), question

    def run(self, model: _ModelWithReader, prepared: Any, deadline: Deadline) -> Any:
        picture, question = prepared
        asked: dict[str, Any] = {"image": picture, "question": question}
        if model.reader is None:
            _refuse_if_too_long(question, model.model.tool)
        else:
            asked["word_boxes"] = _word_boxes(model.reader, picture, deadline)
        return model.model.run(lambda pipeline: pipeline(asked), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        found = raw if isinstance(raw, list) else [raw]
        answer = str(found[0].get("answer") or "").strip() if found else ""
        if not answer:
            raise ExpertError("The model found no answer to the question in the document.")
        return [Text(answer)]


def _longest(pipeline: Any) -> int:
    """How many tokens Donut can generate for a question with its answer."""
    return int(pipeline.model.config.decoder.max_position_embeddings)


def _refuse_if_too_long(question: str, pipeline: Any) -> None:
    """Raise if a question leaves Donut no room for an answer."""
    tokens = len(pipeline.tokenizer(question, add_special_tokens=False)["input_ids"])
    if tokens + _AROUND >= _longest(pipeline):
        raise ExpertError(
            f"The question is too long for the model, which accepts {_longest(pipeline)} tokens: shorten it."
        )


def _word_boxes(reader: OcrReader, picture: PILImage.Image, deadline: Deadline) -> list[list[Any]]:
    """Each word with its box, in thousandths of the page."""
    sides = (picture.width, picture.height) * 2
    return [
        [word, [min(_SCALE, max(0, round(_SCALE * at / side))) for at, side in zip(box, sides, strict=True)]]
        for word, box in reader.words(picture, deadline)
    ]
