"""Text-to-text generation through transformers."""

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs
from hugginggpt.experts.local.runtime.model_class import Network
from hugginggpt.experts.local.runtime.seq2seq import Seq2SeqExpert, generate, max_input_tokens

_USUAL_TOKENS = 256


class Text2TextGeneration(Seq2SeqExpert):
    """Follows the instruction in a text."""

    kind = "text2text-generation"

    def rewrite(self, network: Network, inputs: Inputs) -> str:
        text = inputs["text"].text.strip()
        count, most = len(network.processor.tokenize(text)), max_input_tokens(network)
        if count > most:
            raise ExpertError(f"The text has {count} tokens, and the model accepts {most}: shorten it.")
        return generate(network, [text], inputs, _USUAL_TOKENS)[0]
