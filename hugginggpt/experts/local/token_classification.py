"""Token classification through transformers."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import model_max_tokens, token_spans
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.experts.rendering import entities

_SHARED = 32
"""Tokens that two windows share, so that an entity cut by one of them is whole in the other."""


class TokenClassification(PipelineExpert):
    """Finds entities, or parts of speech, with their positions in the text."""

    kind = "token-classification"

    def prepare(self, inputs: Inputs) -> Any:
        if not inputs["text"].text.strip():
            raise ExpertError("The text is empty, so there is nothing to find in it.")
        return inputs["text"].text

    def run(self, model: LoadedModel[Any], prepared: str, deadline: Deadline) -> Any:
        return model.run(lambda pipeline: _found(pipeline, prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [entities(raw)]


def _found(pipeline: Any, text: str) -> list[dict[str, Any]]:
    tokenizer = pipeline.tokenizer
    size = model_max_tokens(tokenizer, pipeline.model.config) - tokenizer.num_special_tokens_to_add()
    found: list[dict[str, Any]] = []
    for begin, end in token_spans(text, tokenizer, size, min(_SHARED, size // 2)):
        for entity in pipeline(text[begin:end], aggregation_strategy="simple"):
            start, stop = begin + entity["start"], begin + entity["end"]
            entry = {"label": entity["entity_group"], "score": float(entity["score"])}
            _keep(found, entry | {"text": text[start:stop], "start": start, "end": stop})
    return found


def _keep(found: list[dict[str, Any]], entry: dict[str, Any]) -> None:
    """Add an entity of a window. If entities of two windows overlap, the longer one is kept."""
    while found and found[-1]["end"] > entry["start"]:
        other = found[-1]
        if other["end"] - other["start"] >= entry["end"] - entry["start"]:
            return
        found.pop()
    found.append(entry)
