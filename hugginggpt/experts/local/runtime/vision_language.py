"""Vision-language models: chat models that accept pictures, and captioning models."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs
from hugginggpt.experts.local.runtime.generation import generation_options, seeded
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert, load_processor
from hugginggpt.experts.local.runtime.model_loading import LoadTarget
from hugginggpt.spoken import without_thoughts


@dataclass(frozen=True)
class ImageProcessorAndTokenizer:
    """The processors of a captioning model, for which many repositories have no combined processor."""

    image_processor: Any
    tokenizer: Any


class VisionLanguageExpert(NetworkExpert):
    """Writes a text about a picture. The processor of a chat model has a chat template; others have two processors."""

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
    """The answer of a chat model to a picture and a text.

    Args:
        network: the model and its processor.
        picture: RGB.
        text: the question or instruction.
        inputs: for the parameters.
        usual: the default for `max_new_tokens`.

    Raises:
        ExpertError: the model is not a chat model, or its answer is empty.
    """
    if isinstance(network.processor, ImageProcessorAndTokenizer):
        raise ExpertError(
            "This model only describes pictures and follows no instructions: choose a multimodal chat model."
        )
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
    """Generate a text.

    Args:
        given: the output of its processor, tensors by name.
        decoder: turns tokens into text.
        skipped: how many tokens at the beginning of the result belong to the prompt.

    Raises:
        ExpertError: the text is empty.
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
    text = without_thoughts(str(decoder.decode(made, skip_special_tokens=True))).said
    if not text:
        raise ExpertError("The model wrote nothing about the picture: choose another.")
    return text
