"""Image captioning through transformers."""

from typing import Any

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_class import Network
from hugginggpt.experts.local.runtime.vision_language import (
    ImageProcessorAndTokenizer,
    VisionLanguageExpert,
    answer_about_image,
    generate_text,
)
from hugginggpt.media import Text

_ASKED = "Describe this image. If it shows a text, say what the text is."
_USUAL_TOKENS = 128


class ImageToText(VisionLanguageExpert):
    """Describes a picture, or reads its text if the model was trained to."""

    kind = "image-to-text"

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: LoadedModel[Network], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda network: _described(network, prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]


def _described(network: Network, picture: PILImage.Image) -> str:
    processor = network.processor
    if not isinstance(processor, ImageProcessorAndTokenizer):
        return answer_about_image(network, picture, _ASKED, {}, _USUAL_TOKENS)
    given = processor.image_processor(picture, return_tensors="pt")
    return generate_text(network, {"pixel_values": given["pixel_values"]}, processor.tokenizer, {}, _USUAL_TOKENS)
