"""The kinds that take a picture, at an inference provider."""

from collections.abc import Mapping
from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import candidate_labels
from hugginggpt.experts.remote import parsing, payload
from hugginggpt.experts.remote.provider import RemoteExpert
from hugginggpt.experts.rendering import classification, detections, regions
from hugginggpt.media import Text


class _Looking(RemoteExpert):
    """A kind whose only input is a picture."""

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"image": payload.picture(inputs)}


class ObjectDetection(_Looking):
    """Finds objects in a picture, with their boxes."""

    kind = "object-detection"

    def parse(self, answer: Any) -> Any:
        return [
            {
                "label": parsing.name(element.label),
                "score": parsing.number(element.score),
                "box": {side: round(parsing.number(getattr(element.box, side))) for side in _SIDES},
            }
            for element in answer
        ]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return detections(raw, inputs["image"].image)


_SIDES = ("xmin", "ymin", "xmax", "ymax")


class ImageClassification(_Looking):
    """Says what a picture shows."""

    kind = "image-classification"

    def parse(self, answer: Any) -> Any:
        return parsing.labels(answer)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]


class ZeroShotImageClassification(ImageClassification):
    """Classifies a picture by the given labels."""

    kind = "zero-shot-image-classification"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"image": payload.picture(inputs), "candidate_labels": candidate_labels(inputs)}


class ImageSegmentation(_Looking):
    """Divides a picture into named regions."""

    kind = "image-segmentation"

    def parse(self, answer: Any) -> Any:
        return [
            {
                "label": parsing.name(element.label),
                "score": None if element.score is None else parsing.number(element.score),
                "mask": parsing.mask(element.mask),
            }
            for element in answer
        ]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The regions, the largest first."""
        return regions(sorted(raw, key=lambda entry: -float(entry["mask"].mean())), inputs["image"].image)


class _Telling(_Looking):
    """A kind whose output is a text."""

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]


class ImageToText(_Telling):
    """Describes a picture, or reads its text if the model was trained to."""

    kind = "image-to-text"

    def parse(self, answer: Any) -> Any:
        return parsing.words(answer.generated_text)


class ImageTextToText(_Telling):
    """Follows an instruction about a picture."""

    kind = "image-text-to-text"
    method = "chat_completion"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        shown = {"type": "image_url", "image_url": {"url": payload.data_uri(inputs)}}
        return payload.message(inputs, [shown, {"type": "text", "text": payload.text(inputs)}])

    def parse(self, answer: Any) -> Any:
        return parsing.reply(answer)


class VisualQuestionAnswering(_Telling):
    """Answers a question about what a picture shows."""

    kind = "visual-question-answering"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"image": payload.picture(inputs), "question": payload.text(inputs)}

    def parse(self, answer: Any) -> Any:
        return parsing.best_answer(answer)


class DocumentQuestionAnswering(VisualQuestionAnswering):
    """Answers a question from a picture of a document."""

    kind = "document-question-answering"


EXPERTS = (
    ObjectDetection(),
    ImageClassification(),
    ZeroShotImageClassification(),
    ImageSegmentation(),
    ImageToText(),
    ImageTextToText(),
    VisualQuestionAnswering(),
    DocumentQuestionAnswering(),
)
