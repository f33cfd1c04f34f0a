"""Text generation through transformers."""

from typing import Any

from hugginggpt.experts.local.runtime.causal import CausalExpert, chat_prompt


class TextGeneration(CausalExpert):
    """Generates a text from a prompt. A model without a chat template continues the prompt."""

    kind = "text-generation"

    def prompt(self, text: str, tokenizer: Any) -> tuple[str, bool]:
        return chat_prompt(text, tokenizer) if tokenizer.chat_template else (text, True)
