"""The summary of a document as a text has it."""

from __future__ import annotations

import random
import re

from training.reading.documents import Document
from training.reading.traced import Traced


def summary_of(document: Document, text: Traced, rng: random.Random) -> str | None:
    """One of the document's summaries, with its values as a text has them.

    Returns:
        None if the document has none, or if a value, a number or a name of it is not in the text.
    """
    if not document.summaries:
        return None
    parts = []
    for part in rng.choice(document.summaries):
        words: str | None = part if isinstance(part, str) else text.span(part)
        if words is None:
            return None
        parts.append(words)
    summary = "".join(parts)
    known = text.text.casefold()
    checked = re.findall(r"\w*\d\w*", summary) + re.findall(r"(?<=[\w,;:] )[A-Z]\w+", summary)
    return summary if all(word.casefold() in known for word in checked) else None
