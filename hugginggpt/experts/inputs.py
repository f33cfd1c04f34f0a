"""Inputs as models take them: long texts in windows, labels, recordings, tables and their cells."""

import re
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs
from hugginggpt.media import Audio, Table

_UNSET_LENGTH = 10**6
_USUAL_LENGTH = 512


def model_max_tokens(tokenizer: Any, config: Any) -> int:
    """The most tokens that a model takes at once, special tokens included.

    Args:
        tokenizer: its tokenizer, from transformers.
        config: its config, from transformers.
    """
    length = int(tokenizer.model_max_length)
    if length < _UNSET_LENGTH:
        return length
    places = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    # Two positions may be reserved, as for RoBERTa's padding.
    return places - 2 if places else _USUAL_LENGTH


def token_spans(text: str, tokenizer: Any, size: int, overlap: int = 0) -> list[tuple[int, int]]:
    """Where to cut a text into pieces of at most this many tokens. A text that fits is one piece.

    Args:
        text: of any length.
        tokenizer: from transformers.
        size: tokens per piece, without special tokens.
        overlap: tokens that each piece shares with the one before; less than `size`.

    Returns:
        The start and end of each piece, in order.
    """
    places = _tokens(text, tokenizer)
    if len(places) <= size:
        return [(0, len(text))]
    step = size - overlap
    starts = range(0, max(1, len(places) - overlap), step)
    return [(places[i][0], places[min(i + size, len(places)) - 1][1]) for i in starts]


def token_windows(text: str, tokenizer: Any, size: int) -> list[str]:
    """The consecutive pieces of a text, of at most this many tokens each."""
    return [text[start:end] for start, end in token_spans(text, tokenizer, size)]


def _tokens(text: str, tokenizer: Any) -> list[tuple[int, int]]:
    """The span of each token. A tokenizer without offsets only counts the tokens of each word."""
    if tokenizer.is_fast:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return list(encoded["offset_mapping"])
    words = list(re.finditer(r"\S+", text))
    counts = [len(tokenizer.tokenize(word.group())) for word in words]
    return [word.span() for word, count in zip(words, counts, strict=True) for _ in range(count)]


def candidate_labels(inputs: Inputs) -> list[str]:
    """The labels of the request, without duplicates. A single label with commas is split.

    Raises:
        ExpertError: there are no labels.
    """
    given = [label.text for label in inputs["labels"]]
    labels = [part.strip() for text in given for part in (text.split(",") if len(given) == 1 else [text])]
    if not any(labels):
        raise ExpertError("There are no labels to choose from: name at least one.")
    return list(dict.fromkeys(label for label in labels if label))


def recording(inputs: Inputs) -> Audio:
    """The recording of the request.

    Raises:
        ExpertError: it is empty.
    """
    audio: Audio = inputs["audio"]
    if not len(audio.samples):
        raise ExpertError("The recording is empty: record it again.")
    return audio


def table_with_rows(inputs: Inputs) -> Table:
    """The table of the request.

    Raises:
        ExpertError: it has no rows.
    """
    table: Table = inputs["table"]
    if not table.rows:
        raise ExpertError("The table has no rows: add at least one.")
    return table
