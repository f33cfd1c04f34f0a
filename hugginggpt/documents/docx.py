"""DOCX files: the words as a reader of the printed text sees them."""

from __future__ import annotations

from collections.abc import Iterator

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.docx_lists import Lists
from hugginggpt.documents.grids import piped, table_from
from hugginggpt.documents.model import Contents, Page
from hugginggpt.documents.office import Archive, Element, attribute, child, descendants, local, value
from hugginggpt.media.values import Table

_LEFT_OUT = frozenset(
    {
        "del",
        "moveFrom",
        "delText",
        "instrText",
        "pPr",
        "rPr",
        "sectPr",
        "tblPr",
        "tblGrid",
        "trPr",
        "tcPr",
        "sdtPr",
        "rt",
    }
)
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_SEPARATORS = ("separator", "continuationSeparator")


def read(data: bytes, budget: Budget) -> Contents:
    """The text of a DOCX file, in place of its page numbers and comments a note.

    Raises:
        ContentProblem: it is damaged, protected or too large.
    """
    return _Reader(Archive(data, budget, "a DOCX file"), budget).contents()


class _Reader:
    def __init__(self, archive: Archive, budget: Budget) -> None:
        self._budget = budget
        self._root, relations = archive.main_part("document")
        parts: dict[str, list[Element]] = {}
        for relation in dict.fromkeys(relations.values()):
            if relation.kind in ("header", "footer", "footnotes", "endnotes", "comments", "styles", "numbering"):
                root = archive.root(relation.target)
                parts.setdefault(relation.kind, []).extend([] if root is None else [root])
        self._parts = parts
        self._lists = Lists(*(next(iter(parts.get(kind, ())), None) for kind in ("styles", "numbering")))
        self._has_macros = archive.has_macros
        self._tables: list[Table] = []
        self._notes: list[tuple[str, str]] = []
        self._deleted = False

    def contents(self) -> Contents:
        body = child(self._root, "body")
        lines = list(self._blocks(body if body is not None else self._root))
        lines = [*self._margins("header"), *lines]
        lines += self._footnotes()
        lines += self._margins("footer")
        notes = []
        if any(True for root in self._parts.get("comments", ()) for _ in descendants(root, "comment")):
            notes.append("has comments, which are left out")
        if self._deleted:
            notes.append("has tracked changes: what was deleted is left out, what was inserted is read")
        if self._has_macros:
            notes.append("has macros, which are left alone")
        return Contents((Page("\n".join(lines)),), tuple(self._tables), notes=tuple(notes))

    def _margins(self, kind: str) -> list[str]:
        """The text of the headers or the footers, each once."""
        lines = ["\n".join(self._blocks(root)).strip() for root in self._parts.get(kind, ())]
        return list(dict.fromkeys(line for line in lines if line))

    def _footnotes(self) -> Iterator[str]:
        texts = {
            (kind, attribute(note, "id")): note
            for kind in ("footnotes", "endnotes")
            for root in self._parts.get(kind, ())
            for note in root
            if attribute(note, "type") not in _SEPARATORS
        }
        for number, key in enumerate(self._notes, start=1):
            if (note := texts.get(key)) is not None:
                yield f"[{number}] " + " ".join(" ".join(self._blocks(note)).split())

    def _blocks(self, parent: Element) -> Iterator[str]:
        """The paragraphs and tables in an element."""
        for block in parent:
            match local(block):
                case "p":
                    yield from self._paragraph(block)
                case "tbl":
                    yield from self._table(block)
                case "AlternateContent":
                    yield from self._blocks(_chosen(block))
                case name if name in _LEFT_OUT:
                    self._deleted |= name in ("del", "moveFrom")
                case _:
                    yield from self._blocks(block)

    def _paragraph(self, paragraph: Element) -> Iterator[str]:
        boxes: list[Element] = []
        text = "".join(self._inline(paragraph, boxes)).strip("\n")
        self._budget.spend_characters(len(text) + 1)
        mark = self._lists.mark(paragraph) if text.strip() else ""
        if text.strip():
            if self._lists.is_heading(paragraph):
                yield ""
            yield mark + text
        for box in boxes:
            yield from self._blocks(box)

    def _inline(self, parent: Element, boxes: list[Element]) -> Iterator[str]:
        """The texts in a paragraph; text boxes are put aside."""
        for part in parent:
            match local(part):
                case "t":
                    yield part.text or ""
                case "txbxContent":
                    boxes.append(part)
                case "AlternateContent":
                    yield from self._inline(_chosen(part), boxes)
                case "footnoteReference" | "endnoteReference" as name:
                    self._notes.append((name.replace("Reference", "s"), attribute(part, "id")))
                    yield f"[{len(self._notes)}]"
                case "r" if child(part, "rPr", "vanish") is not None and value(part, "rPr", "vanish") not in (
                    "0",
                    "false",
                ):
                    pass
                case name if name in _CHARACTERS:
                    yield _CHARACTERS[name]
                case name if name in _LEFT_OUT:
                    self._deleted |= name in ("del", "moveFrom")
                case _:
                    yield from self._inline(part, boxes)

    def _table(self, table: Element) -> Iterator[str]:
        rows: list[list[str]] = []
        for row in _rows(table):
            cells: list[str] = []
            for cell in _cells(row):
                merged = child(cell, "tcPr", "vMerge")
                goes_on = merged is not None and attribute(merged, "val") in ("", "continue")
                if goes_on and rows and len(cells) < len(rows[-1]):
                    text = rows[-1][len(cells)]
                else:
                    text = "\n".join(self._blocks(cell)).strip()
                span = value(cell, "tcPr", "gridSpan")
                width = min(int(span), 63) if span.isdecimal() else 1
                cells += [text] + [""] * (width - 1)
                self._budget.spend_cells(width)
            rows.append(cells)
        found, _, _ = table_from(rows)
        if found is not None and len(found.columns) > 1:
            self._tables.append(found)
        yield ""
        yield piped(rows)
        yield ""


def _chosen(alternatives: Element) -> Element:
    """The version of something that newer programs show."""
    choice = child(alternatives, "Choice")
    fallback = child(alternatives, "Fallback")
    return choice if choice is not None else fallback if fallback is not None else alternatives


def _rows(table: Element) -> Iterator[Element]:
    for part in table:
        if local(part) == "tr":
            properties = child(part, "trPr")
            if child(properties, "del") is None:
                yield part
        elif local(part) in ("sdt", "sdtContent", "ins", "customXml"):
            yield from _rows(part)


def _cells(row: Element) -> Iterator[Element]:
    for part in row:
        if local(part) == "tc":
            yield part
        elif local(part) in ("sdt", "sdtContent", "ins", "customXml"):
            yield from _cells(part)
