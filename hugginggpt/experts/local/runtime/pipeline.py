"""Kinds that are pipelines of transformers."""

from typing import Any, cast

from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.experts.local.runtime.model_loading import model_loading, refuse_other_architecture
from hugginggpt.models.card import ModelCard

BATCH = 8
"""How many elements a pipeline computes at once. More need more memory and are hardly faster."""


class PipelineExpert(LocalExpert):
    """Runs a transformers pipeline. Its models are `LoadedModel`s whose tool is the pipeline."""

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Any]:
        with model_loading(card, context) as target:
            from transformers import pipeline

            made: Any = pipeline(
                cast(Any, self.kind),
                model=target.folder,
                device=target.device,
                dtype=target.dtype,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        refuse_other_architecture(made.model, card)
        return LoadedModel(made, [made.model])
