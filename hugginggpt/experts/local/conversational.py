"""Conversation through transformers."""

from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.local.runtime.causal import CausalExpert, chat_prompt


class Conversational(CausalExpert):
    """Replies to a message."""

    kind = "conversational"

    def prompt(self, text: str, tokenizer: Any) -> tuple[str, bool]:
        if not tokenizer.chat_template:
            raise ExpertError("This model continues texts and was not trained to reply: choose a chat model.")
        return chat_prompt(text, tokenizer)
