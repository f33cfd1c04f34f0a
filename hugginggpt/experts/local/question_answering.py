"""Extractive question answering through transformers."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import model_max_tokens
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert
from hugginggpt.media import Text

_SHARED = 128
_LONGEST_ANSWER = 64


class QuestionAnswering(NetworkExpert):
    """Finds the answer in a text. A long text is read in overlapping windows.

    If the model was trained to recognise that a text has no answer, its verdict counts.
    """

    kind = "question-answering"
    model_class = "AutoModelForQuestionAnswering"

    def prepare(self, inputs: Inputs) -> Any:
        question = inputs["text"].text.strip()
        context = inputs["context"].text if inputs.get("context") else ""
        if not question:
            raise ExpertError("The question is empty: write one.")
        if not context.strip():
            raise ExpertError("There is no text to find the answer in: add one, or choose a model that needs none.")
        return question, context

    def run(self, model: LoadedModel[Network], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda network: _answer(network, *prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        if not raw.strip():
            raise ExpertError("The model found no answer to the question in the text.")
        return [Text(raw.strip())]


def _answer(network: Network, question: str, context: str) -> str:
    """The span with the highest score over all windows; empty if "no answer" scores higher."""
    import torch

    tokenizer, model = network.processor, network.model
    most = model_max_tokens(tokenizer, model.config)
    asked = len(tokenizer.tokenize(question)) + tokenizer.num_special_tokens_to_add(pair=True)
    if asked > most // 2:
        raise ExpertError("The question is too long for the model: shorten it.")
    encoded = tokenizer(
        question,
        context,
        truncation="only_second",
        max_length=most,
        stride=min(_SHARED, (most - asked) // 2),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    taken = [name for name in tokenizer.model_input_names if name in encoded]
    best, answer = -float("inf"), ""
    # A model that can say "no answer" points to the first token of the window.
    empty = float("inf")
    for window in range(len(encoded["input_ids"])):
        given = {name: torch.tensor([encoded[name][window]], device=model.device) for name in taken}
        with torch.inference_mode():
            scores = model(**given)
        starts, ends = scores.start_logits[0].float().cpu(), scores.end_logits[0].float().cpu()
        empty = min(empty, float(starts[0] + ends[0]))
        inside = torch.tensor([place == 1 for place in encoded.sequence_ids(window)])
        score, first, last = _best_span(starts, ends, inside)
        if score > best:
            places = encoded["offset_mapping"][window]
            best, answer = score, context[places[first][0] : places[last][1]]
    return "" if empty > best else answer


def _best_span(starts: Any, ends: Any, inside: Any) -> tuple[float, int, int]:
    """The score, the first and the last token of the best span inside the text."""
    import torch

    nowhere = torch.tensor(-float("inf"))
    starts, ends = torch.where(inside, starts, nowhere), torch.where(inside, ends, nowhere)
    pairs = starts[:, None] + ends[None, :]
    allowed = torch.ones_like(pairs).triu().tril(_LONGEST_ANSWER - 1).bool()
    pairs = torch.where(allowed, pairs, nowhere)
    at = int(pairs.argmax())
    return float(pairs.flatten()[at]), at // len(starts), at % len(starts)
