"""XLSX files: the values that their cells show. Formulas are never computed."""

from __future__ import annotations

import io
import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.grids import lines_of, table_from
from hugginggpt.documents.model import Contents, Page
from hugginggpt.documents.number_formats import BUILT_IN, general, shown
from hugginggpt.documents.office import (
    Archive,
    Element,
    attribute,
    check_prolog,
    child,
    children,
    descendants,
    linked,
    local,
)
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Table

_NAME = "an XLSX file"
_DAMAGED = f"is damaged and cannot be read as {_NAME}; save it again"
_CELL = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")
_MOST_MERGED = 10_000


def read(data: bytes, budget: Budget) -> Contents:
    """The sheets of an XLSX file, as text and as tables.

    Raises:
        ContentProblem: it is damaged, protected or too large.
    """
    archive = Archive(data, budget, _NAME)
    workbook, relations = archive.main_part("workbook")
    parts = {relation.kind: relation.target for relation in relations.values()}
    values = _Values(
        _shared_strings(archive, parts.get("sharedStrings", "")),
        _formats(archive.root(parts.get("styles", ""))),
        attribute(properties, "date1904") in ("1", "true")
        if (properties := child(workbook, "workbookPr")) is not None
        else False,
    )
    listed = [sheet for sheets in descendants(workbook, "sheets") for sheet in sheets]
    budget.pages(len(listed), "sheet")
    pages: list[Page] = []
    tables: list[Table] = []
    notes: list[str] = []
    for sheet in listed:
        name = attribute(sheet, "name")
        relation = linked(sheet, relations)
        content = archive.read(relation.target) if relation is not None and relation.kind == "worksheet" else None
        if content is None:
            notes.append(f'has a sheet "{name}" without cells, such as a chart')
            continue
        if attribute(sheet, "state") in ("hidden", "veryHidden"):
            notes.append(f'has a hidden sheet "{name}", which is read, too')
        rows = _rows(content, values, budget)
        table, titles, has_header = table_from(rows)
        if table is not None:
            tables.append(replace(table, name=name))
            notes += [f'has "{title}" above the table of sheet "{name}"' for title in titles]
            if not has_header:
                notes.append(f'has no names above the columns of sheet "{name}", so they are numbered')
        text = lines_of(rows)
        budget.spend_characters(len(text))
        pages.append(Page(text, mark=f"[sheet {name}]"))
    if not pages:
        raise ContentProblem("has no sheets with cells")
    if values.uncomputed:
        notes.append("has formulas without values, shown as they are; open and save it in a spreadsheet program")
    if archive.has_macros:
        notes.append("has macros, which are left alone")
    return Contents(tuple(pages), tuple(tables), notes=tuple(notes))


@dataclass
class _Values:
    """What is needed to show a cell's value."""

    strings: list[str]
    formats: list[str]
    from_1904: bool
    uncomputed: bool = field(default=False)

    def text(self, cell: Element) -> str:
        """What a cell shows."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return _string(child(cell, "is"))
        held = child(cell, "v")
        value = "" if held is None else held.text or ""
        if not value:
            formula = child(cell, "f")
            if formula is None or not formula.text or (kind == "str" and held is not None):
                return ""
            self.uncomputed = True
            return f"={formula.text}"
        match kind:
            case "s":
                return self.strings[int(value)] if value.isdecimal() and int(value) < len(self.strings) else ""
            case "b":
                return "TRUE" if value == "1" else "FALSE"
            case "n":
                return self._number(value, cell.get("s", "0"))
            case _:
                return value

    def _number(self, value: str, style: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        if not math.isfinite(number):
            return value
        code = self.formats[int(style)] if style.isdecimal() and int(style) < len(self.formats) else ""
        return shown(number, code, self.from_1904) if code else general(number)


def _shared_strings(archive: Archive, part: str) -> list[str]:
    return [_string(item) for item in children(archive.root(part))]


def _string(item: Element | None) -> str:
    """A text with runs, without the pronunciation that Japanese texts have."""
    texts: list[str] = []
    for part in children(item):
        if local(part) == "t":
            texts.append(part.text or "")
        elif local(part) == "r":
            texts += [run.text or "" for run in part if local(run) == "t"]
    return "".join(texts)


def _formats(styles: Element | None) -> list[str]:
    """The number format of each cell style."""
    own = {attribute(f, "numFmtId"): attribute(f, "formatCode") for f in children(child(styles, "numFmts"))}
    return [
        own.get(number) or BUILT_IN.get(int(number) if number.isdecimal() else 0, "")
        for style in children(child(styles, "cellXfs"))
        for number in (attribute(style, "numFmtId"),)
    ]


def _rows(content: bytes, values: _Values, budget: Budget) -> list[list[str]]:
    """The cells of a sheet, without its empty rows and columns."""
    check_prolog(content)
    cells: dict[int, dict[int, str]] = {}
    merged: list[str] = []
    try:
        for row, column, text in _cells(content, values, merged):
            budget.spend_cells(1)
            cells.setdefault(row, {})[column] = text
    except (ElementTree.ParseError, LookupError):
        raise ContentProblem(_DAMAGED) from None
    _fill(cells, merged)
    used = sorted({column for row in cells.values() for column in row})
    budget.spend_cells(len(used) * len(cells) - sum(map(len, cells.values())))
    return [[cells[row].get(column, "") for column in used] for row in sorted(cells)]


def _cells(content: bytes, values: _Values, merged: list[str]) -> Iterator[tuple[int, int, str]]:
    """The cells that hold something: row, column and text. Adds the ranges of merged cells to a list."""
    row, column = 0, 0
    for event, element in ElementTree.iterparse(io.BytesIO(content), events=("start", "end")):
        name = local(element)
        if event == "start":
            if name == "row":
                number = element.get("r", "")
                row, column = int(number) if number.isdecimal() else row + 1, 0
        elif name == "c":
            place = _CELL.fullmatch(element.get("r", ""))
            row, column = (int(place[2]), _column(place[1])) if place else (row, column + 1)
            if (text := values.text(element)).strip():
                yield row, column, text
            element.clear()
        elif name == "mergeCell":
            if len(merged) < _MOST_MERGED:
                merged.append(element.get("ref", ""))
        elif name == "row":
            element.clear()


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _fill(cells: dict[int, dict[int, str]], merged: list[str]) -> None:
    """Give every row of merged cells their value."""
    numbers = sorted(cells)
    for area in merged:
        first, _, last = area.partition(":")
        begin, end = _CELL.fullmatch(first), _CELL.fullmatch(last)
        if begin is None or end is None:
            continue
        top, column = int(begin[2]), _column(begin[1])
        text = cells.get(top, {}).get(column)
        if text is not None:
            # Only rows that are there: an area may be declared over a million.
            for row in numbers[bisect_right(numbers, top) : bisect_right(numbers, int(end[2]))]:
                cells[row].setdefault(column, text)
