"""Sentence similarity through sentence-transformers."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.runtime.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.sentence_encoder import EncoderExpert, vectors
from hugginggpt.experts.rendering import similarity


class SentenceSimilarity(EncoderExpert):
    """Scores how close two texts are in meaning: the cosine of their vectors."""

    kind = "sentence-similarity"
    supports_batching = True

    def prepare(self, inputs: Inputs) -> Any:
        return [inputs["text1"].text, inputs["text2"].text]

    def run(self, model: LoadedModel[Any], prepared: list[str], deadline: Deadline) -> Any:
        return self.run_batch(model, [prepared], deadline)[0]

    def run_batch(self, model: LoadedModel[Any], prepared: Sequence[list[str]], deadline: Deadline) -> Sequence[Any]:
        rows = model.run(lambda encoder: vectors(encoder, [text for pair in prepared for text in pair]), deadline)
        return [float(first @ second) for first, second in zip(rows[::2], rows[1::2], strict=True)]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [similarity(raw)]
