"""What the kinds that turn one text into another share: encoder-decoder models of transformers."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import model_max_tokens
from hugginggpt.experts.local.runtime.generation import generation_options, seeded
from hugginggpt.experts.local.runtime.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.network import Network, NetworkExpert
from hugginggpt.media import Text

_BATCH = 8

# What transformers fills in for a model that says nothing of its own.
_SAYS_NOTHING = (None, 20)


class Seq2SeqExpert(NetworkExpert):
    """Turns a text into another with an encoder-decoder model."""

    model_class = "AutoModelForSeq2SeqLM"

    def prepare(self, inputs: Inputs) -> Any:
        if not inputs["text"].text.strip():
            raise ExpertError(f"The text for {self.kind} is empty: give one.")
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
    """What a model makes of each text, several at a time.

    Args:
        network: the model and its tokenizer.
        texts: none longer than the model takes.
        inputs: for the parameters.
        usual: most new tokens where neither the request nor the model says.
        more: for `generate` of transformers.
    """
    import torch

    tokenizer, model = network.processor, network.model
    own = getattr(model.generation_config, "max_length", None)
    options = generation_options(inputs, usual if own in _SAYS_NOTHING else int(own), _places(model.config)) | more
    made: list[str] = []
    for start in range(0, len(texts), _BATCH):
        given = tokenizer(list(texts[start : start + _BATCH]), return_tensors="pt", padding=True, verbose=False)
        # Some tokenizers give what their model does not take.
        given.pop("token_type_ids", None)
        with torch.inference_mode(), seeded(inputs.get("seed"), model.device):
            tokens = model.generate(**given.to(model.device), **options)
        made += tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return made


def _places(config: Any) -> int | None:
    """New tokens that the decoder has places for; None where they know no end, as T5's do."""
    decoder = config.get_text_config(decoder=True)
    names = ("max_position_embeddings", "max_decoder_position_embeddings", "n_positions")
    places = next((found for name in names if (found := getattr(decoder, name, None))), None)
    relative = hasattr(decoder, "relative_attention_num_buckets")
    # One place is taken by what the decoder starts with, another may be, as by RoBERTa's padding.
    return int(places) - 2 if places and not relative else None


def max_input_tokens(network: Network, prefix: str = "") -> int:
    """Tokens of a text that the model takes at once, after a prefix."""
    tokenizer = network.processor
    marks = int(tokenizer.num_special_tokens_to_add()) + len(tokenizer.tokenize(prefix))
    return model_max_tokens(tokenizer, network.model.config) - marks


def task_parameters(network: Network, task: str) -> dict[str, Any]:
    """What a model's config says of a task: T5's prefix, for example."""
    tasks = getattr(network.model.config, "task_specific_params", None) or {}
    return dict(tasks.get(task) or {})
