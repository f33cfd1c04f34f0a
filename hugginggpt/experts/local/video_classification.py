"""Video classification through transformers."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert
from hugginggpt.experts.rendering import classification
from hugginggpt.experts.video import sample_frames

_LABELS = 5
_USUAL_FRAMES = 16


class VideoClassification(NetworkExpert):
    """Classifies a video by frames from its whole length."""

    kind = "video-classification"
    packages = (*NetworkExpert.packages, "av")
    model_class = "AutoModelForVideoClassification"
    processor_class = "AutoImageProcessor"

    def prepare(self, inputs: Inputs) -> Any:
        """The video itself: how many frames to sample depends on the model."""
        return inputs["video"]

    def run(self, model: LoadedModel[Network], prepared: Any, deadline: Deadline) -> Any:
        config = model.tool.model.config
        count = getattr(config, "num_frames", None) or getattr(config, "frames_per_clip", None) or _USUAL_FRAMES
        shown = sample_frames(prepared, int(count), deadline)
        return model.run(lambda network: _classified(network, shown), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]


def _classified(network: Network, shown: list[Any]) -> list[dict[str, Any]]:
    import torch

    model = network.model
    given = network.processor(list(shown), return_tensors="pt").to(model.device, model.dtype)
    with torch.inference_mode():
        scores = model(**given).logits[0].float().softmax(-1)
    best = scores.topk(min(_LABELS, len(scores)))
    return [
        {"label": model.config.id2label[int(at)], "score": float(score)}
        for score, at in zip(best.values, best.indices, strict=True)
    ]
