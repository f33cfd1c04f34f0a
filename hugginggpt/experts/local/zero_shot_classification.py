"""Zero-shot classification through transformers, by natural language inference."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import candidate_labels, model_max_tokens, token_windows
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.experts.rendering import classification

_CLAIM = "This text is about {}."


class ZeroShotClassification(PipelineExpert):
    """Classifies a text by the given labels. A long one is read in windows, and their scores are averaged."""

    kind = "zero-shot-classification"

    def prepare(self, inputs: Inputs) -> Any:
        if not inputs["text"].text.strip():
            raise ExpertError("The text to classify is empty: write one.")
        return inputs["text"].text, candidate_labels(inputs)

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda pipeline: _sorted(pipeline, *prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]


def _sorted(pipeline: Any, text: str, labels: list[str]) -> list[dict[str, Any]]:
    tokenizer = pipeline.tokenizer
    claim = max(len(tokenizer.tokenize(_CLAIM.format(label))) for label in labels)
    room = model_max_tokens(tokenizer, pipeline.model.config) - tokenizer.num_special_tokens_to_add(pair=True) - claim
    if room < 1:
        raise ExpertError("A label is too long for the model: use shorter ones.")
    shares = dict.fromkeys(labels, 0.0)
    parts = token_windows(text, tokenizer, room)
    for part in parts:
        result = pipeline(part, labels, hypothesis_template=_CLAIM)
        for label, score in zip(result["labels"], result["scores"], strict=True):
            shares[label] += score * len(part)
    total = sum(map(len, parts))
    found = [{"label": label, "score": share / total} for label, share in shares.items()]
    return sorted(found, key=lambda entry: -float(str(entry["score"])))
