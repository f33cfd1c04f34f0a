"""Instructions about a picture, through transformers."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_class import Network
from hugginggpt.experts.local.runtime.vision_language import VisionLanguageExpert, answer_about_image
from hugginggpt.media import Text

_USUAL_TOKENS = 512


class ImageTextToText(VisionLanguageExpert):
    """Follows an instruction about a picture with a multimodal chat model."""

    kind = "image-text-to-text"

    def prepare(self, inputs: Inputs) -> Any:
        if not inputs["text"].text.strip():
            raise ExpertError("The instruction for the picture is empty: write one.")
        return inputs

    def run(self, model: LoadedModel[Network], prepared: Inputs, deadline: Deadline) -> Any:
        picture, text = opaque(prepared["image"].image), prepared["text"].text.strip()
        return model.run(lambda network: answer_about_image(network, picture, text, prepared, _USUAL_TOKENS), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]
