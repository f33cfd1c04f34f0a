"""Characters that mean nothing to a reader are taken out of what was read."""

from __future__ import annotations

import re
from dataclasses import replace

from hugginggpt.documents.model import Contents, Page
from hugginggpt.media.values import Table

_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
_SPACES = re.compile("[ \u00a0\u2000-\u200a\u202f\u205f\u3000]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_SYMBOL_BULLETS = dict.fromkeys(map(ord, "\uf076\uf095\uf0a7\uf0a8\uf0b7\uf0d8\uf0fc"), "•")
"""Where fonts of symbols, which have no characters, have what lists begin with."""
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_LINE_SPACES = re.compile(r"[ \t]+$|^[ ]+$", re.MULTILINE)


def cleaned(contents: Contents) -> Contents:
    """The contents with every text tidy."""
    return replace(
        contents,
        pages=tuple(Page(tidy(page.text), page.is_picture, line(page.mark)) for page in contents.pages),
        tables=tuple(
            Table(
                tuple(map(line, table.columns)),
                tuple(tuple(map(tidy, row)) for row in table.rows),
                name=line(table.name),
            )
            for table in contents.tables
        ),
        notes=tuple(map(line, contents.notes)),
    )


def tidy(text: str) -> str:
    """A text without unseen characters, ligatures, spaces at the ends of lines and runs of empty lines."""
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _UNSEEN.sub("", _LINE_END.sub("\n", text)))
    text = text.translate(_LIGATURES | _SYMBOL_BULLETS).replace("\N{NO-BREAK SPACE}", " ")
    return _EMPTY_LINES.sub("\n\n", _LINE_SPACES.sub("", text)).strip("\n ")


def line(text: str) -> str:
    """A text on one line, with single spaces."""
    return " ".join(_SPACES.sub(" ", tidy(text)).split())
