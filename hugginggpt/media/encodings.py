"""The encoding of a text that does not say in which it is: a guess, and whether it is a sure one."""

from __future__ import annotations

import codecs
import re
import unicodedata
from itertools import pairwise
from typing import NamedTuple

_SAMPLE_BYTES = 1 << 16
_ENCODINGS = {
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "gb18030": "GB 18030",
    "cp932": "Shift JIS",
    "big5": "Big5",
    "cp949": "EUC-KR",
    "euc_jp": "EUC-JP",
    "koi8_r": "KOI8-R",
    "koi8_u": "KOI8-U",
    "cp1253": "Windows-1253",
    "cp1254": "Windows-1254",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
    "cp1257": "Windows-1257",
    "iso8859_2": "ISO 8859-2",
    "iso8859_5": "ISO 8859-5",
    "iso8859_7": "ISO 8859-7",
    "cp866": "code page 866",
    "cp850": "code page 850",
    "mac_roman": "Mac Roman",
    "mac_cyrillic": "Mac Cyrillic",
    "cp874": "Windows-874",
}
"""The encodings that are found in real files, as Python and as people call them, the most frequent first."""

_MARKS = "«»„“”‘’–—…€£°§·•×´"
_WESTERN = "äöüÄÖÜßéèêëàâçîïôùûœæáíóúñãåøÅØÆÉÈÊÀÂÇÎÔÁÍÓÚÑÃ¿¡ºª"
_CENTRAL = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáäčďéěíĺľňôŕřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽöőüűÖŐÜŰăâîşĂÂÎŞđĐßÄ"
_TURKISH = "ğıİşŞĞçöüÇÖÜâî"
_BALTIC = "āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽąęėįųĄĘĖĮŲõäöüÕÄÖÜ"
_USUAL = {
    "cp1252": _WESTERN,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp1250": _CENTRAL,
    "iso8859_2": _CENTRAL,
    "cp1254": _TURKISH,
    "cp1257": _BALTIC,
}
"""The letters besides ASCII that texts in an encoding for several languages mostly consist of."""

_SCRIPTS = {
    "cp1251": "CYRILLIC",
    "koi8_r": "CYRILLIC",
    "koi8_u": "CYRILLIC",
    "iso8859_5": "CYRILLIC",
    "cp866": "CYRILLIC",
    "mac_cyrillic": "CYRILLIC",
    "cp1253": "GREEK",
    "iso8859_7": "GREEK",
    "cp1255": "HEBREW",
    "cp1256": "ARABIC",
    "cp874": "THAI",
}
_CYRILLIC, _FREQUENT_CYRILLIC = re.compile("[А-яЁёІіЇїЄєҐґЎў]"), frozenset("оеаинтсрвлкмдпуОЕАИНТСРВЛКМДПУ")
# The characters that schools teach come first in the national standards: their encodings, and where those end.
_COMMON = {"gb18030": ("gb2312", 0xD7), "big5": ("big5", 0xC6), "cp932": ("euc_jp", 0xCF), "euc_jp": ("euc_jp", 0xCF)}
_CJK_MARKS = re.compile("[、-〗！-～]")
_KANA = re.compile("[ぁ-ヿ]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_LETTER = re.compile("[a-zA-Z]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SIGN_IN_WORD = re.compile(r"(?<=[^\W\d_])[^\w\s\x00-\x7f’·-](?=[^\W\d_])")
_SCRIPTS_IN_WORD = re.compile(
    "[a-zA-Z](?=[Ͱ-ӿ֐-ۿ฀-๿])|[Ͱ-ӿ֐-ۿ฀-๿](?=[a-zA-Z])|[a-z](?=[⺀-鿿가-힣豈-﫿])|[⺀-鿿가-힣豈-﫿](?=[a-z])"
)
_FEW_CHARS, _LEAST_SCORE = 100, 0.3
_LESS_FREQUENT = 0.015
_SURE_SCORE, _SURE_LEAD, _SURE_CHARS = 0.8, 0.3, 4


class Guess(NamedTuple):
    """An encoding that a text may have.

    Attributes:
        codec: its name in Python.
        name: its name in a sentence.
        sure: no other encoding makes nearly as good a text of it.
    """

    codec: str
    name: str
    sure: bool


def guesses(data: bytes) -> list[Guess]:
    """The encodings that a text with bytes outside ASCII may have, the likeliest first; empty if none fits.

    `charset-normalizer` finds those in which it reads like a text. It cannot rank them for a few words, so that is done
    by whether the characters are the usual ones of the encoding's languages.

    Args:
        data: a text, or its beginning.
    """
    from charset_normalizer import from_bytes

    sample = _telling_lines(data)
    possible = list(_ENCODINGS)
    found = from_bytes(sample, cp_isolation=possible, enable_fallback=False, preemptive_behaviour=False)
    coherent = {name: match.coherence for match in found for name in (match.encoding, *match.could_be_from_charset)}
    ranked: list[tuple[float, str, str]] = []
    for place, codec in enumerate(possible):
        try:
            text = codecs.getincrementaldecoder(codec)().decode(sample)
        except UnicodeDecodeError:
            continue
        score = _score(text, codec) + 0.4 * coherent.get(codec, -0.25) - _LESS_FREQUENT * place
        ranked.append((score, codec, text))
    ranked.sort(key=lambda one: -one[0])
    if not ranked:
        return []
    best, _, read = ranked[0]
    others = [score for score, _, text in ranked[1:] if text != read]
    telling = sum(not character.isascii() for character in read)
    if telling > _FEW_CHARS and best < _LEAST_SCORE:
        return []
    sure = best >= _SURE_SCORE and telling >= _SURE_CHARS and best - max(others, default=-1.0) >= _SURE_LEAD
    return [Guess(codec, _ENCODINGS[codec], sure and text == read) for _, codec, text in ranked]


def _telling_lines(data: bytes) -> bytes:
    """The lines that are not ASCII, as far as there is room for them."""
    parts: list[bytes] = []
    at = taken = 0
    while taken < _SAMPLE_BYTES and (found := _NOT_ASCII.search(data, at)):
        start = max(data.rfind(b"\n", at, found.start()) + 1, at, found.start() - _SAMPLE_BYTES)
        end = data.find(b"\n", found.end(), found.end() + _SAMPLE_BYTES) + 1 or found.end() + _SAMPLE_BYTES
        parts.append(data[start:end])
        taken += end - start
        at = end
    return b"".join(parts)


def _score(text: str, codec: str) -> float:
    """How usual the characters outside ASCII are in texts of this encoding, from -1 to 1."""
    strange = [character for character in text if not character.isascii()]
    if not strange:
        return 0.0
    usual = sum(_weight(character, codec) for character in strange) / len(strange)
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    # A wrong code page makes capitals inside words, and Latin words without one plain letter.
    odd = sum(
        after.isupper() and before.islower() and not (before + after).isascii()
        for word in words
        for before, after in pairwise(word)
    )
    if codec in _USUAL:
        odd += sum(len(word) for word in words if len(word) > 3 and not _LETTER.search(word))
    broken = len(_SIGN_IN_WORD.findall(text)) + len(_SCRIPTS_IN_WORD.findall(text))
    # What is in small letters looks like capitals in some wrong code pages, and the other way round.
    capitals = sum(character.isupper() for character in strange)
    return float(usual - (odd + broken + 0.15 * capitals) / len(strange))


def _weight(character: str, codec: str) -> float:
    category = unicodedata.category(character)
    if category in ("Cc", "Cn", "Co", "Cs"):
        return -2.0
    if codec in _USUAL:
        return 1.0 if character in _USUAL[codec] else 0.8 if character in _MARKS or category == "Zs" else -0.5
    if codec in _SCRIPTS:
        if character in _MARKS or category == "Zs":
            return 0.8
        if not unicodedata.name(character, "").startswith(_SCRIPTS[codec]):
            return -0.5
        if _SCRIPTS[codec] == "CYRILLIC" and character not in _FREQUENT_CYRILLIC:
            return 0.6 if _CYRILLIC.match(character) else -0.3
        return 1.0
    if _CJK_MARKS.match(character):
        return 0.8
    if codec == "cp949":
        return 1.0 if 0xB0 <= _first_byte(character, "euc_kr") <= 0xC8 else -0.3
    if _KANA.match(character):
        return 1.0 if codec in ("cp932", "euc_jp") else -0.3
    standard, last = _COMMON[codec]
    return 0.9 if 0xA1 < _first_byte(character, standard) <= last else -0.5


def _first_byte(character: str, codec: str) -> int:
    """The first byte of a character in an encoding; 0 if it lacks it."""
    try:
        return character.encode(codec)[0]
    except UnicodeEncodeError:
        return 0
