"""RTF files: the text without its control words."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.grids import piped, table_from
from hugginggpt.documents.model import Contents, Page
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.texts import codec_of
from hugginggpt.media.values import Table

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z])"
    rb"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+|\\",
    re.DOTALL,
)
_UNSEEN = frozenset((
    "annotation", "atnauthor", "atndate", "atnid", "atnparent", "atnref", "atntime", "author", "bkmkend", "bkmkstart",
    "blipuid", "category", "colorschememapping", "colortbl", "comment", "company", "creatim", "datafield", "datastore",
    "defchp", "defpap", "deletedtext", "doccomm", "docvar", "factoidname", "filetbl", "fldinst", "fonttbl", "generator",
    "info", "keycode", "keywords", "latentstyles", "listname", "listoverridetable", "listtable", "lsdlockedexcept",
    "manager", "mmath", "nonesttables", "objdata", "objclass", "objname", "operator", "pgptbl", "pict", "pntxta",
    "pntxtb", "printim", "private", "revtbl", "revtim", "rsidtbl", "rxe", "sn", "sp", "stylesheet", "subject", "sv",
    "tc", "themedata", "title", "txe", "userprops", "wgrffmtfilter", "xe", "xmlnstbl", "pgdsctbl", "panose", "falt",
    "leveltext", "levelnumbers", "shppict", "nonshppict", "shprslt", "xmlopen", "xmlclose",
))  # fmt: skip
"""Groups that are not part of the text."""
_ASIDE = {f"{kind}{pages}": kind for kind in ("header", "footer") for pages in ("", "f", "l", "r")} | {
    "footnote": "footnote"
}
"""Groups whose text has a place of its own, and the place."""
_SEEN_THOUGH_UNKNOWN = frozenset({"shptxt", "shpinst", "shp", "footnote", "fldrslt", "pntext", "listtext"})
_SIGNS = {
    "par": "\n", "sect": "\n", "page": "\n", "line": "\n", "column": "\n", "tab": "\t", "emdash": "—", "endash": "–",
    "emspace": " ", "enspace": " ", "qmspace": " ", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "softline": "\n",
}  # fmt: skip
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437",
}  # fmt: skip
_CODE_PAGES = {10000: "mac_roman", 10007: "mac_cyrillic", 10029: "mac_latin2", 20866: "koi8-r", 21866: "koi8-u"} | {
    28590 + part: f"iso8859-{part}" for part in range(1, 17)
}
"""Code pages that are not named by their numbers."""
_MOST_NESTED = 10_000
_CELL, _ROW = "\ue000", "\ue001"
"""Ends of cells and rows, until tables are put together; characters of private use are left out of the text."""


@dataclass
class _Group:
    """What holds inside of a pair of braces."""

    is_unseen: bool = False
    is_hidden: bool = False
    skip: int = 1
    charset: str | None = None
    in_fonts: bool = False
    may_be_unseen: bool = False
    parts: list[str] | None = None


def read(data: bytes, budget: Budget) -> Contents:
    """The text and the tables of an RTF file.

    Raises:
        ContentProblem: it is damaged or too large.
    """
    if not data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{\\rtf"):
        raise ContentProblem("is damaged and cannot be read as an RTF file; save it again")
    reader = _Reader(budget)
    at = 0
    while (token := _TOKEN.match(data, at)) is not None:
        reader.take(token)
        # Binary data may look like anything.
        at = token.end() + (max(0, int(token["number"] or 0)) if token["word"] == b"bin" else 0)
    reader.flush()
    header, notes, footer = (
        ["".join(parts).replace(_CELL, "\t").replace(_ROW, "\n").strip() for parts in reader.aside[place]]
        for place in ("header", "footnote", "footer")
    )
    above, below = ("".join(f"{line}\n" for line in dict.fromkeys(lines) if line) for lines in (header, footer))
    numbered = "".join(f"[{number}] {' '.join(note.split())}\n" for number, note in enumerate(notes, start=1))
    end = f"\n{numbered}{below}" if numbered or below else ""
    return _contents(f"{above}{''.join(reader.parts).rstrip() if end else ''.join(reader.parts)}{end}", budget)


class _Reader:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._groups = [_Group()]
        self._code_page = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = self._default = 0
        self._bytes = bytearray()
        self._to_skip = 0
        self.parts: list[str] = []
        self.aside: dict[str, list[list[str]]] = defaultdict(list)

    def take(self, token: re.Match[bytes]) -> None:
        """Read the next piece of the file."""
        group = self._groups[-1]
        if token["brace"] == b"{":
            if len(self._groups) > _MOST_NESTED:
                raise ContentProblem("has too many groups in each other to be read as an RTF file; save it again")
            self.flush()
            self._groups.append(replace(group, may_be_unseen=False))
        elif token["brace"] == b"}":
            self.flush()
            if len(self._groups) > 1:
                self._groups.pop()
            self._to_skip = 0
        elif token["hex"] is not None:
            self._characters(bytes([int(token["hex"], 16)]))
        elif token["text"] is not None:
            self._characters(token["text"])
        elif token["sign"] is not None:
            self._sign(token["sign"], group)
        elif token["word"] is not None:
            number = token["number"]
            self._word(token["word"].decode(), int(number) if number else None, group)

    def flush(self) -> None:
        """Decode the bytes so far: a character may consist of several."""
        if self._bytes:
            group = self._groups[-1]
            charset = self._fonts.get(self._default, "") if group.charset is None else group.charset
            text = bytes(self._bytes).decode(charset or self._code_page, "replace")
            self._bytes.clear()
            self._add(text, group)

    def _add(self, text: str, group: _Group) -> None:
        if not group.is_unseen and not group.is_hidden:
            self._budget.spend_characters(len(text))
            (self.parts if group.parts is None else group.parts).append(text)

    def _characters(self, data: bytes) -> None:
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        self._bytes += data[skipped:]

    def _sign(self, sign: bytes, group: _Group) -> None:
        if sign == b"*":
            group.may_be_unseen = True
        elif sign in (b"\\", b"{", b"}"):
            self._characters(sign)
        elif sign in (b"\n", b"\r"):
            self.flush()
            self._add("\n", group)
        elif sign == b"~":
            self._characters(b" ")
        elif sign == b"_":
            self._characters(b"-")

    def _word(self, word: str, number: int | None, group: _Group) -> None:
        self.flush()
        if word in _UNSEEN or (group.may_be_unseen and word not in _SEEN_THOUGH_UNKNOWN):
            group.is_unseen = True
            group.in_fonts = group.in_fonts or word == "fonttbl"
        group.may_be_unseen = False
        if (place := _ASIDE.get(word)) is not None and not group.is_unseen:
            if place == "footnote":
                self._add(f"[{len(self.aside[place]) + 1}]", group)
            group.parts = []
            self.aside[place].append(group.parts)
        if word in _SIGNS:
            self._add(_SIGNS[word], group)
        elif word in ("cell", "nestcell"):
            self._add(_CELL, group)
        elif word in ("row", "nestrow"):
            self._add(_ROW, group)
        elif word == "u" and number is not None:
            self._add(chr(number % 0x10000), group)
            self._to_skip = group.skip
        elif word == "uc":
            group.skip = min(number or 0, 100)
        elif word == "deff":
            self._default = number or 0
        elif word in ("v", "deleted"):
            group.is_hidden = number != 0
        elif word == "plain":
            group.is_hidden, group.charset = False, None
        elif word == "ansicpg":
            self._code_page = _code_page(number, self._code_page)
        elif word in ("mac", "pc", "pca"):
            self._code_page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "f":
            self._font = number or 0
            if not group.in_fonts:
                group.charset = self._fonts.get(self._font, "")
        elif word == "fcharset" and group.in_fonts:
            self._fonts[self._font] = _CHARSETS.get(number or 0, "") if number else ""


def _code_page(number: int | None, otherwise: str) -> str:
    return codec_of(_CODE_PAGES.get(number or 0, f"cp{number}")) or otherwise


def _contents(text: str, budget: Budget) -> Contents:
    """The text with its tables put together."""
    # Characters beyond the first 65,536 come in two halves.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    lines: list[str] = []
    tables: list[Table] = []
    rows: list[list[str]] = []

    def end_table() -> None:
        if rows:
            lines.extend(["", piped(rows), ""])
            found, _, _ = table_from(rows)
            if found is not None and len(found.columns) > 1:
                tables.append(found)
            rows.clear()

    count = text.count(_ROW)
    for number, part in enumerate(text.split(_ROW)):
        is_row = number < count
        if not is_row or _CELL not in part:
            end_table()
            lines.append(part.replace(_CELL, "\t"))
            continue
        first, *others = part.split(_CELL)[:-1]
        # What comes before the first cell of a row may be text above the table.
        above, _, cell = first.rpartition("\n")
        if above.strip():
            end_table()
            lines.append(above)
        rows.append([" ".join(inner.split()) for inner in (cell, *others)])
        budget.spend_cells(len(rows[-1]))
    end_table()
    return Contents((Page("\n".join(lines)),), tuple(tables))
