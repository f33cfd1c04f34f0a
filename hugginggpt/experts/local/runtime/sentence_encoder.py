"""Sentence encoders from the Hub: what feature extraction and sentence similarity share."""

from typing import Any, ClassVar

from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.experts.local.runtime.model_loading import model_loading
from hugginggpt.models.card import ModelCard


class EncoderExpert(LocalExpert):
    """Runs a sentence encoder through sentence-transformers. A plain model gives the mean of its token vectors."""

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
