"""Image classification through transformers."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import BATCH, PipelineExpert
from hugginggpt.experts.rendering import classification

_LABELS = 5


class ImageClassification(PipelineExpert):
    """Classifies a picture."""

    kind = "image-classification"
    supports_batching = True

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        return self.run_batch(model, [prepared], deadline)[0]

    def run_batch(self, model: LoadedModel[Any], prepared: Sequence[Any], deadline: Deadline) -> Sequence[Any]:
        return model.run(lambda pipeline: pipeline(list(prepared), top_k=_LABELS, batch_size=BATCH), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]
