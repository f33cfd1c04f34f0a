"""Zero-shot object detection through transformers."""

from typing import Any

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.inputs import candidate_labels
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert
from hugginggpt.experts.rendering import detections


class ZeroShotObjectDetection(NetworkExpert):
    """Finds the named objects in a picture, with their boxes."""

    kind = "zero-shot-object-detection"
    model_class = "AutoModelForZeroShotObjectDetection"
    processor_class = "AutoProcessor"

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image), candidate_labels(inputs)

    def run(self, model: LoadedModel[Network], prepared: Any, deadline: Deadline) -> Any:
        """The objects above the threshold of the model's family."""
        return model.run(lambda network: _found(network, *prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return detections(raw, inputs["image"].image)


def _found(network: Network, picture: PILImage.Image, labels: list[str]) -> list[dict[str, Any]]:
    import torch

    model, processor = network.model, network.processor
    given = processor(text=[labels], images=picture, padding=True, return_tensors="pt").to(model.device)
    given["pixel_values"] = given["pixel_values"].to(model.dtype)
    with torch.inference_mode():
        outputs = model(**given)
    by_tokens = model.config.model_type.endswith("grounding-dino")
    marked = {"input_ids": given["input_ids"]} if by_tokens else {}
    (result,) = processor.post_process_grounded_object_detection(
        outputs, **marked, target_sizes=[picture.size[::-1]], text_labels=[labels]
    )
    found = [
        {"label": label, "score": float(score), "box": _box(corners.tolist(), picture)}
        for said, score, corners in zip(result["text_labels"], result["scores"], result["boxes"], strict=True)
        if (label := _named(said, labels) if by_tokens else str(said))
    ]
    return sorted(found, key=lambda entry: -float(str(entry["score"])))


def _named(said: str, labels: list[str]) -> str | None:
    """The label for the tokens that Grounding DINO marked, which may span several labels, part of one, or none."""
    marked = said.casefold().strip(" .")
    whole = [label for label in labels if label.casefold() in marked]
    partly = [label for label in labels if marked and marked in label.casefold()]
    return max(whole, key=len) if whole else next(iter(partly), None)


def _box(corners: list[float], picture: PILImage.Image) -> dict[str, int]:
    """A box in pixels, inside the picture."""
    limits = (picture.width, picture.height) * 2
    inside = [round(min(max(place, 0.0), limit)) for place, limit in zip(corners, limits, strict=True)]
    return dict(zip(("xmin", "ymin", "xmax", "ymax"), inside, strict=True))
