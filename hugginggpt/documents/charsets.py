"""Bytes of texts that may say what their charset is."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
"""What programs write under the name of a smaller charset."""


def decoded(data: bytes, *declared: str | None) -> str:
    """The characters of a text, by its mark, else as declared, as UTF-8 or as Windows-1252.

    Args:
        data: the text.
        declared: charsets that are said to be its own, the likeliest first.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    known = [encoding for name in declared if (encoding := _known(name))]
    for encoding in (*known, "utf-8"):
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    return data.decode(known[0] if known else "cp1252", "replace")


def _known(name: str | None) -> str:
    """The codec of a charset; "" if there is none."""
    try:
        found = codecs.lookup((name or "").strip(" \"'").lower()).name
        b"".decode(found)
    except (LookupError, ValueError):
        return ""
    return _MEANT.get(found, found)
