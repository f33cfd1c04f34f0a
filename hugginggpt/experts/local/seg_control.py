"""A segmentation map as a control picture, in the colours of the classes of ADE20K."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.ade20k_palette import COLOURS
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert
from hugginggpt.media import Image


class SegControl(NetworkExpert):
    """Draws each region in the colour that ControlNet expects for its class."""

    kind = "seg-control"
    model_class = "AutoModelForSemanticSegmentation"
    processor_class = "AutoImageProcessor"

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: LoadedModel[Network], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda network: _classes(network, prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        import numpy as np
        from PIL import Image as PILImage

        return [Image(PILImage.fromarray(np.array(COLOURS, np.uint8)[raw]))]


def _classes(network: Network, picture: Any) -> Any:
    import torch

    model, processor = network.model, network.processor
    if model.config.num_labels != len(COLOURS):
        raise ExpertError("ControlNet needs the classes of ADE20K, and this model has others: choose another model.")
    given = processor(images=picture, return_tensors="pt").to(model.device, model.dtype)
    with torch.inference_mode():
        outputs = model(**given)
    (classes,) = processor.post_process_semantic_segmentation(outputs, [picture.size[::-1]])
    return classes.cpu().numpy()
