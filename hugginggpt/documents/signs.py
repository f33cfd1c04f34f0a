"""Characters as TeX's fonts draw them, put back into those that are meant."""

from __future__ import annotations

import unicodedata

_LIGATURES = {
    **dict(zip(range(0x0B, 0x10), ("ff", "fi", "fl", "ffi", "ffl"), strict=True)),
    **dict(zip(range(0x1B, 0x20), ("ff", "fi", "fl", "ffi", "ffl"), strict=True)),
}
"""Where TeX's older and newer encodings have their ligatures, which fonts of dots do not name."""
_ACCENTS = {
    0x60: 0x300, 0xB4: 0x301, 0x2C6: 0x302, 0x2DC: 0x303, 0xAF: 0x304, 0x2D8: 0x306, 0x2D9: 0x307, 0xA8: 0x308,
    0x2DA: 0x30A, 0x2DD: 0x30B, 0x2C7: 0x30C, 0xB8: 0x327, 0x2DB: 0x328,
}  # fmt: skip
"""Accents that stand for themselves, and those that go with a letter."""
_WITHOUT_DOT = {"ı": "i", "ȷ": "j"}


def ligature(code: int, before: int, after: int) -> str:
    """The letters that a control character stands for beside a letter; "" if it stands for none.

    Args:
        code: the character.
        before: the character before it.
        after: the one after it.
    """
    letters = _LIGATURES.get(code, "")
    return letters if letters and (chr(before).isalpha() or chr(after).isalpha()) else ""


def accented(accent: int, letter: int) -> str:
    """A letter with the accent that is drawn over it; "" if there is none such."""
    combining = _ACCENTS.get(accent)
    base = _WITHOUT_DOT.get(chr(letter), chr(letter))
    if combining is None or not base.isalpha():
        return ""
    whole = unicodedata.normalize("NFC", base + chr(combining))
    return whole if len(whole) == 1 else ""
