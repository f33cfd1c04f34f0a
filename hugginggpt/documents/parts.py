"""The parts of a document that plans use, by the media types that name them: its text, a page, a table."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from dataclasses import replace

from hugginggpt.capabilities import ValueType
from hugginggpt.deadline import NO_DEADLINE
from hugginggpt.documents.model import Contents, Limits, Page
from hugginggpt.documents.reading import picture, read
from hugginggpt.documents.sheets import joined
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Document, Image, Table, Text

CHECKED = Limits(pages=2_000, pixels=80_000_000, cells=5_000_000, characters=50_000_000, memory=1 << 30, seconds=120.0)
"""What reading a document that was checked when it came in may cost."""

_MOST_KEPT = 4
_MOST_KEPT_CHARACTERS = 5_000_000
_PART = re.compile(r"; part=(?P<numbers>\d+(?:\+\d+)*)")
_PAGES = re.compile(r"; pages=(?P<first>\d+)-(?P<last>\d+)")


def part(type: ValueType, data: bytes, mime: str) -> Text | Image | Table | Document:
    """A part of a document as a value.

    Args:
        type: what it is wanted as.
        data: the document.
        mime: its media type with the number of the part, the numbers of tables with the same columns, which become one
            table, or the pages whose text is wanted.

    Raises:
        ContentProblem: there is no such part, or it cannot be read.
    """
    bare = mime.partition(";")[0]
    numbers = [*map(int, found["numbers"].split("+"))] if (found := _PART.search(mime)) else [1]
    match type:
        case ValueType.DOCUMENT:
            return Document(data, bare)
        case ValueType.TABLE:
            tables = _contents(data, bare).tables
            if max(numbers) > len(tables):
                raise ContentProblem(f"has {len(tables)} tables, and no table {max(numbers)}")
            return joined([tables[number - 1] for number in numbers])
        case ValueType.IMAGE:
            number = numbers[0]
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


_lock = threading.Lock()
_kept: OrderedDict[str, Contents] = OrderedDict()


def _contents(data: bytes, mime: str) -> Contents:
    """What is in a document; that of the last few is kept, because their parts are asked for one after the other."""
    key = f"{hashlib.sha256(data).hexdigest()} {mime}"
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = read(data, mime, CHECKED, NO_DEADLINE)
    if sum(len(page.text) for page in found.pages) <= _MOST_KEPT_CHARACTERS:
        with _lock:
            _kept[key] = found
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
    return found
