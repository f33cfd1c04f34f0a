"""Text classification through transformers."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.loaded import LoadedModel
from hugginggpt.experts.local.pipeline import PipelineExpert
from hugginggpt.experts.rendering import classification
from hugginggpt.experts.windows import longest, windows


class TextClassification(PipelineExpert):
    """Labels a text. A text longer than the model's window is read window by window, and the scores averaged."""

    kind = "text-classification"

    def prepare(self, inputs: Inputs) -> Any:
        """The text."""
        return inputs["text"].text

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        """The score of each label, best first."""
        return model.run(lambda pipeline: _classify(pipeline, prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """`[{"label", "score"}]`."""
        return [classification(raw)]


def _classify(pipeline: Any, text: str) -> list[dict[str, Any]]:
    tokenizer = pipeline.tokenizer
    size = longest(tokenizer, pipeline.model.config)
    parts = windows(text, tokenizer, size - tokenizer.num_special_tokens_to_add())
    results = [pipeline(part, top_k=None, truncation=True, max_length=size) for part in parts]
    if len(results) == 1:
        return list(results[0])
    # A short rest at the end must not count as much as a full window.
    scores: dict[str, float] = {}
    for part, result in zip(parts, results, strict=True):
        for entry in result:
            scores[entry["label"]] = scores.get(entry["label"], 0.0) + entry["score"] * len(part)
    total = sum(map(len, parts))
    mean = [{"label": label, "score": score / total} for label, score in scores.items()]
    return sorted(mean, key=lambda entry: -float(str(entry["score"])))
