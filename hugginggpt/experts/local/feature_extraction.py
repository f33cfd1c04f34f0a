"""Feature extraction through sentence-transformers."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.sentence_encoder import EncoderExpert
from hugginggpt.experts.rendering import embedding
from hugginggpt.experts.sentence_vectors import vectors


class FeatureExtraction(EncoderExpert):
    """Turns a text into a vector of length 1."""

    kind = "feature-extraction"
    supports_batching = True

    def prepare(self, inputs: Inputs) -> Any:
        if not inputs["text"].text.strip():
            raise ExpertError("The text is empty, so there is nothing to turn into a vector.")
        return inputs["text"].text

    def run(self, model: LoadedModel[Any], prepared: str, deadline: Deadline) -> Any:
        return self.run_batch(model, [prepared], deadline)[0]

    def run_batch(self, model: LoadedModel[Any], prepared: Sequence[str], deadline: Deadline) -> Sequence[Any]:
        return list(model.run(lambda encoder: vectors(encoder, prepared), deadline))

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [embedding([float(number) for number in raw])]
