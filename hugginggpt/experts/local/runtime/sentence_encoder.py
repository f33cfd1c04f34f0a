"""Texts as vectors: what feature extraction and sentence similarity share."""

from collections.abc import Sequence
from typing import Any, ClassVar

from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.inputs import token_windows
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.experts.local.runtime.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_loading import model_loading
from hugginggpt.models.card import ModelCard

_BATCH = 16


class EncoderExpert(LocalExpert):
    """Runs a sentence encoder, through sentence-transformers; a plain model's vectors are the mean of its tokens'."""

    packages: ClassVar[tuple[str, ...]] = ("sentence_transformers", "torch", "safetensors")
    pool_key = "sentence-transformers"

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Any]:
        with model_loading(card, context) as target:
            from sentence_transformers import SentenceTransformer

            encoder: Any = SentenceTransformer(
                target.folder,
                device=target.device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": target.dtype, "use_safetensors": True},
            )
        return LoadedModel(encoder.eval(), [encoder])


def vectors(encoder: Any, texts: Sequence[str]) -> Any:
    """One vector of length 1 for each text, as rows of a float32 array: the mean over the text's windows.

    Args:
        encoder: of sentence-transformers.
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
