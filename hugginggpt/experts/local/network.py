"""Experts on transformers' model classes, for kinds that have no pipeline."""

from dataclasses import dataclass
from typing import Any, ClassVar

from hugginggpt.catalog.card import ModelCard
from hugginggpt.experts.base import Surroundings
from hugginggpt.experts.local.expert import LocalExpert
from hugginggpt.experts.local.loaded import LoadedModel
from hugginggpt.experts.local.loading import Place, loading, refuse_other_architecture


@dataclass(frozen=True)
class Network:
    """A model with the processor (tokenizer, image processor, feature extractor or all of them) that feeds it."""

    model: Any
    processor: Any


class NetworkExpert(LocalExpert):
    """Runs a model class of transformers. Its models are `LoadedModel`s whose tool is a `Network`.

    Attributes:
        model_class: the auto class of the model, by its name in transformers.
        processor_class: the auto class of what feeds it.
    """

    model_class: ClassVar[str]
    processor_class: ClassVar[str] = "AutoTokenizer"

    @property
    def loads(self) -> str:
        """The classes: kinds that use the same share a loaded model."""
        return f"transformers {self.model_class} {self.processor_class}"

    def load(self, card: ModelCard, surroundings: Surroundings) -> LoadedModel[Network]:
        """Fetch the model's files and load the model and its processor from them."""
        with loading(card, surroundings) as place:
            return load_network(card, place, self.model_class, self.processor_class)


def load_network(card: ModelCard, place: Place, model_class: str, processor_class: str) -> LoadedModel[Network]:
    """A model and its processor from its files, by the names of their auto classes in transformers.

    Raises:
        ModelLoadError: the model was trained as something else.
    """
    import transformers

    safe = {"trust_remote_code": False, "local_files_only": True}
    processor = getattr(transformers, processor_class).from_pretrained(place.folder, **safe)
    model = getattr(transformers, model_class).from_pretrained(
        place.folder, dtype=place.dtype, use_safetensors=True, **safe
    )
    refuse_other_architecture(model, card)
    return LoadedModel(Network(model.to(place.device).eval(), processor), [model])
