"""Encoder-decoder models of transformers, which turn one text into another."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import model_max_tokens
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.generation import generation_options, seeded
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert
from hugginggpt.media import Text

_BATCH = 8

# The values of max_length if a model does not set it.
_SAYS_NOTHING = (None, 20)


class Seq2SeqExpert(NetworkExpert):
    """Turns a text into another with an encoder-decoder model."""

    model_class = "AutoModelForSeq2SeqLM"

    def prepare(self, inputs: Inputs) -> Any:
        if not inputs["text"].text.strip():
            raise ExpertError(f"The text for {self.kind} is empty: write one.")
        return inputs

    def run(self, model: LoadedModel[Network], prepared: Inputs, deadline: Deadline) -> Any:
        return model.run(lambda network: self.rewrite(network, prepared), deadline)

    @abstractmethod
    def rewrite(self, network: Network, inputs: Inputs) -> str:
        """The new text."""

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        if not raw.strip():
            raise ExpertError("The model wrote nothing: choose another model.")
        return [Text(raw.strip())]


def generate(network: Network, texts: Sequence[str], inputs: Inputs, usual: int, **more: Any) -> list[str]:
    """Generate a text from each text, several at a time.

    Args:
        network: the model and its tokenizer.
        texts: none longer than the model accepts.
        inputs: for the parameters.
        usual: the default for `max_new_tokens`, if the model has none.
        more: options of `generate` in transformers.
    """
    import torch

    tokenizer, model = network.processor, network.model
    own = getattr(model.generation_config, "max_length", None)
    options = generation_options(inputs, usual if own in _SAYS_NOTHING else int(own), _places(model.config)) | more
    made: list[str] = []
    for start in range(0, len(texts), _BATCH):
        given = tokenizer(list(texts[start : start + _BATCH]), return_tensors="pt", padding=True, verbose=False)
        # Some tokenizers return these although their model does not accept them.
        given.pop("token_type_ids", None)
        with torch.inference_mode(), seeded(inputs.get("seed"), model.device):
            tokens = model.generate(**given.to(model.device), **options)
        made += tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return made


def _places(config: Any) -> int | None:
    """How many new tokens the decoder has positions for; None if it has no limit, like T5."""
    decoder = config.get_text_config(decoder=True)
    names = ("max_position_embeddings", "max_decoder_position_embeddings", "n_positions")
    places = next((found for name in names if (found := getattr(decoder, name, None))), None)
    relative = hasattr(decoder, "relative_attention_num_buckets")
    # The start token takes one position, and another may be reserved, as for RoBERTa's padding.
    return int(places) - 2 if places and not relative else None


def max_input_tokens(network: Network, prefix: str = "") -> int:
    """How many tokens of a text the model accepts at once, after a prefix."""
    tokenizer = network.processor
    marks = int(tokenizer.num_special_tokens_to_add()) + len(tokenizer.tokenize(prefix))
    return model_max_tokens(tokenizer, network.model.config) - marks


def task_parameters(network: Network, task: str) -> dict[str, Any]:
    """The parameters of a task in a model's config, such as T5's prefix."""
    tasks = getattr(network.model.config, "task_specific_params", None) or {}
    return dict(tasks.get(task) or {})
