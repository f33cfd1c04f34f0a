"""How a CSV file is written: its separator, its quotes, and what stands above its header.

Files follow no standard in this. Each way of reading quotes is tried in turn, and the first one under which all rows
have the same width is right.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from hugginggpt.media.numbers import is_missing, is_number
from hugginggpt.media.problem import ContentProblem

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE_ROWS = 50
_SAMPLE_CHARS = 1 << 18
_MOST_TITLES = 8
_MOSTLY = 0.8  # of the rows: those that do not fit are named when the table is read
_EMPTY_LINES = re.compile(r"[\r\n]+")
_LINE_END = re.compile(r"\r\n?|\n")
_DECLARED = re.compile(r"sep=([^\w\s\"]|\t)[ \t]*(?=\r\n?|\n)", re.IGNORECASE)
_CUT_IN_QUOTES = "unexpected end of data"  # what `csv` says of it
_YEAR = re.compile(r"(?:1[89]|2[01])\d\d")
_AS_TEXT = re.compile(r'="((?:[^"]|"")*+)"')
"""How a CSV file says to a spreadsheet program that a cell is a text, although it looks like a number."""


class Record(NamedTuple):
    """A row as it stands in the file.

    Attributes:
        line: the line that it begins in, as an editor counts them.
        last_line: the line that it ends in.
        spare: how many of its last cells are empty and have no quotes, after separators at the end of the line.
        bare: the line holds nothing but separators and spaces.
    """

    cells: tuple[str, ...]
    line: int
    last_line: int
    spare: int
    bare: bool


Reader = Callable[[], Iterator[Record]]
_Way = Callable[[str, str, int], Iterator[Record]]
"""Takes the file, its separator and the place where its rows begin."""


class WrongReading(ContentProblem):
    """This way of reading the file does not fit it; another may."""


def readers(content: str) -> list[Reader]:
    """The ways to read a CSV file with its separator, the likeliest first. Records may raise `ContentProblem`."""
    begin, separator = 0, ""
    if declared := _DECLARED.match(content):
        begin, separator = declared.end(), declared[1]
    separator = separator or _separator(content)
    ways: list[_Way] = [_strict, _by_line, _loose]
    if re.search(rf'{re.escape(separator)} +"[^"]', content):
        ways.insert(0, _spaced)
    elif '\\"' in content and separator != "\\":
        ways.insert(1, _escaped)
    elif separator == "\t" and _is_plain(content):
        ways[:2] = [_by_line, _strict]
    found: list[Reader] = [partial(way, content, separator, begin) for way in ways]
    return [partial(_bared, way) for way in found] if '="' in content else found


def as_text(cell: str) -> str:
    """A cell as it has to be written so that it is read as it is: what looks like a protected text is protected."""
    return '="{}"'.format(cell.replace('"', '""')) if _protected(cell) else cell


def _bared(reader: Reader) -> Iterator[Record]:
    """The records with the texts in cells such as `="00123"`. Other formulas are left alone."""
    for record in reader():
        yield record._replace(cells=tuple(map(_bare, record.cells)))


def _bare(cell: str) -> str:
    found = _protected(cell)
    return cell if found is None else found[1].replace('""', '"')


def _protected(cell: str) -> re.Match[str] | None:
    return _AS_TEXT.fullmatch(cell.strip(" ")) if '="' in cell else None


def header_at(head: Sequence[Record]) -> int:
    """The position of the header among the first records of a file: what stands above it is a title.

    A header has several names, none of them a number, and the rows below are as wide as it is.
    """
    if _filled(head[0]) > 1 and not head[0].spare and _mostly_fit(head[1:], head[0]):
        return 0
    for at in range(1, min(_MOST_TITLES, len(head) - 1)):
        above, header, body = head[:at], head[at], head[at + 1 :]
        if not (_is_header(header) and all(_is_title(row, header) for row in above) and _mostly_fit(body, header)):
            continue
        apart = header.line > above[-1].last_line + 1
        numbers = any(is_number(cell) for row in body for cell in row.cells)
        single = all(_filled(row) == 1 for row in above)
        if apart or numbers or (single and (any(row.spare for row in above) or not _is_prose([header, *body]))):
            return at
    return 0


def _is_title(record: Record, header: Record) -> bool:
    return not _fits(record, header) or (record.spare > 0 and _filled(record) < _filled(header))


def _mostly_fit(body: Sequence[Record], header: Record) -> bool:
    return sum(_fits(row, header) for row in body) >= _MOSTLY * len(body)


def _is_header(record: Record) -> bool:
    names = [cell.strip() for cell in record.cells if cell.strip()]
    plain = (_YEAR.fullmatch(name) or not (is_number(name) or is_missing(name)) for name in names)
    return len(names) > 1 and len({*names}) == len(names) and all(plain)


def _is_prose(records: Sequence[Record]) -> bool:
    """Whether every separator is followed by a space, as in a sentence."""
    return all(cell.startswith(" ") for record in records for cell in record.cells[1:])


def _filled(record: Record) -> int:
    return sum(bool(cell.strip()) for cell in record.cells)


def _fits(record: Record, header: Record) -> bool:
    """Whether they have the same width, when empty cells at their ends do not count."""
    widths = [(len(r.cells) - r.spare, len(r.cells)) for r in (record, header)]
    return max(least for least, _ in widths) <= min(most for _, most in widths)


# The ways to read quotes


def _csv(content: str, separator: str, begin: int, **options: Any) -> Iterator[Record]:
    lines = io.StringIO(content, newline="")
    lines.seek(begin)
    last = ""

    def read_on() -> Iterator[str]:
        nonlocal last
        for line in lines:
            last = line
            yield line

    skipped = _lines_in(content[:begin])
    reader = csv.reader(read_on(), delimiter=separator, **options)
    line = 1 + skipped
    try:
        for row in reader:
            end = reader.line_num + skipped
            if row and not (len(row) == 1 and last.isspace()):
                bare = last.rstrip("\r\n")
                spare = len(bare) - len(bare.rstrip(separator))
                yield Record(tuple(row), line, end, min(spare, len(row) - 1), not bare.strip(separator + " \t"))
            elif empty := _EMPTY_LINES.match(content, lines.tell()):
                # The reader would skip them one by one.
                skipped += _lines_in(empty.group())
                lines.seek(empty.end())
            line = reader.line_num + skipped + 1
    except csv.Error as error:
        at = reader.line_num + skipped
        problem = f"cannot be read as CSV: {error} in line {at or 1}"
        raise (WrongReading if "limit" not in str(error) or separator == "\t" else ContentProblem)(problem) from None


_strict = partial(_csv, strict=True)
_spaced = partial(_csv, strict=True, skipinitialspace=True)
_escaped = partial(_csv, strict=True, doublequote=False, escapechar="\\")
_loose = partial(_csv, strict=False)


def _by_line(content: str, separator: str, begin: int) -> Iterator[Record]:
    """Quotes count only where they enclose a whole cell of one line; every other quote is a character."""
    mark = re.escape(separator)
    end = rf"(?={mark}|\Z)"
    inside = '[^"\\t]' if separator == "\t" else '[^"]'
    cell = re.compile(rf'(?:"((?:{inside}|"")*+)"{end}|"([^{mark}]*)"{end}|([^{mark}]*))(?:{mark}|\Z)')
    limit = csv.field_size_limit()
    lines = io.StringIO(content, newline="")
    lines.seek(begin)
    for number, ended in enumerate(lines, start=1 + _lines_in(content[:begin])):
        line = ended.rstrip("\r\n")
        if not line.strip():
            continue
        if '"' in line:
            cells = tuple(_unquoted(found) for found in cell.finditer(line) if found.start() < len(line))
            cells += ("",) if line.endswith(separator) else ()
        else:
            cells = tuple(line.split(separator))
        if len(line) > limit and max(map(len, cells)) > limit:
            raise ContentProblem(f"cannot be read as CSV: field larger than field limit ({limit}) in line {number}")
        spare = min(len(line) - len(line.rstrip(separator)), len(cells) - 1)
        yield Record(cells, number, number, spare, not line.strip(separator + " \t"))


def _unquoted(found: re.Match[str]) -> str:
    quoted = found[1] if found[1] is not None else found[2]
    return found[3] if quoted is None else quoted.replace('""', '"')


def _is_plain(content: str) -> bool:
    """Whether each line of a file with tabs is a row: most programs that write tabs do not quote anything."""
    return len({line.count("\t") for line in io.StringIO(content, newline="") if line.strip()}) == 1


def _lines_in(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


# The separator


def _separator(content: str) -> str:
    """The separator under which the first rows have the same width, and the cells look most like cells.

    `csv.Sniffer` guesses from character counts and mistakes text in quoted cells for structure.
    """
    begin = empty.end() if (empty := _EMPTY_LINES.match(content)) else 0
    sample = content[begin : begin + _SAMPLE_CHARS]
    cut = begin + len(sample) < len(content)
    likeness = dict.fromkeys(_SEPARATORS, (0.0, 0.0))
    unread: Sequence[str] = _SEPARATORS
    ways: tuple[_Way, ...] = (_strict, _by_line)
    for way in ways:
        heads = {separator: _first_rows(way(sample, separator, 0), cut) for separator in unread}
        likeness |= {separator: _likeness(head, separator) for separator, head in heads.items() if head}
        unread = [separator for separator in unread if not heads[separator]]
        chosen = max(_SEPARATORS, key=likeness.__getitem__)
        if likeness[chosen][0] == 1:
            return chosen
    return "\t" if _is_one_column(sample) else chosen


def _first_rows(records: Iterator[Record], cut: bool) -> list[Record]:
    """The first rows of a sample; none if this way of reading does not fit.

    Args:
        records: the sample.
        cut: the sample ends in the middle of a row.
    """
    head: list[Record] = []
    try:
        head.extend(islice(records, _SAMPLE_ROWS))
        if cut and 1 < len(head) < _SAMPLE_ROWS:
            head.pop()
    except ContentProblem as problem:
        if not (cut and _CUT_IN_QUOTES in str(problem)):
            return []
    while len(head) > 1 and head[-1].bare:
        head.pop()
    return head


def _likeness(head: Sequence[Record], separator: str) -> tuple[float, float]:
    """How much these rows look like a table: the share of them that fit the header, and the share of plain cells."""
    begin = header_at(head)
    header, *body = head[begin:]
    if len(header.cells) - header.spare < 2 and not any(len(row.cells) > 1 for row in body):
        return 0.0, 0.0
    fitting = sum(_fits(row, header) for row in body)
    if len(header.cells) == 1:
        return 0.0, fitting / len(head)
    others = re.compile(f"[{re.escape(''.join(s for s in _SEPARATORS if s != separator))}](?! )")
    cells = [cell for row in (header, *body) for cell in row.cells]
    plain = sum(not others.search(cell) or is_number(cell) for cell in cells) / len(cells)
    return (1 + fitting) / (1 + len(body)), plain


def _is_one_column(sample: str) -> bool:
    """Whether what looks like separators belongs to the numbers or sentences of a single column."""
    lines = [line for line in _LINE_END.split(sample)[: 2 * _SAMPLE_ROWS] if line.strip()][:_SAMPLE_ROWS]
    head, *body = lines or [""]
    if not body or any(separator in head for separator in _SEPARATORS):
        return False
    joined = "\n".join(lines)
    prose = not re.search(r',(?! )|[;\t|"]', joined)
    return prose or all(is_number(line) or is_missing(line) for line in body)
