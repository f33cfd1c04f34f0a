"""Image segmentation through transformers: semantic, instance or panoptic, depending on the model."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.experts.rendering import regions


class ImageSegmentation(PipelineExpert):
    """Divides a picture into named regions."""

    kind = "image-segmentation"

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda pipeline: pipeline(prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The regions, the largest first."""
        import numpy as np

        found = [
            {
                "label": entry["label"],
                "score": None if entry["score"] is None else float(entry["score"]),
                "mask": np.asarray(entry["mask"]) > 0,
            }
            for entry in raw
        ]
        return regions(sorted(found, key=lambda e: -int(np.count_nonzero(e["mask"]))), inputs["image"].image)
