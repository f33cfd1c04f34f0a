"""Which of eSpeak NG's voices says a text."""

import unicodedata
from collections import Counter

DEFAULT_VOICE = "en-us"

# Scripts that belong to one language, or that one language uses far more than any other.
# Latin letters tell nothing sure, so they are read in English.
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
"""Characters that are looked at."""


def voice_for(text: str) -> str:
    """The voice for the script that most letters of a text are in; any kana makes it Japanese."""
    scripts = Counter(unicodedata.name(c, "").partition(" ")[0] for c in text[:_ENOUGH] if c.isalpha())
    if not scripts:
        return DEFAULT_VOICE
    main = scripts.most_common(1)[0][0]
    if main == "CJK" and (scripts["HIRAGANA"] or scripts["KATAKANA"]):
        main = "HIRAGANA"
    return _VOICES.get(main, DEFAULT_VOICE)
