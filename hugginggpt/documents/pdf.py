"""PDF files, read and rendered by pdfium."""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pypdfium2
from pypdfium2 import raw

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.layout import SAME_LINE, Piece
from hugginggpt.documents.layout import read as read_layout
from hugginggpt.documents.model import PROTECTED, Contents, Limits, Page
from hugginggpt.documents.page_tables import Effort, Word
from hugginggpt.documents.signs import accented, ligature
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Table

_DOTS_PER_INCH, _POINTS_PER_INCH = 200, 72
_MOST_ACROSS = 30_000
"""Most pixels of the width or the height."""
_BYTES_PER_PIXEL = 16
"""Memory for a pixel: the page, its copy, and the pictures on it while they are decoded."""
_MOST_OBJECTS = 10_000
_FEW_CHARACTERS = 10
_PICTURE_SHARE = 0.5
_UNREADABLE_SHARE = 0.3
_WORD_GAP = 0.9
"""Widest gap within a piece of text, in heights of a line."""
_SPACE = 0.15
"""Narrowest gap between words that have no space between them, in heights of a line."""
_OVER = 0.5
"""How much of the narrower one an accent and its letter have in common."""
_SLANTED = 0.15
_HYPHENS = (0x02, 0xFFFE)
"""What pdfium has for a hyphen at the end of a line."""
_SPACES = frozenset({0x09, 0x0A, 0x0D, 0x20, 0xA0, 0x3000})
_ANY, _SLANTED_QUARTER = -1, 4
"""Instead of a quarter turn: of a space, and of slanted characters such as those of a watermark."""
_THIN = 0.1
_DAMAGED = "is damaged and cannot be read as a PDF file; save it again"


def read(data: bytes, budget: Budget) -> Contents:
    """The text of a PDF file, page by page, and its tables.

    Raises:
        ContentProblem: it is damaged, protected or too large.
    """
    document = _document(data)
    _init_forms(document)
    count = len(document)
    budget.pages(count)
    pages: list[Page] = []
    tables: list[Table] = []
    effort = Effort(count)
    damaged: list[int] = []
    for number in range(1, count + 1):
        mark = f"[page {number}]" if number > 1 else ""
        try:
            page = document[number - 1]
        except pypdfium2.PdfiumError:
            damaged.append(number)
            pages.append(Page("", mark=mark))
            continue
        text, is_picture, found = _contents(page, document, budget, effort)
        _add(found, tables)
        pages.append(Page(text, is_picture, mark))
        page.close()
    if len(damaged) == count:
        raise ContentProblem(_DAMAGED)
    notes = [f"has a damaged page {number}, which is left out" for number in damaged]
    if effort.is_spent:
        notes.append("has too much on its pages to look for tables on all of them; split it if one is missing")
    return Contents(tuple(pages), tuple(tables), has_pictures=True, notes=tuple(notes))


def opened(data: bytes, limits: Limits) -> OpenPDF:
    """A PDF file whose pages can be rendered.

    Raises:
        ContentProblem: it is damaged or protected.
    """
    return OpenPDF(data)


class OpenPDF:
    """A PDF file that stays open."""

    def __init__(self, data: bytes) -> None:
        self._document = _document(data)
        _init_forms(self._document)

    def picture(self, page: int, limits: Limits) -> tuple[str, tuple[int, int], bytes]:
        """A page, counted from 0, as the mode, the size and the pixels of a picture.

        Raises:
            ContentProblem: there is no such page, or it is damaged.
        """
        count = len(self._document)
        if not 0 <= page < count:
            raise ContentProblem(f"has no page {page + 1}; its pages are 1 to {count}")
        try:
            shown = self._document[page]
            bitmap = shown.render(
                scale=_scale(shown.get_size(), min(limits.pixels, limits.memory // _BYTES_PER_PIXEL)),
                rev_byteorder=True,
            )
        except pypdfium2.PdfiumError:
            raise ContentProblem(f"has a page {page + 1} that is damaged; save it again") from None
        image = bitmap.to_pil()
        mode, size, pixels = image.mode, image.size, image.tobytes()
        bitmap.close()
        shown.close()
        return mode, size, pixels


def _scale(size: tuple[float, float], pixels: int) -> float:
    """Pixels per point of a page."""
    width, height = size
    # A little less, or what rounding adds makes a scan of this resolution one pixel wider, and blurred.
    most = 0.99999 * _DOTS_PER_INCH / _POINTS_PER_INCH
    scale = min(most, math.sqrt(pixels / (width * height)), _MOST_ACROSS / max(width, height))
    while math.ceil(width * scale) * math.ceil(height * scale) > pixels:
        scale *= 0.95
    return scale


def _document(data: bytes) -> Any:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise ContentProblem(PROTECTED) from None
        if error.err_code == raw.FPDF_ERR_SECURITY:
            raise ContentProblem("is protected in a way that cannot be opened; save it without protection") from None
        raise ContentProblem(_DAMAGED) from None


def _init_forms(document: Any) -> None:
    with suppress(pypdfium2.PdfiumError):
        document.init_forms()


def _contents(page: Any, document: Any, budget: Budget, effort: Effort) -> tuple[str, bool, list[Table]]:
    """The text of a page, whether the page is a picture, and its tables."""
    textpage = page.get_textpage()
    count = max(0, textpage.count_chars())
    budget.spend_characters(count)
    characters = _characters(textpage.raw, count)
    text, tables = ("", []) if _is_unreadable(characters) else _text(characters, effort)
    for table in tables:
        budget.spend_cells(len(table.columns) * (len(table.rows) + 1))
    textpage.close()
    fields = _field_values(page, document)
    is_picture = len(text.strip()) < _FEW_CHARACTERS and not fields and _shows_something(page, bool(text.strip()))
    budget.spend_characters(sum(map(len, fields)))
    return "\n".join([*([text] if text else []), *fields]), is_picture, tables


def _add(found: Sequence[Table], tables: list[Table]) -> None:
    """Add the tables of a page. The first one goes on with the last one before it if it has the same columns."""
    for number, table in enumerate(found):
        if not number and tables and tables[-1].columns == table.columns:
            tables[-1] = Table(table.columns, tables[-1].rows + table.rows)
        else:
            tables.append(table)


@dataclass
class _Character:
    """A character: its code, its box as if its line were upright, its quarter turn, and what it stands for."""

    code: int
    box: tuple[float, float, float, float]
    quarter: int
    sign: str = ""


def _characters(textpage: Any, count: int) -> list[_Character]:
    rectangle = raw.FS_RECTF()
    codes = [raw.FPDFText_GetUnicode(textpage, index) for index in range(count)]
    found: list[_Character] = []
    for index, code in enumerate(codes):
        letters = ligature(code, codes[index - 1] if index else 0, codes[index + 1] if index + 1 < count else 0)
        if letters and raw.FPDFText_IsGenerated(textpage, index):
            letters = ""
        if (code in _SPACES or code == 0) and not letters:
            found.append(_Character(0x20, (0.0, 0.0, 0.0, 0.0), _ANY))
            continue
        raw.FPDFText_GetLooseCharBox(textpage, index, ctypes.byref(rectangle))
        turn = raw.FPDFText_GetCharAngle(textpage, index) / (math.pi / 2)
        quarter = round(turn) % 4 if abs(turn - round(turn)) < _SLANTED else _SLANTED_QUARTER
        box = _upright((rectangle.left, rectangle.bottom, rectangle.right, rectangle.top), quarter)
        sign = letters or ("-" if code in _HYPHENS else chr(code))
        if found and _covers(found[-1].box, box) and (whole := accented(found[-1].code, code)):
            found.pop()
            sign = whole
        found.append(_Character(code, box, quarter, sign))
    return found


def _covers(accent: tuple[float, float, float, float], letter: tuple[float, float, float, float]) -> bool:
    """Whether an accent is drawn in the place of a letter."""
    common = min(accent[2], letter[2]) - max(accent[0], letter[0])
    return common > _OVER * min(accent[2] - accent[0], letter[2] - letter[0])


def _upright(box: tuple[float, float, float, float], quarter: int) -> tuple[float, float, float, float]:
    left, bottom, right, top = box
    match quarter:
        case 1:  # down the page
            return -top, left, -bottom, right
        case 2:
            return -right, -top, -left, -bottom
        case 3:  # up the page
            return bottom, -right, top, -left
        case _:
            return box


def _is_unreadable(characters: Sequence[_Character]) -> bool:
    """Whether the fonts do not say which characters their signs are."""
    written = [character.code for character in characters if character.code != 0x20]
    unknown = sum(code == 0xFFFD or code < 0x20 or 0xE000 <= code <= 0xF8FF for code in written)
    unknown -= sum(code in _HYPHENS for code in written)
    return unknown > _UNREADABLE_SHARE * len(written)


def _text(characters: Sequence[_Character], effort: Effort) -> tuple[str, list[Table]]:
    """The text of a page, the lines in the direction that most have, then those in others; and its tables."""
    quarters = Counter(character.quarter for character in characters if character.quarter != _ANY)
    parts: list[str] = []
    tables: list[Table] = []
    for quarter, _ in quarters.most_common():
        pieces = _pieces(characters, quarter)
        if quarter == _SLANTED_QUARTER:
            parts.append(" ".join(piece.text for piece in pieces))
        else:
            text, found = read_layout(pieces, effort)
            parts.append(text)
            tables += found
    return "\n".join(parts), tables


def _pieces(characters: Sequence[_Character], quarter: int) -> list[Piece]:
    pieces: list[Piece] = []
    space = False
    for number, character in enumerate(characters):
        if character.quarter == _ANY:
            space = True
            continue
        if character.quarter != quarter:
            continue
        left, bottom, right, top = character.box
        last = pieces[-1] if pieces else None
        if last is not None and ((quarter == _SLANTED_QUARTER and not space) or _goes_on(last, character.box)):
            if space or _is_apart(characters, number):
                last.words.append(Word(character.sign, left, right))
            else:
                last.words[-1].add(character.sign, left, right)
            last.left, last.right = min(last.left, left), max(last.right, right)
            last.bottom, last.top = min(last.bottom, bottom), max(last.top, top)
        else:
            pieces.append(
                Piece([Word(character.sign, left, right)], left, bottom, right, max(top, bottom + _THIN), number)
            )
        space = False
    for word in (word for piece in pieces for word in piece.words):
        # Characters beyond the first 65,536 come in two halves.
        word.text = word.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return pieces


def _goes_on(piece: Piece, box: tuple[float, float, float, float]) -> bool:
    """Whether a character belongs to the piece before it."""
    left, bottom, right, top = box
    height = min(piece.height, top - bottom) if top > bottom else piece.height
    gap = max(left - piece.right, piece.left - right)
    return (
        piece.on_height_of(bottom, max(top, bottom + _THIN), SAME_LINE)
        and gap < _WORD_GAP * height
        and (left >= piece.left or right <= piece.left + height)
    )


def _is_apart(characters: Sequence[_Character], number: int) -> bool:
    """Whether there is a gap before a character that is wider than those beside it, as between words."""
    before, after = characters[number - 1], characters[number]
    gap = _gap(before, after)
    if before.quarter != after.quarter or after.quarter == _SLANTED_QUARTER:
        return False
    if gap < _SPACE * (after.box[3] - after.box[1]):
        return False
    beside = (characters[number - 2 : number], characters[number : number + 2])
    return all(_gap(*pair) < gap / 2 for pair in beside if len(pair) == 2 and _ANY not in (c.quarter for c in pair))


def _gap(before: _Character, after: _Character) -> float:
    return max(after.box[0] - before.box[2], before.box[0] - after.box[2])


def _shows_something(page: Any, has_text: bool) -> bool:
    """Whether there are pictures over most of a page, or if it has no text, anything at all."""
    width, height = page.get_size()
    covered = 0.0
    for _, found in zip(range(_MOST_OBJECTS), page.get_objects(max_depth=3), strict=False):
        if found.type == raw.FPDF_PAGEOBJ_FORM:
            continue
        if not has_text:
            return True
        if found.type == raw.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = found.get_bounds()
            covered += (right - left) * (top - bottom)
    return bool(covered >= _PICTURE_SHARE * width * height)


def _field_values(page: Any, document: Any) -> list[str]:
    """The fields of a form that are filled in, as "name: value"."""
    if document.formenv is None:
        return []
    form, values = document.formenv.raw, []
    for index in range(min(raw.FPDFPage_GetAnnotCount(page.raw), _MOST_OBJECTS)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        if raw.FPDFAnnot_GetSubtype(annotation) == raw.FPDF_ANNOT_WIDGET:
            name, value = (
                _utf16(function, form, annotation)
                for function in (raw.FPDFAnnot_GetFormFieldName, raw.FPDFAnnot_GetFormFieldValue)
            )
            if value.strip() and value != "Off":
                values.append(f"{name}: {value}" if name else value)
        raw.FPDFPage_CloseAnnot(annotation)
    return values


def _utf16(function: Any, form: Any, annotation: Any) -> str:
    length = function(form, annotation, None, 0)
    buffer = ctypes.create_string_buffer(length)
    function(form, annotation, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")
