"""Videos from pictures, through diffusers."""

import json
from pathlib import Path
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.local.runtime.diffusion import Diffuser, DiffusionExpert, load_pipeline
from hugginggpt.experts.local.runtime.frame_rate import frames_per_second
from hugginggpt.experts.local.runtime.image_size import resized_for
from hugginggpt.experts.local.runtime.model_loading import LoadTarget
from hugginggpt.experts.video import encode_video
from hugginggpt.models.card import ModelCard

# The same weights serve both; diffusers has a pipeline for each.
_FOR_PICTURES = {"LTXPipeline": "LTXImageToVideoPipeline"}


class ImageToVideo(DiffusionExpert):
    """Generates a video from a picture, following a text if the model takes one."""

    kind = "image-to-video"

    def pipeline(self, card: ModelCard, target: LoadTarget, context: ExpertContext) -> Any:
        """The pipeline that takes a picture, even if the model names the one that takes only text."""
        index = json.loads(Path(target.folder, "model_index.json").read_text(encoding="utf-8"))
        return load_pipeline(card, target, _FOR_PICTURES.get(index["_class_name"], self.auto_class))

    def make(self, diffuser: Diffuser, inputs: Inputs) -> Any:
        """The frames, and the frame rate."""
        if not diffuser.takes("image"):
            raise ExpertError("This model makes videos only from text: choose one that takes a picture.")
        text = inputs["text"].text.strip() if inputs.get("text") else ""
        if diffuser.takes("prompt") and not text:
            raise ExpertError("This model needs a text: say what should happen in the video.")
        picture = resized_for(opaque(inputs["image"].image), diffuser, inputs)
        size = {"width": picture.width, "height": picture.height}
        made = diffuser(inputs, prompt=text, image=picture, output_type="pil", **size)
        return made.frames[0], frames_per_second(diffuser)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [encode_video(*raw)]
