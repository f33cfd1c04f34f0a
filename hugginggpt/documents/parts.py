"""The parts of a document that plans use, by the media types that name them: its text, a page, a table."""

from __future__ import annotations

import re
from dataclasses import replace

from hugginggpt.capabilities import ValueType
from hugginggpt.deadline import NO_DEADLINE
from hugginggpt.documents.kept import keep, kept
from hugginggpt.documents.model import Contents, Limits, Page
from hugginggpt.documents.reading import picture, read
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Document, Image, Table, Text

CHECKED = Limits(pages=2_000, pixels=80_000_000, cells=5_000_000, characters=50_000_000, memory=1 << 30, seconds=120.0)
"""What reading a document that was checked when it came in may cost."""

_PART = re.compile(r"; part=(?P<number>\d+)")
_PAGES = re.compile(r"; pages=(?P<first>\d+)-(?P<last>\d+)")


def part(type: ValueType, data: bytes, mime: str) -> Text | Image | Table | Document:
    """A part of a document as a value.

    Args:
        type: what it is wanted as.
        data: the document.
        mime: its media type with the number of the part, or the pages whose text is wanted.

    Raises:
        ContentProblem: there is no such part, or it cannot be read.
    """
    bare = mime.partition(";")[0]
    number = int(found["number"]) if (found := _PART.search(mime)) else 1
    match type:
        case ValueType.DOCUMENT:
            return Document(data, bare)
        case ValueType.TABLE:
            tables = _contents(data, bare).tables
            if number > len(tables):
                raise ContentProblem(f"has {len(tables)} tables, and no table {number}")
            return tables[number - 1]
        case ValueType.IMAGE:
            shown = picture(data, bare, number, CHECKED, NO_DEADLINE)
            if bare.startswith("image/"):
                return shown
            page = _contents(data, bare).pages[number - 1 : number]
            return replace(shown, text=page[0].text) if page and not page[0].is_picture else shown
        case _:
            return Text(_text(_contents(data, bare), mime))


def _text(contents: Contents, mime: str) -> str:
    """The text of a document, or of some of its pages."""
    if (wanted := _PAGES.search(mime)) is None:
        return contents.text
    first, last = int(wanted["first"]), int(wanted["last"])
    return replace(contents, pages=contents.pages[first - 1 : last] or (Page(""),)).text


def _contents(data: bytes, mime: str) -> Contents:
    """What is in a document, read unless it is kept; it is kept because its parts are asked for one after the other."""
    contents = kept(data, mime)
    if contents is None:
        contents = read(data, mime, CHECKED, NO_DEADLINE)
        keep(data, mime, contents)
    return contents
