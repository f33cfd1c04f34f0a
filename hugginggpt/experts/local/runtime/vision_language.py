"""Models that look at a picture and write: chat models that see, and those that caption."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs
from hugginggpt.experts.local.runtime.generation import generation_options, seeded, without_thinking
from hugginggpt.experts.local.runtime.model_loading import LoadTarget
from hugginggpt.experts.local.runtime.network import Network, NetworkExpert, load_processor


@dataclass(frozen=True)
class ImageProcessorAndTokenizer:
    """What feeds a captioning model, for which many repositories have no joint processor."""

    image_processor: Any
    tokenizer: Any


class VisionLanguageExpert(NetworkExpert):
    """Looks at a picture and writes. The processor of a chat model has a chat template; any other's has two parts."""

    model_class = "AutoModelForImageTextToText"

    def processor(self, target: LoadTarget) -> Any:
        """A chat model's processor, or an image processor and a tokenizer."""
        if any(Path(target.folder, name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
            return load_processor(target, "AutoProcessor")
        tokenizer = load_processor(target, "AutoTokenizer")
        if tokenizer.chat_template:
            return load_processor(target, "AutoProcessor")
        return ImageProcessorAndTokenizer(load_processor(target, "AutoImageProcessor"), tokenizer)


def answer_about_image(network: Network, picture: PILImage.Image, text: str, inputs: Inputs, usual: int) -> str:
    """What a chat model says to a picture and a text.

    Args:
        network: the model and its processor.
        picture: RGB.
        text: the question or instruction.
        inputs: for the parameters.
        usual: most new tokens where the request does not say.

    Raises:
        ExpertError: it is no chat model, or says nothing.
    """
    if isinstance(network.processor, ImageProcessorAndTokenizer):
        raise ExpertError("This model describes pictures and follows no text: choose a chat model that sees.")
    content = [{"type": "image", "image": picture}, {"type": "text", "text": text}]
    given = network.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    return generate_text(network, given, network.processor, inputs, usual, skipped=given["input_ids"].shape[1])


def generate_text(
    network: Network, given: Mapping[str, Any], decoder: Any, inputs: Inputs, usual: int, skipped: int = 0
) -> str:
    """What a model writes.

    Args:
        given: what its processor made, tensors by name.
        decoder: turns tokens into a text.
        skipped: tokens at the beginning of what it gives that are the question's.

    Raises:
        ExpertError: it wrote nothing.
    """
    import torch

    model = network.model
    at_home = {
        name: value.to(model.device, model.dtype if value.is_floating_point() else None)
        for name, value in given.items()
    }
    options = generation_options(inputs, usual)
    with torch.inference_mode(), seeded(inputs.get("seed"), model.device):
        made = model.generate(**at_home, **options)[0, skipped:]
    text = without_thinking(str(decoder.decode(made, skip_special_tokens=True)))
    if not text:
        raise ExpertError("The model wrote nothing about the picture: choose another.")
    return text
