"""OpenDocument texts, spreadsheets and presentations (ODT, ODS, ODP), and their templates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.grids import lines_of, piped, table_from
from hugginggpt.documents.model import PROTECTED, Contents, Page
from hugginggpt.documents.number_formats import general
from hugginggpt.documents.office import Archive, Element, attribute, child, children, descendants, local
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Table

_NAME = "an OpenDocument file"
_LEFT_OUT = frozenset({"tracked-changes", "annotation", "annotation-end", "forms", "sequence-decls", "desc", "title"})
_UNSEEN = frozenset({"page-number", "date-time", "header"})
"""Placeholders of what is no text of the author's."""
_MACROS = ("Basic/", "Scripts/")
_LISTS_OF_MACROS = ("/", "script-lb.xml", "script-lc.xml")
_MOST_REPEATED = 10_000
_MOST_SPACES = 100
_COMMENTS = "has comments, which are left out"


def read(data: bytes, budget: Budget) -> Contents:
    """The text of a document, the sheets of a spreadsheet, or the slides of a presentation.

    Raises:
        ContentProblem: it is damaged, protected or too large.
    """
    archive = Archive(data, budget, _NAME)
    manifest = archive.root("META-INF/manifest.xml")
    if manifest is not None and next(descendants(manifest, "encryption-data"), None) is not None:
        raise ContentProblem(PROTECTED)
    content = archive.required("content.xml")
    reader = _Reader(budget)
    if (spreadsheet := child(content, "body", "spreadsheet")) is not None:
        found = reader.sheets([sheet for sheet in spreadsheet if local(sheet) == "table"])
    elif (presentation := child(content, "body", "presentation")) is not None:
        found = reader.slides(presentation, child(content, "automatic-styles"))
    else:
        found = reader.document(child(content, "body", "text"), archive.root("styles.xml"))
    if any(name.startswith(_MACROS) and not name.endswith(_LISTS_OF_MACROS) for name in archive.names):
        return replace(found, notes=(*found.notes, "has macros, which are left alone"))
    return found


class _Reader:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._tables: list[Table] = []
        self._footnotes: list[str] = []
        self._left_out: set[str] = set()

    def document(self, body: Element | None, styles: Element | None) -> Contents:
        """A text, between the headers and the footers of its styles."""
        lines = [*self._margins(styles, "header"), *self._blocks(body, 0)]
        lines += (f"[{n}] {text}" for n, text in enumerate(self._footnotes, start=1))
        lines += self._margins(styles, "footer")
        notes = []
        if "annotation" in self._left_out:
            notes.append(_COMMENTS)
        if "tracked-changes" in self._left_out:
            notes.append("has tracked changes: what was deleted is left out, what was inserted is read")
        return Contents((Page("\n".join(lines)),), tuple(self._tables), notes=tuple(notes))

    def _margins(self, styles: Element | None, kind: str) -> list[str]:
        """The text of the headers or the footers, each once."""
        masters = child(styles, "master-styles")
        found = (margin for master in children(masters) for margin in master if local(margin).startswith(kind))
        lines = ["\n".join(self._blocks(margin, 0)).strip() for margin in found]
        return list(dict.fromkeys(line for line in lines if line))

    def sheets(self, listed: list[Element]) -> Contents:
        """A spreadsheet."""
        self._budget.pages(len(listed), "sheet")
        pages, notes = [], []
        for sheet in listed:
            name = attribute(sheet, "name")
            rows = self._rows(sheet)
            table, titles, has_header = table_from(rows)
            if table is not None:
                self._tables.append(replace(table, name=name))
                notes += [f'has "{title}" above the table of sheet "{name}"' for title in titles]
                if not has_header:
                    notes.append(f'has no names above the columns of sheet "{name}", so they are numbered')
            text = lines_of(rows)
            self._budget.spend_characters(len(text))
            pages.append(Page(text, mark=f"[sheet {name}]"))
        if not pages:
            raise ContentProblem("has no sheets")
        return Contents(tuple(pages), tuple(self._tables), notes=tuple(notes))

    def slides(self, presentation: Element, styles: Element | None) -> Contents:
        """A presentation, with the speaker's notes."""
        listed = [page for page in presentation if local(page) == "page"]
        self._budget.pages(len(listed), "slide")
        footers = {attribute(part, "name"): part for part in presentation if local(part) == "footer-decl"}
        unseen = {
            attribute(style, "name")
            for style in children(styles)
            if any(attribute(part, "visibility") == "hidden" for part in style)
        }
        pages, notes = [], []
        for number, page in enumerate(listed, start=1):
            lines = self._slide(page)
            footer = footers.pop(attribute(page, "use-footer-name"), None)  # it may be on every slide
            lines += ["".join(self._inline(footer, [])).strip()] if footer is not None else []
            pages.append(Page("\n".join(filter(None, lines)), mark=f"[slide {number}]" if number > 1 else ""))
            if attribute(page, "style-name") in unseen:
                notes.append(f"has a hidden slide {number}, which is read, too")
        if not pages:
            raise ContentProblem("has no slides")
        if "annotation" in self._left_out:
            notes.append(_COMMENTS)
        return Contents(tuple(pages), tuple(self._tables), notes=tuple(notes))

    def _slide(self, page: Element) -> list[str]:
        """The texts of a slide, its title first, the notes last."""
        titles: list[str] = []
        rest: list[str] = []
        spoken: list[str] = []
        for shape in page:
            kind = attribute(shape, "class")
            if kind in _UNSEEN:
                continue
            if local(shape) in _LEFT_OUT:
                self._left_out.add(local(shape))
                continue
            if local(shape) == "notes":
                said = [self._written_in(part) for part in shape if attribute(part, "class") in ("notes", "")]
                spoken += [f"Notes: {text}" for text in said if text]
            else:
                (titles if kind == "title" else rest).append(self._written_in(shape))
        return [*titles, *rest, *spoken]

    def _written_in(self, shape: Element) -> str:
        return "\n".join(line for line in self._blocks(shape, 0) if line.strip())

    def _blocks(self, parent: Element | None, depth: int) -> Iterator[str]:
        for block in children(parent):
            match local(block):
                case "p" | "h" as name:
                    boxes: list[Element] = []
                    text = "".join(self._inline(block, boxes))
                    self._budget.spend_characters(len(text) + 1)
                    if name == "h":
                        yield ""
                    yield text
                    for box in boxes:
                        yield from self._blocks(box, depth)
                case "list":
                    yield from self._blocks(block, depth + 1)
                case "list-item":
                    first = True
                    for line in self._blocks(block, depth):
                        yield ("  " * (depth - 1) + "- " if first and not line.lstrip().startswith("- ") else "") + line
                        first = False
                case "table":
                    rows = self._rows(block)
                    found, _, _ = table_from(rows)
                    if found is not None and len(found.columns) > 1:
                        self._tables.append(found)
                    yield from ("", piped(rows), "")
                case name if name in _LEFT_OUT:
                    self._left_out.add(name)
                case _:
                    yield from self._blocks(block, depth)

    def _inline(self, parent: Element, boxes: list[Element]) -> Iterator[str]:
        yield parent.text or ""
        for part in parent:
            match local(part):
                case "s":
                    count = attribute(part, "c")
                    yield " " * (min(int(count), _MOST_SPACES) if count.isdecimal() else 1)
                case "tab":
                    yield "\t"
                case "line-break":
                    yield "\n"
                case "text-box":
                    boxes.append(part)
                case "note":
                    self._footnotes.append(" ".join(" ".join(self._blocks(child(part, "note-body"), 0)).split()))
                    yield f"[{len(self._footnotes)}]"
                case name if name in _LEFT_OUT:
                    self._left_out.add(name)
                case _:
                    yield from self._inline(part, boxes)
            yield part.tail or ""

    def _rows(self, table: Element) -> list[list[str]]:
        """The rows of a table, without the empty ones that fill its end."""
        rows: list[list[str]] = []
        for row in _below(table, "table-row"):
            cells: list[str] = []
            for cell in _below(row, "table-cell", "covered-table-cell"):
                cells += [self._cell(cell)] * _repeated(cell, "number-columns-repeated")
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                times = _repeated(row, "number-rows-repeated")
                self._budget.spend_cells(len(cells) * times)
                rows += [cells] * times
        return rows

    def _cell(self, cell: Element) -> str:
        kind = attribute(cell, "value-type")
        if kind == "date":
            return attribute(cell, "date-value").replace("T00:00:00", "").replace("T", " ")
        shown = "\n".join(self._blocks(cell, 0)).strip()
        if kind == "float" and not (shown.startswith("0") and shown.isdecimal()):
            try:
                return general(float(attribute(cell, "value")))
            except (ValueError, OverflowError):
                return shown
        return shown


def _below(parent: Element, *names: str) -> Iterator[Element]:
    """Elements below another one, also in groups of them."""
    for part in parent:
        if local(part) in names:
            yield part
        elif local(part) in ("table-header-rows", "table-row-group", "table-rows", "table-header-columns"):
            yield from _below(part, *names)


def _repeated(element: Element, name: str) -> int:
    text = attribute(element, name)
    return min(int(text), _MOST_REPEATED) if text.isdecimal() and len(text) < 9 else 1
