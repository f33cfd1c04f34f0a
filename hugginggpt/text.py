"""Text that others wrote: what has to go from it before it enters a prompt, a terminal, a file name or a database.

Letters of every script, combining marks, joiners, soft hyphens and the marks of direction that Arabic and Hebrew
are written with stay. What goes acts instead of being read: it moves a cursor, turns the order of what follows, or is
not seen at all.
"""

import json
import re
from pathlib import PurePosixPath
from typing import Any

MOST_NAME_BYTES = 255
"""How long a file's name can be on the file systems in use."""

_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_TERMINAL = re.compile(
    r"""
      (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]                                 # colours, cursor
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]) [^\x07\x1b\n\x90\x98\x9c-\x9f]{0,4096}+ (?:\x07|\x1b\\|\x9c)  # links
    | \x1b [!-/]{0,4} [0-~]                                               # character sets and the like
    """,
    re.VERBOSE,
)
# Flags such as Scotland's are written with tag characters, after a black flag.
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
_UNSEEN = re.compile(
    f"({_FLAG})|"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for tab and newline
    "\u202a-\u202e\u2066-\u2069\u206a-\u206f"  # embedding, override and isolates
    "\u115f\u1160\u3164\uffa0"  # letters that are not there
    "\u200b\u2060-\u2065\ufeff\ufff9-\ufffb"  # spaces without width, annotations
    "\U000e0000-\U000e0fff]"  # tags, and selectors of variants of ideographs
)
# One after a character says how it looks, such as an emoji in colour; more can carry a text.
_SELECTORS = re.compile("(?<![^\\s\u200b-\u200f\ufe00-\ufe0f])[\ufe00-\ufe0f]+")
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u206f\ud800-\udfff\U000e0000-\U000e007f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUL_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def visible(text: str) -> str:
    """The text without characters that act instead of being read; every kind of line end is a newline.

    Control characters, escape sequences of terminals, overrides of the direction, what has no width, blank letters,
    tags, and selectors of variants beyond one after a character go; half a character becomes a replacement character.
    """
    text = _LINE_END.sub("\n", _TERMINAL.sub("", text)) if not text.isprintable() else text
    return _SELECTORS.sub("", _UNSEEN.sub(lambda match: match[1] or "", _SURROGATE.sub("\ufffd", text)))


def one_line(text: str, most: int | None = None) -> str:
    """The text as `visible`, in one line, cut to a number of characters; of a much longer text the start is read."""
    read = text if most is None else text[: 10 * most + 1000]
    line = " ".join(visible(read).split())
    return line if most is None or (len(read) == len(text) and len(line) <= most) else line[: most - 1] + "…"


def storable(text: str) -> str:
    """The text as UTF-8 and every database can hold it: NUL and halves of characters become replacement characters."""
    return _SURROGATE.sub("\ufffd", text).replace("\x00", "\ufffd")


def is_storable(text: str) -> bool:
    """Whether UTF-8 and every database can hold the text as it is."""
    return "\x00" not in text and _SURROGATE.search(text) is None


def storable_json(data: Any) -> str:
    """Data as JSON that UTF-8 and every database can hold; its texts as `storable` gives them.

    Raises:
        ValueError: it holds a number that JSON does not know, such as infinity.
        RecursionError: it is nested too deeply.
    """
    written = _SURROGATE.sub("\ufffd", json.dumps(data, ensure_ascii=False, allow_nan=False))
    return _NUL_IN_JSON.sub("\\1\ufffd", written) if "\\u0000" in written else written


def terminal_json(written: str) -> str:
    """JSON whose texts have nothing in them, as it is written, that a terminal acts on: that is escaped.

    Whoever reads it gets every text as it was, and two halves of a character that follow each other as that character.
    """
    return _RAW.sub(lambda match: json.dumps(match[0])[1:-1], written)


def file_name(name: str, most: int = MOST_NAME_BYTES) -> str:
    """A name as a file can have it: one line of visible text without slashes, its ending kept where it is too long.

    Args:
        name: any text.
        most: the most bytes of UTF-8 that it may have.

    Returns:
        The name; "" when nothing of it is left.
    """
    name = one_line(name).replace("/", "_")
    if name in (".", ".."):
        return ""
    if len(name.encode()) <= most:
        return name
    ending = PurePosixPath(name).suffix
    if len(ending.encode()) > min(most, 32):
        ending = ""
    return _cut(name.removesuffix(ending), most - len(ending.encode())).rstrip() + ending


def _cut(text: str, most: int) -> str:
    """The beginning of a text that has at most so many bytes in UTF-8."""
    return text.encode()[:most].decode("utf-8", "ignore")
