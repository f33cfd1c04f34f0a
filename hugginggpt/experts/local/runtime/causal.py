"""Causal language models: what text generation and conversation share."""

from abc import abstractmethod
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import model_max_tokens
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.generation import generation_options, seeded
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert
from hugginggpt.media import Text
from hugginggpt.spoken import without_thoughts

_USUAL_TOKENS = 512


class CausalExpert(NetworkExpert):
    """Generates text with a causal language model."""

    model_class = "AutoModelForCausalLM"

    def prepare(self, inputs: Inputs) -> Any:
        if not inputs["text"].text.strip():
            raise ExpertError(f"The text for {self.kind} is empty: write one.")
        return inputs

    def run(self, model: LoadedModel[Network], prepared: Inputs, deadline: Deadline) -> Any:
        return model.run(lambda network: self._written(network, prepared), deadline)

    def _written(self, network: Network, inputs: Inputs) -> str:
        import torch

        tokenizer, model = network.processor, network.model
        options = generation_options(inputs, _USUAL_TOKENS)
        prompt, special = self.prompt(inputs["text"].text, tokenizer)
        tokens = tokenizer(prompt, return_tensors="pt", add_special_tokens=special, verbose=False).to(model.device)
        count, places = tokens["input_ids"].shape[1], _context(network)
        room = places - min(options["max_new_tokens"], _USUAL_TOKENS, places // 2)
        if count > room:
            raise ExpertError(
                f"The text has {count} tokens, and the model accepts {room} besides its answer: shorten it."
            )
        options["max_new_tokens"] = min(options["max_new_tokens"], places - count)
        if tokenizer.pad_token_id is None:
            options["pad_token_id"] = tokenizer.eos_token_id
        with torch.inference_mode(), seeded(inputs.get("seed"), model.device):
            made = model.generate(**tokens, **options)[0, count:]
        return str(tokenizer.decode(made, skip_special_tokens=True))

    @abstractmethod
    def prompt(self, text: str, tokenizer: Any) -> tuple[str, bool]:
        """The text to continue, and whether the tokenizer adds its special tokens."""

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The text without the model's reasoning."""
        text = without_thoughts(raw).said
        if not text:
            raise ExpertError(
                "The model wrote no answer within its token limit: raise max_new_tokens, or choose another model."
            )
        return [Text(text)]


def chat_prompt(text: str, tokenizer: Any) -> tuple[str, bool]:
    """A message in the format of a chat model. The template already contains the special tokens."""
    message = [{"role": "user", "content": text}]
    # Templates without this option ignore it.
    prompt = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    return prompt, False


def _context(network: Network) -> int:
    """The most tokens for prompt and answer together."""
    config = network.model.config.get_text_config()
    places = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return int(places) if places else model_max_tokens(network.processor, config)
