"""Chooses the voice of eSpeak NG for a text."""

import unicodedata
from collections import Counter

DEFAULT_VOICE = "en-us"

# Scripts that belong to one language, or that one language uses far more than any other.
# Latin script is ambiguous, so it is read in English.
_VOICES = {
    "ARABIC": "ar",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "CJK": "cmn",
    "CYRILLIC": "ru",
    "DEVANAGARI": "hi",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}

_ENOUGH = 10_000
"""How many characters are examined."""


def voice_for(text: str) -> str:
    """The voice for the most frequent script of a text. Han characters with any kana are Japanese."""
    scripts = Counter(unicodedata.name(c, "").partition(" ")[0] for c in text[:_ENOUGH] if c.isalpha())
    if not scripts:
        return DEFAULT_VOICE
    main = scripts.most_common(1)[0][0]
    if main == "CJK" and (scripts["HIRAGANA"] or scripts["KATAKANA"]):
        main = "HIRAGANA"
    return _VOICES.get(main, DEFAULT_VOICE)
