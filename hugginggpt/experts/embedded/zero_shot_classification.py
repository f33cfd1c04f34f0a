"""Zero-shot classification with all-MiniLM-L6-v2."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.embedded.minilm import MiniLMExpert
from hugginggpt.experts.inputs import candidate_labels
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.rendering import classification
from hugginggpt.experts.sentence_vectors import vectors

# Two hypotheses per label: the first separates topics better, the second moods.
_HYPOTHESES = ("This text is about {}.", "{}.")

# The factor on cosines that this encoder was trained with (`scale` of its ranking loss). With it,
# the softmax over cosines is the probability that the model learned.
_SCALE = 20.0


class ZeroShotClassification(MiniLMExpert):
    """Scores labels by how close the text is to the hypotheses of each."""

    kind = "zero-shot-classification"

    def prepare(self, inputs: Inputs) -> Any:
        return inputs["text"].text, candidate_labels(inputs)

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        import numpy as np

        text, labels = prepared
        claims = [hypothesis.format(label) for hypothesis in _HYPOTHESES for label in labels]
        rows = model.run(lambda encoder: vectors(encoder, [text, *claims]), deadline)
        cosines = (rows[1:] @ rows[0]).reshape(len(_HYPOTHESES), len(labels)).mean(axis=0)
        closeness = np.exp(_SCALE * (cosines - 1.0))
        shares = (closeness / closeness.sum()).tolist()
        found = [{"label": label, "score": share} for label, share in zip(labels, shares, strict=True)]
        return sorted(found, key=lambda entry: -entry["score"])

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]
