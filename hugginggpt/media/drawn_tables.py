"""Tables that are drawn with characters: Markdown, what databases and terminals print, SAP's lists.

A rule, which is a line of dashes, is below the names of the columns. Cells are between bars, or else in columns of
fixed width. There may be sentences around the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hugginggpt.media.csv_dialects import Record
from hugginggpt.media.problem import ContentProblem

_BOXES = str.maketrans(
    {
        **dict.fromkeys("│┃║┆┇┊┋╎╏¦", "|"),
        **dict.fromkeys("─━┄┅┈┉╌╍", "-"),
        "═": "=",
        **{chr(corner): "+" for corner in (*range(0x250C, 0x254C), *range(0x2552, 0x2571))},
    }
)
"""Characters that boxes are drawn with, and those that stand for them in ASCII."""
_SIGN = re.compile(r"[-=─━═]{2}|\|[ \t]*:?-|\A\s*\|")
_LINE_END = re.compile(r"\r\n?|\n")
_RULE = re.compile(r"[-=|+: \t]*[-=][-=|+: \t]*")
_PIECE = re.compile(r":?-+:?|=+")
_BAR_OR_CORNER = re.compile(r"[|+]")
_COLUMNS = re.compile(r"-+(?: +-+)+|==+(?: +==+)+")
_RUN = re.compile(r"[-=]+")
_LEAST_DASHES = 4
_BAR = re.compile(r"(?<!\\)\|")
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|`|~~)(?! )([^*_`~]+)(?<! )\1")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


@dataclass(frozen=True)
class _Line:
    """A line of a text.

    Attributes:
        number: as an editor counts.
        text: without spaces at its end, boxes in ASCII.
        quotes: how many double quotes there are before it.
        is_rule: it holds nothing but dashes, and what divides them.
    """

    number: int
    text: str
    quotes: int
    is_rule: bool

    @property
    def is_row(self) -> bool:
        """Whether it may be a row of a table."""
        return bool(self.text) and not self.is_rule

    @property
    def is_bounded(self) -> bool:
        """Whether there is a bar at both of its ends."""
        text = self.text.strip()
        return len(text) > 1 and text[0] == text[-1] == "|"


_Rows = list[tuple[_Line, list[str]]]


def drawn_table(content: str) -> list[Record] | None:
    """The rows of the table that is drawn in a text, that with the names first; None if there is none.

    Raises:
        ContentProblem: there are several with different columns.
    """
    if not _SIGN.search(content):
        return None
    lines = _lines(content)
    tables: list[_Rows] = []
    at = 1
    while at < len(lines):
        found, at = _below_names(lines, at) if lines[at].is_rule else (None, at + 1)
        if found is None:
            continue
        if tables and [cells for _, cells in tables[-1][:1]] == [cells for _, cells in found[:1]]:
            tables[-1] += found[1:]  # a list repeats its head on each of its pages
        else:
            tables.append(found)
    if not tables and (rows := _between_bars(lines)) is not None:
        tables.append(rows)
    if len(tables) > 1:
        raise ContentProblem(f"holds {len(tables)} tables; give a file with only the one that is meant")
    return [_record(line, cells) for line, cells in tables[0]] if tables else None


def _lines(content: str) -> list[_Line]:
    lines: list[_Line] = []
    quotes = 0
    for number, raw in enumerate(_LINE_END.split(content), start=1):
        text = (raw if raw.isascii() else raw.translate(_BOXES)).rstrip()
        lines.append(_Line(number, text, quotes, bool(_RULE.fullmatch(text))))
        quotes += text.count('"')
    # A table within a cell of a CSV file is none of its own.
    return [
        _Line(line.number, line.text, line.quotes, False)
        if line.is_rule and line.quotes % 2 and (quotes - line.quotes) % 2
        else line
        for line in lines
    ]


def _record(line: _Line, cells: Sequence[str]) -> Record:
    return Record(tuple(cells), line.number, line.number, 0, not any(cells))


def _below_names(lines: Sequence[_Line], at: int) -> tuple[_Rows | None, int]:
    """The table whose names are above this rule, and the position after it."""
    if _COLUMNS.fullmatch(lines[at].text.strip()):
        return _in_columns(lines, at)
    first = at
    while first > 0 and lines[first - 1].is_row and "|" in lines[first - 1].text:
        first -= 1
    has_top = first > 0 and lines[first - 1].is_rule
    names = lines[first if has_top else max(first, at - 1) : at]
    form = _form_of(lines[at].text, names[-1]) if names else None
    if form is None:
        return None, at + 1
    end = at + 1
    while end < len(lines) and (lines[end].is_rule or "|" in lines[end].text):
        end += 1
    body = lines[at + 1 : end]
    if has_top and not any(line.is_row for line in body):
        names, body = names[:1], names[1:]  # the only rules are those around all of it
    found = _rows(form, names, body)
    return (found, end) if found is not None else (None, at + 1)


def _rows(form: _Form, names: Sequence[_Line], body: Sequence[_Line]) -> _Rows | None:
    """The names and the rows of a table with bars; None if no row has this form."""
    heads = [cells for line in names if len(cells := form.cells(line.text)) == form.width]
    groups: list[_Rows] = [[]]
    for line in body:
        if line.is_rule:
            groups.append([])
        else:
            groups[-1].append((line, form.cells(line.text)))
    groups = [group for group in groups if group]
    if not heads or not any(len(cells) == form.width for group in groups for _, cells in group):
        return None
    if form.has_double_rule and len(groups) > 1 and all(_is_wrapped(group) for group in groups):
        groups = [[(group[0][0], _joined([cells for _, cells in group], "\n"))] for group in groups]
    header = _joined(heads, " ")
    rows = [row for group in groups for row in group if row[1] != header]
    return [(names[-1], header), *((line, cells + [""] * (form.width - len(cells))) for line, cells in rows)]


def _is_wrapped(group: _Rows) -> bool:
    """Whether the lines between two rules may be those of one row."""
    width = len(group[0][1])
    return all(len(cells) == width and not all(cells) for _, cells in group[1:])


def _joined(lines: Sequence[Sequence[str]], by: str) -> list[str]:
    return [by.join(filter(None, cells)) for cells in zip(*lines, strict=True)]


@dataclass(frozen=True)
class _Form:
    """How the cells of a table with bars are divided.

    Attributes:
        width: the number of columns.
        begins: each row begins with a bar.
        marks: where the bars are, if the rule says it.
        is_markdown: a bar in a cell is written with a backslash, and there may be emphasis.
        has_double_rule: the names are underlined twice, so that single rules are between rows.
    """

    width: int
    begins: bool
    marks: tuple[int, ...]
    is_markdown: bool
    has_double_rule: bool

    def cells(self, text: str) -> list[str]:
        """The cells of a row."""
        row = text.strip()
        cells = _BAR.split(row) if self.is_markdown else row.split("|")
        if row.startswith("|") and (self.begins or len(cells) > self.width):
            cells = cells[1:]
        if len(cells) > self.width and not cells[-1].strip():
            cells = cells[:-1]
        if len(cells) != self.width and self.marks and all(text[at : at + 1] == "|" for at in self.marks):
            places = (-1, *self.marks, len(text))
            at_marks = [text[before + 1 : after] for before, after in pairwise(places)]
            inside, after = at_marks[self.begins :][: self.width], at_marks[self.begins + self.width :]
            cells = cells if "".join(after).strip() else inside
        return [_shown(cell) if self.is_markdown else cell.strip() for cell in cells]


def _form_of(line: str, names: _Line) -> _Form | None:
    """The form that a rule shows, and the line of names above it; None if this is no table."""
    rule = line.strip()
    begins = names.text.lstrip().startswith("|")
    pieces = _BAR_OR_CORNER.split(rule)
    pieces = pieces[not pieces[0].strip() : len(pieces) - (not pieces[-1].strip())]
    if not all(_PIECE.fullmatch(piece.strip()) for piece in pieces) or ("=" in rule and "|" in rule):
        return None
    is_markdown = "|" in rule and "+" not in rule
    if len(pieces) > 1:
        indent = len(line) - len(line.lstrip())
        marks = tuple(indent + at for at, character in enumerate(rule) if character in "|+")
        return _Form(len(pieces), begins, marks, is_markdown, "=" in rule)
    # The rule is below all columns, so only bars around the names tell that they are some.
    if not names.is_bounded or len(rule) < _LEAST_DASHES:
        return None
    width = names.text.count("|") - 1
    return _Form(width, begins, (), is_markdown and width == 1, "=" in rule)


def _shown(cell: str) -> str:
    """What is seen of a cell of Markdown."""
    text = _BREAK.sub(" ", cell).strip()
    while (found := _EMPHASIS.fullmatch(text)) is not None:
        text = found[2]
        if found[1] == "`":
            return text
    return _ESCAPED.sub(r"\1", text)


def _in_columns(lines: Sequence[_Line], at: int) -> tuple[_Rows | None, int]:
    """The table whose columns have the width of the dashes in this rule, and the position after it.

    Texts reach beyond the dashes at their right, numbers at their left, so the columns are divided in between, where
    all rows have a space.
    """
    runs = [match.span() for match in _RUN.finditer(lines[at].text)]
    if sum(end - begin for begin, end in runs) < _LEAST_DASHES:
        return None, at + 1
    gaps = [[*range(before[1], after[0])] for before, after in pairwise(runs)]
    body: list[_Line] = []
    for line in (*lines[at - 1 : at], *_until_blank(lines, at + 1)):
        left = [[place for place in gap if line.text[place : place + 1] in ("", " ")] for gap in gaps]
        if not all(left):
            break
        gaps = left
        body.append(line)
    if len(body) < 2 or not lines[at - 1].is_row:
        return None, at + 1
    places = (0, *(gap[-1] for gap in gaps), None)
    rows = [(line, [line.text[a:b].strip() for a, b in pairwise(places)]) for line in body]
    end = at + len(body)
    while end < len(lines) and lines[end].is_rule:
        end += 1
    return [rows[0], *(row for row in rows[1:] if row[1] != rows[0][1])], end


def _until_blank(lines: Sequence[_Line], start: int) -> Iterator[_Line]:
    for line in lines[start:]:
        if not line.is_row:
            return
        yield line


def _between_bars(lines: Sequence[_Line]) -> _Rows | None:
    """The rows of a text in which each line begins and ends with a bar, as in Jira and Confluence."""
    filled = [line for line in lines if line.text]
    if len(filled) < 2 or not all(line.is_bounded for line in filled):
        return None
    rows = [(line, [cell.strip() for cell in line.text.strip()[1:-1].split("|")]) for line in filled]
    head = filled[0].text.strip()
    if head.startswith("||") and head.endswith("||"):
        rows[0] = (filled[0], [cell.strip() for cell in head[2:-2].split("||")])
    return rows if len({len(cells) for _, cells in rows}) == 1 else None
