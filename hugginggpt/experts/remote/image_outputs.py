"""The kinds that generate pictures and videos, at an inference provider."""

from collections.abc import Mapping
from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.remote import parsing, payload
from hugginggpt.experts.remote.provider import RemoteExpert
from hugginggpt.media import Image

_STEERING = {"steps": "num_inference_steps", "guidance_scale": "guidance_scale"}
_SIZE = {"width": "width", "height": "height"}
_SEED = {"seed": "seed"}


class TextToImage(RemoteExpert):
    """Generates a picture from a text."""

    kind = "text-to-image"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"prompt": payload.text(inputs), **payload.parameters(inputs, _STEERING | _SIZE | _SEED)}

    def parse(self, answer: Any) -> Any:
        return parsing.picture(answer)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Image(raw)]


class ImageToImage(TextToImage):
    """Changes a picture, following a text if there is one."""

    kind = "image-to-image"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        text = {"prompt": payload.text(inputs)} if inputs.get("text") else {}
        steering = payload.parameters(inputs, _STEERING)
        return {"image": payload.picture(inputs), **text, **steering, **payload.size(inputs)}


class TextToVideo(RemoteExpert):
    """Generates a video from a text."""

    kind = "text-to-video"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"prompt": payload.text(inputs), **payload.parameters(inputs, _STEERING | _SEED)}

    def parse(self, answer: Any) -> Any:
        return parsing.video(answer)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [raw]


class ImageToVideo(TextToVideo):
    """Generates a video from a picture."""

    kind = "image-to-video"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        text = {"prompt": payload.text(inputs)} if inputs.get("text") else {}
        steering = payload.parameters(inputs, _STEERING | _SEED)
        return {"image": payload.picture(inputs), **text, **steering, **payload.size(inputs)}


EXPERTS = (TextToImage(), ImageToImage(), TextToVideo(), ImageToVideo())
