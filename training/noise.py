"""What typing does to a request: lower case, typos, missing marks. Values stay as they are."""

import random
import re
from collections.abc import Callable

from training.marks import CLOSE, OPEN

_SPLIT = re.compile(f"({OPEN}[^{CLOSE}]*{CLOSE})", re.DOTALL)
_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
_SHORT = {"please": "pls", "you": "u", "thanks": "thx", "because": "cos", "picture": "pic", "and": "&", "with": "w/"}


def noisy(text: str, rng: random.Random) -> str:
    """The text as somebody typed it, without its marks."""
    roll = rng.random()
    if roll < 0.1:
        text = _outside(text, str.lower)
    if 0.06 < roll < 0.16:
        text = _outside(text, lambda part: _slips(part, rng, 0.02))
    if 0.14 < roll < 0.18:
        text = _outside(text, lambda part: re.sub(r"\w+", lambda m: _SHORT.get(m.group(), m.group()), part))
    if 0.05 < roll < 0.12 or roll > 0.96:
        text = text.rstrip(" .!?")
    if roll > 0.985:
        text = _outside(text, str.upper)
    if 0.18 < roll < 0.2:
        text = _outside(text, lambda part: part.replace(", ", " "))
    return text.replace(OPEN, "").replace(CLOSE, "").strip()


def careless(text: str, rng: random.Random) -> str:
    """A text as somebody in a hurry types it."""
    roll = rng.random()
    if roll < 0.5:
        text = text.lower()
    if 0.3 < roll < 0.7:
        text = text.replace("'", "")
    if roll > 0.6:
        text = _slips(text, rng, 0.03)
    return text.rstrip(".?! ") if rng.random() < 0.5 else text


def _outside(text: str, change: Callable[[str], str]) -> str:
    """The text with everything changed that the plan does not copy."""
    return "".join(part if part.startswith(OPEN) else change(part) for part in _SPLIT.split(text))


def _slips(part: str, rng: random.Random, rate: float) -> str:
    letters = list(part)
    for n, letter in enumerate(letters):
        if letter.lower() not in _NEIGHBOURS or rng.random() >= rate:
            continue
        slip = rng.random()
        if slip < 0.35 and n + 1 < len(letters) and letters[n + 1].isalpha():
            letters[n], letters[n + 1] = letters[n + 1], letter
        elif slip < 0.65:
            letters[n] = ""
        elif slip < 0.85:
            letters[n] = letter * 2
        else:
            letters[n] = rng.choice(_NEIGHBOURS[letter.lower()])
    return "".join(letters)
