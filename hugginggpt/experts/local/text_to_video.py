"""Videos from texts, through diffusers."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.runtime.diffusion import Diffuser, DiffusionExpert
from hugginggpt.experts.local.runtime.frame_rate import frames_per_second
from hugginggpt.experts.local.runtime.image_size import requested_size
from hugginggpt.experts.video import encode_video


class TextToVideo(DiffusionExpert):
    """Generates a video from a text."""

    kind = "text-to-video"

    def make(self, diffuser: Diffuser, inputs: Inputs) -> Any:
        """The frames, and the frame rate."""
        made = diffuser(inputs, prompt=inputs["text"].text, output_type="pil", **requested_size(inputs))
        return made.frames[0], frames_per_second(diffuser)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [encode_video(*raw)]
