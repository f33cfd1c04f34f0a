"""Marks around the words of a request that its plan takes word for word: no noise may touch them."""

OPEN, CLOSE = "\x01", "\x02"


def kept(text: str) -> str:
    """The text, marked."""
    return f"{OPEN}{text}{CLOSE}"
