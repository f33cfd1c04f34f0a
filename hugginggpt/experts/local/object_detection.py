"""Object detection through transformers."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import on_white
from hugginggpt.experts.local.runtime.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import BATCH, PipelineExpert
from hugginggpt.experts.rendering import detections


class ObjectDetection(PipelineExpert):
    """Finds things in a picture, with their boxes."""

    kind = "object-detection"
    supports_batching = True

    def prepare(self, inputs: Inputs) -> Any:
        """The picture, RGB."""
        return on_white(inputs["image"].image)

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        """What the library finds likelier than not."""
        return model.run(lambda pipeline: pipeline(prepared), deadline)

    def run_batch(self, model: LoadedModel[Any], prepared: Sequence[Any], deadline: Deadline) -> Sequence[Any]:
        """The same of many pictures, several at a time."""
        return model.run(lambda pipeline: pipeline(list(prepared), batch_size=BATCH), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """`[{"label", "score", "box"}]`, and the picture with the boxes."""
        found = [{"label": e["label"], "score": e["score"], "box": dict(e["box"])} for e in raw]
        return detections(found, inputs["image"].image)
