"""Inputs as models take them: long texts in windows, a list of labels, the cells of a table."""

import re
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs

_UNSET_LENGTH = 10**6
_USUAL_LENGTH = 512


def model_max_tokens(tokenizer: Any, config: Any) -> int:
    """Tokens that a model sees at once, the special ones at a sequence's ends among them.

    Args:
        tokenizer: its tokenizer, of transformers.
        config: its settings, of transformers.
    """
    length = int(tokenizer.model_max_length)
    if length < _UNSET_LENGTH:
        return length
    places = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    # Some positions may be taken, as by RoBERTa's padding.
    return places - 2 if places else _USUAL_LENGTH


def token_spans(text: str, tokenizer: Any, size: int, overlap: int = 0) -> list[tuple[int, int]]:
    """Where to cut a text into pieces of at most so many tokens: one piece, all of it, if it fits.

    Args:
        text: of any length.
        tokenizer: of transformers.
        size: tokens, not counting the special ones at a sequence's ends.
        overlap: tokens that each piece shares with the one before, fewer than `size`.

    Returns:
        Start and end of each piece in the text, in its order.
    """
    places = _tokens(text, tokenizer)
    if len(places) <= size:
        return [(0, len(text))]
    step = size - overlap
    starts = range(0, max(1, len(places) - overlap), step)
    return [(places[i][0], places[min(i + size, len(places)) - 1][1]) for i in starts]


def token_windows(text: str, tokenizer: Any, size: int) -> list[str]:
    """The consecutive pieces of a text that `token_spans` cuts."""
    return [text[start:end] for start, end in token_spans(text, tokenizer, size)]


def _tokens(text: str, tokenizer: Any) -> list[tuple[int, int]]:
    """Where each token stands; a tokenizer that does not know tells the number of tokens of each word."""
    if tokenizer.is_fast:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return list(encoded["offset_mapping"])
    words = list(re.finditer(r"\S+", text))
    counts = [len(tokenizer.tokenize(word.group())) for word in words]
    return [word.span() for word, count in zip(words, counts, strict=True) for _ in range(count)]


def candidate_labels(inputs: Inputs) -> list[str]:
    """The labels of the request, each once. A single label with commas is a list written as one text.

    Raises:
        ExpertError: there are none.
    """
    given = [label.text for label in inputs["labels"]]
    labels = [part.strip() for text in given for part in (text.split(",") if len(given) == 1 else [text])]
    if not any(labels):
        raise ExpertError("There are no labels to sort into: name at least one.")
    return list(dict.fromkeys(label for label in labels if label))


def number_or_text(cell: str) -> float | str | None:
    """A number where it is one, with a decimal point or comma; nothing where it is empty; else the text."""
    text = cell.strip()
    for written in (text, text.replace(",", ".") if text.count(",") == 1 and "." not in text else text):
        try:
            return float(written)
        except ValueError:
            continue
    return text or None
