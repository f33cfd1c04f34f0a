"""Marks around the words that a plan copies from its request, so that noise leaves them alone."""

OPEN, CLOSE = "\x01", "\x02"


def kept(text: str) -> str:
    """The text between marks."""
    return f"{OPEN}{text}{CLOSE}"
