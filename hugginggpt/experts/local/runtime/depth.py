"""Depth of a picture: what depth estimation and the control pictures based on it share."""

from typing import Any

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert


class DepthExpert(NetworkExpert):
    """Estimates the depth of each pixel."""

    model_class = "AutoModelForDepthEstimation"
    processor_class = "AutoImageProcessor"

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: LoadedModel[Network], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda network: nearness(network, prepared), deadline)


_LEAST_SIDE = 32
_MOST_TIMES_AS_LONG = 16


def _wide_enough(picture: PILImage.Image) -> PILImage.Image:
    """The picture, stretched if it is so small or thin that nothing would be left at the model's size."""
    least = max(_LEAST_SIDE, max(picture.size) // _MOST_TIMES_AS_LONG)
    width, height = (max(side, least) for side in picture.size)
    return picture if picture.size == (width, height) else picture.resize((width, height))


# Families that estimate metres; the others estimate inverse depth up to scale.
_METRIC = ("glpn", "zoedepth", "depth_pro")


def nearness(network: Network, picture: PILImage.Image) -> Any:
    """How near each pixel of a picture is.

    Returns:
        float32, shape (height, width), from 0 for the farthest to 1 for the nearest; all 0 in a flat picture.
    """
    import numpy as np
    import torch

    model, processor = network.model, network.processor
    given = processor(images=_wide_enough(picture), return_tensors="pt").to(model.device, model.dtype)
    with torch.inference_mode():
        outputs = model(**given)
    (estimated,) = processor.post_process_depth_estimation(outputs, [picture.size[::-1]])
    depth = estimated["predicted_depth"].float().cpu().numpy().reshape(picture.height, picture.width)
    metric = model.config.model_type in _METRIC or getattr(model.config, "depth_estimation_type", "") == "metric"
    near = -depth if metric else depth
    low, high = float(near.min()), float(near.max())
    return (near - low) / (high - low) if high > low else np.zeros_like(near)
