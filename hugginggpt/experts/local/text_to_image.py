"""Pictures from texts, through diffusers."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.runtime.diffusion import Diffuser, DiffusionExpert
from hugginggpt.experts.local.runtime.image_size import requested_size
from hugginggpt.media import Image


class TextToImage(DiffusionExpert):
    """Generates a picture from a text."""

    kind = "text-to-image"
    auto_class = "AutoPipelineForText2Image"

    def make(self, diffuser: Diffuser, inputs: Inputs) -> Any:
        return diffuser(inputs, prompt=inputs["text"].text, **requested_size(inputs)).images[0]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Image(raw)]
