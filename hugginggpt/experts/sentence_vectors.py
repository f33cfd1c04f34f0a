"""Sentence embeddings, and the similarity of two texts by the cosine of their embeddings."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, Inputs, Outputs
from hugginggpt.experts.inputs import token_windows
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.rendering import similarity

_BATCH = 16


def vectors(encoder: Any, texts: Sequence[str]) -> Any:
    """One vector of length 1 for each text, as rows of a float32 array: the mean over the text's windows.

    Args:
        encoder: from sentence-transformers.
        texts: of any length.
    """
    import numpy as np

    tokenizer = encoder.tokenizer
    size = encoder.max_seq_length - tokenizer.num_special_tokens_to_add()
    parts = [token_windows(text, tokenizer, size) for text in texts]
    flat = [part for some in parts for part in some]
    encoded = encoder.encode(
        flat, batch_size=_BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
    )
    rows, start = [], 0
    for some in parts:
        mean = np.asarray(encoded[start : start + len(some)], np.float32).mean(axis=0)
        rows.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        start += len(some)
    return np.stack(rows)


class SimilarityExpert(Expert):
    """Scores how close two texts are in meaning, by the cosine of their embeddings."""

    kind = "sentence-similarity"
    supports_batching = True

    def prepare(self, inputs: Inputs) -> list[str]:
        return [inputs["text1"].text, inputs["text2"].text]

    def run(self, model: LoadedModel[Any], prepared: list[str], deadline: Deadline) -> Any:
        return self.run_batch(model, [prepared], deadline)[0]

    def run_batch(self, model: LoadedModel[Any], prepared: Sequence[list[str]], deadline: Deadline) -> Sequence[Any]:
        rows = model.run(lambda encoder: vectors(encoder, [text for pair in prepared for text in pair]), deadline)
        return [float(first @ second) for first, second in zip(rows[::2], rows[1::2], strict=True)]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [similarity(raw)]
