"""PPTX files: the texts of the slides, with the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterator

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.grids import piped, table_from
from hugginggpt.documents.model import Contents, Page
from hugginggpt.documents.office import Archive, Element, attribute, child, children, descendants, linked, local
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Table

_TITLES = frozenset({"title", "ctrTitle"})
_UNSEEN = frozenset({"sldNum", "sldImg"})
_MARGINS = frozenset({"dt", "ftr", "hdr"})
"""Placeholders of what may be on every slide: it is read once."""


def read(data: bytes, budget: Budget) -> Contents:
    """The text of a PPTX file, slide by slide.

    Raises:
        ContentProblem: it is damaged, protected or too large.
    """
    archive = Archive(data, budget, "a PPTX file")
    presentation, relations = archive.main_part("presentation")
    listed = [slide for slides in children(presentation) if local(slides) == "sldIdLst" for slide in slides]
    budget.pages(len(listed), "slide")
    reader = _Reader(archive, budget)
    pages: list[Page] = []
    hidden: list[int] = []
    for number, slide in enumerate(listed, start=1):
        relation = linked(slide, relations)
        text, is_shown = reader.slide(relation.target) if relation is not None else ("", True)
        if not is_shown:
            hidden.append(number)
        budget.spend_characters(len(text))
        pages.append(Page(text, mark=f"[slide {number}]" if number > 1 else ""))
    if not pages:
        raise ContentProblem("has no slides")
    notes = [f"has a hidden slide {number}, which is read, too" for number in hidden]
    if archive.has_macros:
        notes.append("has macros, which are left alone")
    return Contents(tuple(pages), tuple(reader.tables), notes=tuple(notes))


class _Reader:
    def __init__(self, archive: Archive, budget: Budget) -> None:
        self._archive = archive
        self._budget = budget
        self._margins: set[str] = set()
        self.tables: list[Table] = []

    def slide(self, part: str) -> tuple[str, bool]:
        """The text of a slide, its title first, and whether the slide is shown."""
        root = self._archive.root(part)
        if root is None:
            return "", True
        titles, rest = self._texts(root)
        for relation in self._archive.relations(part).values():
            if relation.kind == "notesSlide" and (notes := self._archive.root(relation.target)) is not None:
                spoken = "\n".join(text for texts in self._texts(notes) for text in texts)
                if spoken.strip():
                    rest.append(f"Notes: {spoken}")
        return "\n".join([*titles, *rest]), attribute(root, "show") not in ("0", "false")

    def _texts(self, root: Element) -> tuple[list[str], list[str]]:
        """The titles of a slide and its other texts."""
        titles: list[str] = []
        rest: list[str] = []
        for shape in _shapes(child(root, "cSld", "spTree")):
            kind = next((attribute(place, "type") for place in descendants(shape, "ph")), "")
            if kind in _UNSEEN or (kind in _MARGINS and self._is_known(shape)):
                continue
            if (table := next(descendants(shape, "tbl"), None)) is not None:
                rest.append(self._table(table))
            elif text := _paragraphs(shape):
                (titles if kind in _TITLES else rest).append(text)
        return titles, rest

    def _is_known(self, margin: Element) -> bool:
        """Whether a text in the margin was on a slide before, or is no text of the author's, such as today's date."""
        text = _paragraphs(margin)
        known = text in self._margins or next(descendants(margin, "fld"), None) is not None
        self._margins.add(text)
        return known

    def _table(self, table: Element) -> str:
        rows: list[list[str]] = []
        for row in table:
            if local(row) != "tr":
                continue
            cells: list[str] = []
            for cell in row:
                if local(cell) == "tc":
                    merged = attribute(cell, "vMerge") in ("1", "true") and rows and len(cells) < len(rows[-1])
                    cells.append(rows[-1][len(cells)] if merged else _paragraphs(cell))
            self._budget.spend_cells(len(cells))
            rows.append(cells)
        found, _, _ = table_from(rows)
        if found is not None and len(found.columns) > 1:
            self.tables.append(found)
        return piped(rows)


def _shapes(tree: Element | None) -> Iterator[Element]:
    """The shapes of a slide, also those in groups."""
    for shape in children(tree):
        match local(shape):
            case "grpSp":
                yield from _shapes(shape)
            case "sp" | "graphicFrame" | "cxnSp":
                yield shape
            case "AlternateContent":
                chosen = child(shape, "Choice")
                yield from _shapes(chosen if chosen is not None else child(shape, "Fallback"))


def _paragraphs(holder: Element) -> str:
    lines: list[str] = []
    for paragraph in descendants(holder, "p"):
        pieces: list[str] = []
        for part in (below for run in paragraph if local(run) != "pPr" for below in run.iter()):
            match local(part):
                case "t":
                    pieces.append(part.text or "")
                case "br":
                    pieces.append("\n")
                case "tab":
                    pieces.append("\t")
        if (text := "".join(pieces)).strip():
            lines.append(text)
    return "\n".join(lines)
