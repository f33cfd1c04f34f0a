"""Text classification through transformers."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import model_max_tokens, token_windows
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import BATCH, PipelineExpert
from hugginggpt.experts.rendering import classification


class TextClassification(PipelineExpert):
    """Classifies a text. A long one is read in windows, and their scores are averaged."""

    kind = "text-classification"
    supports_batching = True

    def prepare(self, inputs: Inputs) -> Any:
        return inputs["text"].text

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        return self.run_batch(model, [prepared], deadline)[0]

    def run_batch(self, model: LoadedModel[Any], prepared: Sequence[str], deadline: Deadline) -> Sequence[Any]:
        return model.run(lambda pipeline: _classify(pipeline, prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]


def _classify(pipeline: Any, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
    tokenizer = pipeline.tokenizer
    size = model_max_tokens(tokenizer, pipeline.model.config)
    parts = [token_windows(text, tokenizer, size - tokenizer.num_special_tokens_to_add()) for text in texts]
    flat = [part for some in parts for part in some]
    results = iter(pipeline(flat, top_k=None, truncation=True, max_length=size, batch_size=BATCH))
    return [_mean(some, [next(results) for _ in some]) for some in parts]


def _mean(parts: Sequence[str], results: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The mean score of each label over the windows of a text, weighted by their lengths."""
    if len(results) == 1:
        return list(results[0])
    scores: dict[str, float] = {}
    for part, result in zip(parts, results, strict=True):
        for entry in result:
            scores[entry["label"]] = scores.get(entry["label"], 0.0) + entry["score"] * len(part)
    total = sum(map(len, parts))
    mean = [{"label": label, "score": score / total} for label, score in scores.items()]
    return sorted(mean, key=lambda entry: -float(str(entry["score"])))
