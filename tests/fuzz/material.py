"""Hostile scraps that several areas make their input of."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

CHARACTERS = (
    "\x00", "\x07", "\x1b[31m", "\x1b]0;x\x07", "\x7f", "\x85", "\x9b", "\u200b", "\u200e", "\u202e", "\u2066",
    "\u2028", "\ufeff", "\ufffe", "\ud800", "\udfff", "\udc80", "\ud83d", "\U0001f600", "\U000e0041", "é", "e\u0301",
    "ß", "İ", "ſ", "𝒳", "١", "²", "Ⅷ", "中文", "\r", "\n", "\t", "\v", "\f", "\u00a0", "\u3000", "'", '"', "`", "\\",
    "/", "|", "<", ">", "&", "%", "%00", "%2e", "$", "{", "}", "[", "]", "(", ")", "#", "?", "*", ":", ";", ",", ".",
    "..", "-", "--", "~", "@",
)  # fmt: skip

VALUES = (
    "", " ", "\n", "0", "-1", "1e999", "-0.0", "NaN", "Infinity", "null", "true", "9" * 20, "9" * 400, "9" * 5000,
    "1_000", "0x10", "١٢", "a.png", "notes.txt", "../../etc/passwd", "/etc/passwd", "~root/x", "file:///etc/passwd",
    "data:,x", "data:image/png;base64,", "http://127.0.0.1/", "artifact://" + "0" * 64 + "/x", "<GENERATED>-0",
    "<generated>", "<node-1>", "{{ 7 * 7 }}", "{}", "%s%n", "'; drop table x; --", "<script>alert(1)</script>",
    "![x](http://h/x.png)", "con", "nul.txt", ".", "..", "-rf", "a" * 256, "é" * 200, "𝒳" * 100,
)  # fmt: skip

COUNTS = (2, 17, 300, 3000, 20_000, 90_000)
MOST_CHARS = 200_000


def characters(rng: random.Random, most: int = 12) -> str:
    """A few odd characters, between others."""
    return "".join(
        rng.choice(CHARACTERS) if rng.random() < 0.6 else rng.choice("abcxyz019") for _ in range(rng.randint(1, most))
    )


def value(rng: random.Random) -> str:
    """A text that some reader takes for something else."""
    return rng.choice(VALUES) if rng.random() < 0.7 else characters(rng)


def pumped(rng: random.Random, scraps: Sequence[str], most: int = MOST_CHARS) -> str:
    """A beginning, a piece many times over, and an end: the worst case of a reader that tries again and again."""

    def some(least: int, greatest: int) -> str:
        return "".join(rng.choice(scraps) for _ in range(rng.randint(least, greatest)))

    piece = some(1, 2) or " "
    if rng.random() < 0.2:
        piece = piece * rng.choice((20, 130, 1000)) + some(0, 1)
    times = max(1, min(rng.choice(COUNTS), most // len(piece)))
    return (some(0, 2) + piece * times + some(0, 2))[:most]


def raw(text: str) -> bytes:
    """A text as bytes, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def changed(rng: random.Random, text: str, scraps: Sequence[str]) -> str:
    """A text with a few pieces cut out, doubled, moved, or put in."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        start = rng.randint(0, len(text))
        stop = min(len(text), start + rng.choice((0, 1, 3, 20)))
        match rng.randrange(6):
            case 0:
                text = text[:start] + text[stop:]
            case 1:
                text = text[:start]
            case 2:
                text = text[:stop] + text[start:]
            case 3:
                text = text[:start] + rng.choice(scraps) * rng.choice((1, 1, 2, 50)) + text[start:]
            case 4:
                text = text[:start] + characters(rng, 3) + text[stop:]
            case 5:
                text = text[start:] + text[:start]
    return text


def damaged(rng: random.Random, data: bytes, header: int = 64) -> bytes:
    """Bytes with some flipped, cut off, doubled, or put in, at the beginning rather than elsewhere."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(found) + 1)
        if rng.random() < 0.6:
            at = min(at, rng.randrange(header))
        match rng.randrange(7):
            case 0 | 1 if at < len(found):
                found[at] ^= 1 << rng.randrange(8)
            case 2:
                found[at : at + 1] = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF))])
            case 3:
                width = rng.choice((2, 4))
                number = rng.choice((0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1)) % (1 << 8 * width)
                found[at : at + width] = number.to_bytes(width, rng.choice(("big", "little")))
            case 4:
                del found[at:]
            case 5:
                found[at:at] = found[at : at + rng.randrange(1, 64)]
            case _:
                del found[at : at + rng.randrange(1, 16)]
    return bytes(found)


def picked(rng: random.Random, makers: Sequence[tuple[str, int, Callable[[], T]]]) -> tuple[str, T]:
    """What one of the makers makes, and its name; a maker's weight is its share."""
    how, _, make = rng.choices(makers, [weight for _, weight, _ in makers])[0]
    return how, make()
