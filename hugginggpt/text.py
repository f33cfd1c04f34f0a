"""Clean up text from outside before it goes into a prompt, a terminal, a file name or a database.

Letters of every script, combining marks, joiners, soft hyphens, and the direction marks of Arabic and Hebrew are kept.
Characters that act instead of being read are removed: those that move the cursor, reverse the order of the following
text, or are invisible.
"""

import json
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any

MOST_NAME_BYTES = 255
"""Most bytes of a file name on common file systems."""

_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_TERMINAL = re.compile(
    r"""
      (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]                                 # colours, cursor
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]) [^\x07\x1b\n\x90\x98\x9c-\x9f]{0,4096}+ (?:\x07|\x1b\\|\x9c)  # links
    | \x1b [!-/]{0,4} [0-~]                                               # character sets and the like
    """,
    re.VERBOSE,
)
# Flags such as Scotland's consist of a black flag and tag characters.
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
_UNSEEN = re.compile(
    f"({_FLAG})|"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters except tab and newline
    "\u202a-\u202e\u2066-\u2069\u206a-\u206f"  # embedding, override and isolates
    "\u115f\u1160\u3164\uffa0"  # blank letters
    "\u200b\u2060-\u2065\ufeff\ufff9-\ufffb"  # zero-width spaces, annotations
    "\U000e0000-\U000e0fff]"  # tags, and variation selectors for ideographs
)
# A variation selector after a character changes its look, such as an emoji's colour. A run of them can hide text.
_SELECTORS = re.compile("(?<![^\\s\u200b-\u200f\ufe00-\ufe0f])[\ufe00-\ufe0f]+")
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u206f\ud800-\udfff\U000e0000-\U000e007f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUL_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def visible(text: str) -> str:
    """The text without characters that act instead of being read, and with newlines as the only line ends.

    This removes control characters, terminal escape sequences, direction overrides, zero-width characters, blank
    letters, tags, and all but one variation selector after a character. A lone surrogate becomes a replacement
    character.
    """
    text = _LINE_END.sub("\n", _TERMINAL.sub("", text)) if not text.isprintable() else text
    return _SELECTORS.sub("", _UNSEEN.sub(lambda match: match[1] or "", _SURROGATE.sub("\ufffd", text)))


_BLANK = re.compile(
    "[\\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffc\U000e0000-\U000e0fff]*"
)


def is_blank(text: str) -> bool:
    """Whether a text consists of spaces and invisible characters only."""
    return _BLANK.fullmatch(text) is not None


def composed(text: str) -> str:
    """The text in the Unicode form in which names are compared (NFC): macOS writes é as e and an accent."""
    return unicodedata.normalize("NFC", text)


def one_line(text: str, most: int | None = None) -> str:
    """The text as `visible` returns it, in one line, cut to a number of characters; of a very long text the start."""
    read = text if most is None else text[: 10 * most + 1000]
    line = " ".join(visible(read).split())
    return line if most is None or (len(read) == len(text) and len(line) <= most) else line[: most - 1] + "…"


def counted(number: int, noun: str) -> str:
    """A number and a noun, in the plural unless the number is 1."""
    return f"{number} {noun}{'s' * (number != 1)}"


def storable(text: str) -> str:
    """The text as UTF-8 and every database can store it: NUL and lone surrogates become replacement characters."""
    return _SURROGATE.sub("\ufffd", text).replace("\x00", "\ufffd")


def is_storable(text: str) -> bool:
    """Whether UTF-8 and every database can store the text unchanged."""
    return "\x00" not in text and _SURROGATE.search(text) is None


def storable_json(data: Any) -> str:
    """Data as JSON that UTF-8 and every database can store, with its texts as `storable` returns them.

    Raises:
        ValueError: it contains a number that JSON does not have, such as infinity.
        RecursionError: it is nested too deeply.
    """
    written = _SURROGATE.sub("\ufffd", json.dumps(data, ensure_ascii=False, allow_nan=False))
    return _NUL_IN_JSON.sub("\\1\ufffd", written) if "\\u0000" in written else written


def terminal_json(written: str) -> str:
    """JSON in which every character that a terminal would act on is escaped.

    Parsing it returns the original texts; a pair of surrogates becomes one character.
    """
    return _RAW.sub(lambda match: json.dumps(match[0])[1:-1], written)


def file_name(name: str, most: int = MOST_NAME_BYTES) -> str:
    """A valid file name: one line of visible, composed text without slashes. A long one is cut but keeps its suffix.

    Args:
        name: any text.
        most: most bytes of the name in UTF-8.

    Returns:
        The name; "" if nothing of it is left.
    """
    name = composed(one_line(name)).replace("/", "_")
    if name in (".", ".."):
        return ""
    if len(name.encode()) <= most:
        return name
    ending = PurePosixPath(name).suffix
    if len(ending.encode()) > min(most, 32):
        ending = ""
    return _cut(name.removesuffix(ending), most - len(ending.encode())).rstrip() + ending


def _cut(text: str, most: int) -> str:
    """The longest beginning of a text that fits into a number of bytes in UTF-8."""
    return text.encode()[:most].decode("utf-8", "ignore")
