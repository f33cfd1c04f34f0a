"""Model classes of transformers, for kinds without a pipeline."""

from dataclasses import dataclass
from typing import Any, ClassVar

from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.experts.local.runtime.model_loading import LoadTarget, model_loading, refuse_other_architecture
from hugginggpt.models.card import ModelCard


@dataclass(frozen=True)
class Network:
    """A model and its processor: a tokenizer, an image processor, a feature extractor or a combination."""

    model: Any
    processor: Any


class NetworkExpert(LocalExpert):
    """Runs a model class of transformers. Its models are `LoadedModel`s whose tool is a `Network`.

    Attributes:
        model_class: the name of the model's auto class in transformers.
        processor_class: the name of the processor's auto class.
    """

    model_class: ClassVar[str]
    processor_class: ClassVar[str] = "AutoTokenizer"

    @property
    def pool_key(self) -> str:
        """Kinds with the same classes share a loaded model."""
        return f"transformers {self.model_class} {self.processor_class}"

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Network]:
        with model_loading(card, context) as target:
            return load_network(card, target, self.model_class, self.processor(target))

    def processor(self, target: LoadTarget) -> Any:
        return load_processor(target, self.processor_class)


def load_processor(target: LoadTarget, processor_class: str) -> Any:
    """Load a tokenizer or processor by the name of its auto class in transformers."""
    import transformers

    return getattr(transformers, processor_class).from_pretrained(
        target.folder, trust_remote_code=False, local_files_only=True
    )


def load_network(card: ModelCard, target: LoadTarget, model_class: str, processor: Any) -> LoadedModel[Network]:
    """Load a model by the name of its auto class in transformers, and combine it with its processor.

    Raises:
        ModelLoadError: the model was trained as a different class.
    """
    import transformers

    model = getattr(transformers, model_class).from_pretrained(
        target.folder, dtype=target.dtype, use_safetensors=True, trust_remote_code=False, local_files_only=True
    )
    refuse_other_architecture(model, card)
    return LoadedModel(Network(model.to(target.device).eval(), processor), [model])
