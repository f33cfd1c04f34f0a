"""Pictures from a text and a control picture: Stable Diffusion with a ControlNet (arXiv 2302.05543)."""

import json
from pathlib import Path
from typing import Any

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.errors import ModelLoadError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.local.runtime.diffusion import Diffuser, DiffusionExpert, load_pipeline
from hugginggpt.experts.local.runtime.image_size import resized_for
from hugginggpt.experts.local.runtime.model_loading import LoadTarget, model_loading
from hugginggpt.experts.weights import Weights
from hugginggpt.media import Image
from hugginggpt.models.card import ModelCard

_BASES = {
    768: "stable-diffusion-v1-5/stable-diffusion-v1-5",
    1024: "stabilityai/stable-diffusion-2-1-base",
    2048: "stabilityai/stable-diffusion-xl-base-1.0",
}
"""The base model that a ControlNet was trained for, by the width of its text features."""


class ControlToImage(DiffusionExpert):
    """Generates a picture from a text, following a control picture: edges, depth, a pose and so on.

    The kinds differ only in the control picture.
    """

    auto_class = "AutoPipelineForText2Image"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @property
    def pool_key(self) -> str:
        """A ControlNet with its base pipeline, whatever the kind."""
        return "diffusers ControlNetModel"

    def fetch(self, card: ModelCard, context: ExpertContext) -> Weights:
        """Download the ControlNet and the pipeline it works with."""
        from hugginggpt.experts.local.runtime.download import fetch_model

        base = _base(card, fetch_model(card, context.settings))
        return super().fetch(card.model_copy(update={"companions": (base,)}), context)

    def pipeline(self, card: ModelCard, target: LoadTarget, context: ExpertContext) -> Any:
        """The base pipeline with the ControlNet in it."""
        from diffusers import ControlNetModel

        loaded: Any = ControlNetModel
        controlnet = loaded.from_pretrained(
            target.folder, dtype=target.dtype, use_safetensors=True, local_files_only=True
        )
        base = ModelCard(id=_base(card, Path(target.folder)), kind=card.kind)
        with model_loading(base, context) as beside:
            return load_pipeline(base, beside, self.auto_class, controlnet=controlnet)

    def make(self, diffuser: Diffuser, inputs: Inputs) -> Any:
        """The picture keeps the proportions of the control picture."""
        control = resized_for(opaque(inputs["image"].image), diffuser, inputs)
        size = {"width": control.width, "height": control.height}
        return diffuser(inputs, prompt=inputs["text"].text, image=control, **size).images[0]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Image(raw)]


def _base(card: ModelCard, folder: Path) -> str:
    """The id of the base model of a ControlNet, from its card or else from its config."""
    if card.companions:
        return card.companions[0]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    base = _BASES.get(config.get("cross_attention_dim"))
    if base is None:
        raise ModelLoadError(f"The base model of the ControlNet {card.id} is not known: choose another ControlNet.")
    return base


CONTROL_TO_IMAGE = tuple(ControlToImage(row.kind) for row in CAPABILITIES.values() if row.control)
"""One expert for each kind that generates a picture from a control picture."""
