"""The base of all local experts: it fetches a model's files before the pool makes room for the model."""

from typing import ClassVar

from hugginggpt.experts.base import Expert, ExpertContext
from hugginggpt.experts.weights import Weights, read_weight_parts
from hugginggpt.models.card import Endpoint, ModelCard


class LocalExpert(Expert):
    """Runs models whose weights come from the Hub."""

    endpoint = Endpoint.LOCAL
    packages: ClassVar[tuple[str, ...]] = ("transformers", "torch", "safetensors")
    requirement = "hugginggpt[local]"

    def fetch(self, card: ModelCard, context: ExpertContext) -> Weights:
        """Download the model and its companions, unless they are in the cache."""
        from hugginggpt.experts.local.runtime.download import fetch_model

        models = (card, *(ModelCard(id=companion, kind=card.kind) for companion in card.companions))
        folders = {model.id: fetch_model(model, context.settings) for model in models}
        parts = [part for model in models for part in read_weight_parts(folders[model.id], tuple(model.sha256))]
        return Weights(parts, folders)
