"""The sentences of a text, and the items of a list."""

import re

# What ends with a full stop inside a sentence. "No." may also be an answer, so it counts only after another word.
_ABBREVIATIONS = "mr mrs ms dr st prof rev jr sr hon ltd inc corp co approx incl excl tel ext vs e.g i.e".replace(
    ".", r"\."
).split()
_ABBREVIATED = "".join(rf"(?<!\b(?i:{word})\.)" for word in _ABBREVIATIONS) + r"(?<!\b[A-Z]\.)(?<!\w [Nn]o\.)"
# These end a sentence only where the next word does not go on in lower case: "at 8 a.m. on Monday".
_SHORTENED = r"[ap]\.m|Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec"

SENTENCE_END = re.compile(rf"(?<=\?)\s+|(?<=[.!]){_ABBREVIATED}(?!(?<=\b(?:{_SHORTENED})\.)\s+[a-z])\s+(?=[^\W\d_])")
"""What stands between two sentences. After a full stop, a sentence begins with a letter; after "?", with anything."""

_LIST_MARK = re.compile(r"(?:\A|\n|(?<=[.!?]) )[^\S\n]*(?:\d{1,3}[.)]|[a-z]\)|[-–*•])[^\S\n]+")


def sentences(text: str) -> list[str]:
    """The sentences of a text; of an empty one, one that is empty."""
    return SENTENCE_END.split(text.strip())


def list_items(text: str) -> list[str]:
    """The items of a list, without their marks. A text that is no list is one item."""
    return [item for item in map(str.strip, _LIST_MARK.split(text)) if item] or [text.strip()]
