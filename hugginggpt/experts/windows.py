"""Long texts for models that see only so many tokens at once."""

from typing import Any


def windows(text: str, tokenizer: Any, size: int) -> list[str]:
    """Cut a text into consecutive pieces of at most so many tokens: the text itself if it fits.

    Args:
        text: of any length.
        tokenizer: a fast tokenizer of `transformers`, which knows where each token stands.
        size: tokens, not counting the special ones at a sequence's ends.
    """
    places = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    if len(places) <= size:
        return [text]
    return [text[places[i][0] : places[min(i + size, len(places)) - 1][1]] for i in range(0, len(places), size)]
