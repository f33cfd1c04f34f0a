"""Mask filling through transformers."""

import re
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import model_max_tokens
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.experts.rendering import mask_fillings

_MASK = re.compile(r"\[MASK\]|<mask>|\[mask\]|<MASK>|_{3,}", re.IGNORECASE)


class FillMask(PipelineExpert):
    """Fills in the masked words of a sentence. A mask may be written as [MASK], <mask> or ___."""

    kind = "fill-mask"

    def prepare(self, inputs: Inputs) -> Any:
        text = inputs["text"].text
        if not _MASK.search(text):
            raise ExpertError("The text has no mask to fill: write [MASK] where a word is missing.")
        return text

    def run(self, model: LoadedModel[Any], prepared: str, deadline: Deadline) -> Any:
        return model.run(lambda pipeline: _filled(pipeline, prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """For each mask `[{"word", "score"}]`, best first; for a single mask just that list."""
        return [mask_fillings(raw)]


def _filled(pipeline: Any, text: str) -> list[list[dict[str, Any]]]:
    tokenizer = pipeline.tokenizer
    masked = _MASK.sub(lambda _: tokenizer.mask_token, text)
    count, most = len(tokenizer(masked, verbose=False)["input_ids"]), model_max_tokens(tokenizer, pipeline.model.config)
    if count > most:
        raise ExpertError(
            f"The text has {count} tokens, and the model accepts {most}: keep only the sentence with the mask."
        )
    result = pipeline(masked)
    masks = result if isinstance(result[0], list) else [result]
    return [[{"word": e["token_str"].strip(), "score": float(e["score"])} for e in words] for words in masks]
