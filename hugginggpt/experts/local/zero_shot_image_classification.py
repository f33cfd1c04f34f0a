"""Zero-shot image classification through transformers."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.inputs import candidate_labels
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.experts.rendering import classification

_CLAIM = "This is a photo of {}."


class ZeroShotImageClassification(PipelineExpert):
    """Classifies a picture by the given labels."""

    kind = "zero-shot-image-classification"

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image), candidate_labels(inputs)

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        picture, labels = prepared
        return model.run(
            lambda pipeline: pipeline(picture, candidate_labels=labels, hypothesis_template=_CLAIM), deadline
        )

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]
