"""Visual question answering through transformers: models that choose an answer, that generate one, and chat models."""

import json
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_class import Network, load_network, load_processor
from hugginggpt.experts.local.runtime.model_loading import model_loading
from hugginggpt.experts.local.runtime.vision_language import VisionLanguageExpert, answer_about_image, generate_text
from hugginggpt.media import Text
from hugginggpt.models.card import ModelCard

_USUAL_TOKENS = 64

# Model types that were made only for this kind.
_CHOOSES, _WRITES = "vilt", "blip"


class VisualQuestionAnswering(VisionLanguageExpert):
    """Answers a question about what a picture shows."""

    kind = "visual-question-answering"

    @property
    def pool_key(self) -> str:
        return "visual question answering"

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Network]:
        """Load the model as the class it was trained as."""
        with model_loading(card, context) as target:
            config = json.loads(Path(target.folder, "config.json").read_text(encoding="utf-8"))
            if config.get("model_type") in (_CHOOSES, _WRITES):
                processor = load_processor(target, "AutoProcessor")
                return load_network(card, target, "AutoModelForVisualQuestionAnswering", processor)
            return load_network(card, target, self.model_class, self.processor(target))

    def prepare(self, inputs: Inputs) -> Any:
        question = inputs["text"].text.strip()
        if not question:
            raise ExpertError("The question about the picture is empty: write one.")
        return opaque(inputs["image"].image), question

    def run(self, model: LoadedModel[Network], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda network: _answer(network, *prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]


def _answer(network: Network, picture: PILImage.Image, question: str) -> str:
    import torch

    model, processor = network.model, network.processor
    if model.config.model_type not in (_CHOOSES, _WRITES):
        return answer_about_image(network, picture, question, {}, _USUAL_TOKENS)
    given = processor(images=picture, text=question, truncation=True, return_tensors="pt")
    if model.config.model_type == _WRITES:
        return generate_text(network, given, processor, {}, _USUAL_TOKENS)
    given = given.to(model.device, model.dtype)
    with torch.inference_mode():
        chosen = int(model(**given).logits[0].argmax())
    return str(model.config.id2label[chosen])
