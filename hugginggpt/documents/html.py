"""HTML: the text that a browser shows."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PageElement, PreformattedString

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.charsets import Decoder
from hugginggpt.documents.grids import piped, table_from
from hugginggpt.documents.model import Contents, Page
from hugginggpt.media import texts
from hugginggpt.media.values import Table

_UNSEEN = frozenset((
    "title", "script", "style", "template", "noscript", "object", "embed", "iframe", "svg", "math", "canvas", "audio",
    "video", "select", "datalist", "rt", "rp", "noframes",
))  # fmt: skip
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup",
    "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "ul",
))  # fmt: skip
_APART = frozenset(["h1", "h2", "h3", "h4", "h5", "h6", "p", "table", "ul", "ol", "pre", "blockquote", "hr"])
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_CELLS = ("td", "th")
_MOST_SPAN = 100


def read(data: bytes, budget: Budget) -> Contents:
    """The text and the tables of a web page, its title first.

    Raises:
        ContentProblem: there is too much in it.
    """
    reader = Reader(budget)
    markup = texts.decoded(data)
    text = reader.text(markup.text)
    return Contents((Page(text),), tuple(reader.tables), notes=tuple(filter(None, [markup.note])))


class Reader:
    """Takes the text out of HTML and keeps the tables that it meets.

    Attributes:
        tables: the tables so far.
        decoder: for HTML that comes as bytes within another document.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.decoder = Decoder()
        self.tables: list[Table] = []

    def text(self, markup: str, titled: bool = True) -> str:
        """The text of a page or a part of one.

        Args:
            markup: HTML.
            titled: the title comes first, if the text does not begin with it.
        """
        soup = BeautifulSoup(markup, "html.parser")
        lines = _Lines(self._budget)
        self._read(soup, lines)
        body = lines.text()
        title = "" if soup.title is None or not titled else " ".join(soup.title.get_text().split())
        return body if not title or body.split("\n", 1)[0] == title else f"{title}\n\n{body}".strip()

    def _read(self, root: Tag, lines: _Lines, beyond: Container[str] = ()) -> None:
        """Read all that is in an element, but not what is in elements `beyond` it that only seem to be."""
        # A stack instead of recursion: in bad HTML, thousands of elements are nested.
        stack: list[Iterator[PageElement]] = [iter(root.contents)]
        ends: list[Tag | None] = [None]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                if (ended := ends.pop()) is not None:
                    lines.end(ended)
            elif isinstance(node, NavigableString):
                if not isinstance(node, PreformattedString):
                    lines.add(str(node))
            elif isinstance(node, Tag) and node.name not in beyond and not _is_hidden(node):
                if node.name == "table" and (rows := self._data(node)) is not None:
                    lines.block(rows)
                    continue
                lines.begin(node)
                stack.append(iter(node.contents))
                ends.append(node)

    def _data(self, table: Tag) -> str | None:
        """The lines of a table of data, which is kept; None for a table that only arranges a page."""
        if table.find("table") is not None:
            return None
        rows: list[list[str]] = []
        below: dict[int, tuple[int, str]] = {}
        for row in table.find_all("tr"):
            if _is_hidden(row):
                continue
            cells: list[str] = []
            for cell in row.find_all(_CELLS):
                # Rows and cells need no end tags; the parser takes the next ones for parts of them.
                if cell.find_parent("tr") is not row:
                    break
                _spanned(cells, below)
                inner = _Lines(self._budget)
                self._read(cell, inner, beyond=("tr", *_CELLS))
                text = " ".join(inner.text().split())
                if (down := _span(cell, "rowspan")) > 1:
                    below[len(cells)] = (down, text)
                across = _span(cell, "colspan")
                self._budget.spend_cells(across)
                cells += [text] + [""] * (across - 1)
            _spanned(cells, below)
            if cells:
                rows.append(cells)
            below = {column: (left - 1, text) for column, (left, text) in below.items() if left > 1}
        if max(map(len, rows), default=0) < 2 or len(rows) < 2:
            return None
        found, _, _ = table_from(rows)
        if found is not None:
            self.tables.append(found)
        caption = table.find("caption")
        title = [" ".join(caption.get_text().split())] if isinstance(caption, Tag) else []
        return "\n".join([*title, piped(rows)])


def _spanned(cells: list[str], below: dict[int, tuple[int, str]]) -> None:
    """Add the cells of earlier rows that reach down to here."""
    while (found := below.get(len(cells))) is not None and found[0] > 0:
        cells.append(found[1])


class _Lines:
    """Puts text on lines as a browser does."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._lines: list[str] = []
        self._current = self._mark = ""
        self._preformatted = 0
        self._lists: list[int | None] = []

    def text(self) -> str:
        """Everything so far."""
        self._break()
        return "\n".join(self._lines).strip("\n")

    def add(self, text: str) -> None:
        """Add characters to the line."""
        self._budget.spend_characters(len(text))
        if self._preformatted:
            *lines, self._current = (self._current + text).split("\n")
            self._lines += lines
            return
        plain = _SPACES.sub(" ", text)
        if not self._current or self._current.endswith(" "):
            plain = plain.lstrip(" ")
        if plain:
            self._current += self._mark + plain
            self._mark = ""

    def block(self, text: str) -> None:
        """Add lines, apart from others."""
        self._apart()
        self._lines += text.split("\n")
        self._apart()

    def begin(self, tag: Tag) -> None:
        """An element begins."""
        if tag.name == "br":
            self._lines.append(self._current.rstrip())
            self._current = ""
        if tag.name in _BLOCKS:
            self._break()
        if tag.name in _APART and not self._lists:
            self._apart()
        match tag.name:
            case "pre" | "textarea":
                self._preformatted += 1
            case "ol":
                start = str(tag.get("start", "1"))
                self._lists.append(int(start) if start.isdecimal() and len(start) < 9 else 1)
            case "ul" | "menu":
                self._lists.append(None)
            case "li":
                self._item(tag)
            case "td" | "th" if self._lines or self._current:
                self._break()
            case "img" | "area" if alternative := str(tag.get("alt") or "").strip():
                self.add(f" {alternative} ")
            case "input" if str(tag.get("type", "text")).lower() in ("text", "submit", "button", "email", "number"):
                self.add(str(tag.get("value") or ""))

    def end(self, tag: Tag) -> None:
        """An element ends."""
        if tag.name in _BLOCKS:
            self._break()
        match tag.name:
            case "pre" | "textarea":
                self._preformatted -= 1
            case "ol" | "ul" | "menu" if self._lists:
                self._lists.pop()
            case "li":
                self._mark = ""
        if tag.name in _APART and not self._lists:
            self._apart()

    def _item(self, tag: Tag) -> None:
        indent = "  " * max(0, len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        self._mark = f"{indent}- " if number is None else f"{indent}{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def _break(self) -> None:
        if self._current.strip():
            self._lines.append(self._current.rstrip())
        self._current = ""

    def _apart(self) -> None:
        self._break()
        if self._lines and self._lines[-1]:
            self._lines.append("")


def _is_hidden(tag: Tag) -> bool:
    return tag.name in _UNSEEN or tag.has_attr("hidden") or _HIDDEN.search(str(tag.get("style") or "")) is not None


def _span(cell: Tag, name: str) -> int:
    text = str(cell.get(name) or "1")
    return max(1, min(int(text), _MOST_SPAN)) if text.isascii() and text.isdecimal() and len(text) < 9 else 1
