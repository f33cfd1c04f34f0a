"""Summarisation through transformers."""

from hugginggpt.experts.base import Inputs
from hugginggpt.experts.inputs import token_windows
from hugginggpt.experts.local.runtime.model_class import Network
from hugginggpt.experts.local.runtime.seq2seq import Seq2SeqExpert, generate, max_input_tokens, task_parameters

_USUAL_TOKENS = 142
_T5 = ("t5", "mt5", "umt5", "longt5")


class Summarization(Seq2SeqExpert):
    """Summarises a text. A long one is summarised part by part, and then the summaries of the parts."""

    kind = "summarization"

    def rewrite(self, network: Network, inputs: Inputs) -> str:
        usual = "summarize: " if network.model.config.model_type in _T5 else ""
        told = task_parameters(network, "summarization")
        prefix = str(told.get("prefix", usual))
        text = inputs["text"].text.strip()
        while True:
            parts = token_windows(text, network.processor, max_input_tokens(network, prefix))
            shorter = " ".join(_summary(network, prefix + part, inputs).strip() for part in parts)
            # If the summary is not shorter than the text, the loop would never end.
            if len(parts) == 1 or len(shorter) >= len(text):
                return shorter
            text = shorter


def _summary(network: Network, text: str, inputs: Inputs) -> str:
    """The summary of a text that fits into the model."""
    count = len(network.processor.tokenize(text))
    # News models have a minimum length, which may be longer than a short text.
    least = min(network.model.generation_config.min_length or 0, count // 3)
    return generate(network, [text], inputs, _USUAL_TOKENS, min_length=least)[0]
