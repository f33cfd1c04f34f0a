"""Pictures from pictures: variation, editing by instruction, and super-resolution."""

import re
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.diffusion import Diffuser, DiffusionExpert, load_pipeline, on_device
from hugginggpt.experts.local.runtime.image_size import resized_for
from hugginggpt.experts.local.runtime.model_class import Network, load_network, load_processor
from hugginggpt.experts.local.runtime.model_loading import model_loading
from hugginggpt.media import Image
from hugginggpt.models.card import ModelCard

_ENLARGING = re.compile(
    r"enlarg|upscal|resol|larger|bigger|sharp|detail|quality|restor|[x×]\s?[234]|[234]\s?[x×]", re.I
)

_MOST_ENLARGED = 1024
"""The limit for the longer side of a picture to enlarge, in pixels, because memory grows at least with its square."""

# How much of the picture is regenerated: 0 keeps all of it, 1 nothing.
_STRENGTH_OF_A_VARIATION, _STRENGTH_UNDER_A_TEXT = 0.5, 0.8


class ImageToImage(DiffusionExpert):
    """Varies a picture, edits it by instruction, or enlarges it, depending on the model.

    Pipelines of diffusers vary or edit; super-resolution models of transformers enlarge.
    """

    kind = "image-to-image"
    auto_class = "AutoPipelineForImage2Image"

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Any]:
        with model_loading(card, context) as target:
            if Path(target.folder, "model_index.json").is_file():
                return on_device(load_pipeline(card, target, self.auto_class), card, target)
            return load_network(card, target, "AutoModelForImageToImage", load_processor(target, "AutoImageProcessor"))

    def prepare(self, inputs: Inputs) -> Any:
        return {**inputs, "image": opaque(inputs["image"].image)}

    def run(self, model: LoadedModel[Any], prepared: Inputs, deadline: Deadline) -> Any:
        if isinstance(model.tool, Network):
            return model.run(lambda network: _enlarged(network, prepared), deadline)
        return super().run(model, prepared, deadline)

    def make(self, diffuser: Diffuser, inputs: Inputs) -> Any:
        text = inputs["text"].text.strip() if inputs.get("text") else ""
        if diffuser.takes("image_guidance_scale") and not text:
            raise ExpertError("This model edits pictures by instruction: say what to change.")
        if text and not diffuser.takes("prompt"):
            raise ExpertError("This model only varies pictures and takes no text: choose another model.")
        strength = _STRENGTH_UNDER_A_TEXT if text else _STRENGTH_OF_A_VARIATION
        picture = resized_for(inputs["image"], diffuser, inputs)
        size = {"width": picture.width, "height": picture.height} if not diffuser.takes("strength") else {}
        return diffuser(inputs, prompt=text, image=picture, strength=strength, **size).images[0]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Image(raw)]


def _enlarged(network: Network, inputs: Inputs) -> PILImage.Image:
    """The picture, enlarged by the factor that the network was trained for."""
    import torch

    text = inputs["text"].text if inputs.get("text") else ""
    if text.strip() and not _ENLARGING.search(text):
        raise ExpertError("This model only enlarges pictures: choose one that edits them.")
    picture: PILImage.Image = inputs["image"]
    if max(picture.size) > _MOST_ENLARGED:
        raise ExpertError(
            f"The picture is too large to enlarge: its longer side may have at most {_MOST_ENLARGED} pixels."
        )
    model = network.model
    given = network.processor(picture, return_tensors="pt").to(model.device, model.dtype)
    with torch.inference_mode():
        made = model(**given).reconstruction[0]
    # The processor pads to the network's windows; the padding is cut off from the result.
    factor = made.shape[-1] // given["pixel_values"].shape[-1]
    made = made[:, : picture.height * factor, : picture.width * factor]
    values = made.float().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return PILImage.fromarray(values)
