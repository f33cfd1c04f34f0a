"""Object detection through transformers."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import BATCH, PipelineExpert
from hugginggpt.experts.rendering import detections


class ObjectDetection(PipelineExpert):
    """Finds objects in a picture, with their boxes."""

    kind = "object-detection"
    supports_batching = True

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        """The objects above the library's threshold."""
        return model.run(lambda pipeline: pipeline(prepared), deadline)

    def run_batch(self, model: LoadedModel[Any], prepared: Sequence[Any], deadline: Deadline) -> Sequence[Any]:
        return model.run(lambda pipeline: pipeline(list(prepared), batch_size=BATCH), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        found = [{"label": e["label"], "score": e["score"], "box": dict(e["box"])} for e in raw]
        return detections(found, inputs["image"].image)
