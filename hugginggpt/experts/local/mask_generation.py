"""Mask generation through transformers: SAM on a grid of points (arXiv 2304.02643, section 5).

The library's own pipeline needs torchvision, which is not a dependency.
"""

from typing import Any

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert
from hugginggpt.experts.rendering import regions

_POINTS_A_SIDE = 16
_POINTS_AT_ONCE = 64

# The paper keeps masks that the model is sure of and that hardly change with the threshold, and of two masks
# that overlap the surer one.
_SURE, _STABLE, _SAME = 0.88, 0.92, 0.7
_NUDGE = 1.0


class MaskGeneration(NetworkExpert):
    """Outlines everything in a picture."""

    kind = "mask-generation"
    model_class = "AutoModelForMaskGeneration"
    processor_class = "AutoProcessor"

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: LoadedModel[Network], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda network: _masks(network, prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return regions([{"label": "", **entry} for entry in raw], inputs["image"].image)


def _masks(network: Network, picture: PILImage.Image) -> list[dict[str, Any]]:
    """Masks in the size of the picture, with their scores."""
    import torch

    model, processor = network.model, network.processor
    steps = [(step + 0.5) / _POINTS_A_SIDE for step in range(_POINTS_A_SIDE)]
    points = [[[x * picture.width, y * picture.height]] for y in steps for x in steps]
    given = processor(picture, input_points=[points], return_tensors="pt")
    sizes = given["original_sizes"], given["reshaped_input_sizes"]
    grid = given["input_points"].to(model.device, model.dtype)
    kept_scores, kept_masks = [], []
    with torch.inference_mode():
        embedding = model.get_image_embeddings(given["pixel_values"].to(model.device, model.dtype))
        for start in range(0, len(points), _POINTS_AT_ONCE):
            asked = grid[:, start : start + _POINTS_AT_ONCE]
            made = model(image_embeddings=embedding, input_points=asked, multimask_output=True)
            scores, masks = made.iou_scores.flatten().float(), made.pred_masks.flatten(0, 2).float()
            good = (scores > _SURE) & (_stability(masks) > _STABLE)
            kept_scores.append(scores[good])
            kept_masks.append(masks[good])
        scores, masks = torch.cat(kept_scores), torch.cat(kept_masks)
        chosen = _apart(masks > 0, scores)
        if not chosen:
            return []
        (full,) = processor.post_process_masks([masks[chosen][None].cpu()], *sizes)
    found = zip(full[0].numpy(), scores[chosen].tolist(), strict=True)
    return [{"mask": mask, "score": score} for mask, score in found if mask.any()]


def _stability(masks: Any) -> Any:
    """How stable each mask is when the threshold changes: the smaller area divided by the larger."""
    smaller, larger = ((masks > nudge).flatten(1).sum(1).float() for nudge in (_NUDGE, -_NUDGE))
    return smaller / larger.clamp(min=1)


def _apart(masks: Any, scores: Any) -> list[int]:
    """The masks to keep, the surest first, without those that overlap a kept one too much."""
    import torch

    flat = masks.flatten(1).float()
    areas = flat.sum(1)
    kept: list[int] = []
    for at in scores.argsort(descending=True).tolist():
        if areas[at] == 0:
            continue
        if kept:
            shared = flat[kept] @ flat[at]
            united = areas[torch.tensor(kept, device=areas.device)] + areas[at] - shared
            if float((shared / united).max()) > _SAME:
                continue
        kept.append(at)
    return kept
