"""What a text is: plain, a page, JSON lines, a table. Its ending and its server may say so, or its content."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from hugginggpt.media import tables, texts
from hugginggpt.media.input_formats import (
    CSV,
    HTML,
    JSON,
    JSONL,
    MAIL,
    ODS,
    PLAIN,
    RTF,
    TSV,
    VTT,
    XLS,
    XLSX,
    XML,
    Format,
)
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Table

_PAGE = re.compile(r"\s*(?:<!doctype html|<html\b)", re.IGNORECASE)
_FIELD = re.compile(r"[!-9;-~]+:.*|[ \t].*")
_FIELDS_OF_MAILS = (("mime-version:", "from:", "received:", "message-id:"), ("content-type:",))
_MOST_FIELDS = 200
_DECLARATION = re.compile(r"\s*<\?xml\s")
_SPREADSHEETS = (XLS, XLSX, ODS)
_MOST_CELLS = 2_000_000


def kind_of(text: str, *claims: Format | None) -> Format:
    """The format of a text: the first claim that is more than plain text, else what the content shows.

    Args:
        text: the text.
        claims: what its ending says, and its server.
    """
    said = [claim for claim in claims if claim is not None]
    found = next((claim for claim in said if claim.is_text and claim is not PLAIN), None)
    if found in (None, JSON) and _is_json_lines(text):
        return JSONL
    if found is not None:
        return found
    # Programs export tables for a spreadsheet program under its name.
    if any(claim in _SPREADSHEETS for claim in said) and is_table(text):
        return TSV if "\t" in text.partition("\n")[0] else CSV
    if _PAGE.match(text):
        return HTML
    if text.startswith("{\\rtf"):
        return RTF
    if text.startswith("WEBVTT"):
        return VTT
    if _is_mail(text):
        return MAIL
    return XML if _DECLARATION.match(text) else PLAIN


def _is_mail(text: str) -> bool:
    """Whether a text begins with the fields of an e-mail, one of which says of what type it is."""
    head: list[str] = []
    for line in islice(io.StringIO(text), _MOST_FIELDS):
        if not line.strip():
            break
        if not _FIELD.match(line):
            return False
        head.append(line.lower())
    return all(any(line.startswith(names) for line in head) for names in _FIELDS_OF_MAILS)


def is_table(text: str, *, cut: bool = False) -> bool:
    """Whether a text has two columns and two rows at least, as CSV or as JSON records.

    Args:
        text: the text.
        cut: it is only the beginning of a longer one.
    """
    if cut:
        text = text.rpartition("\n")[0]
    try:
        table = _records(text) or tables.read(texts.write(text))
    except ContentProblem:
        return False
    return len(table.columns) > 1 and len(table.rows) > 0


def read_table(data: bytes, mime: str, max_bytes: int | None = None) -> Table:
    """A table from a text: JSON records, unless it is CSV by its media type, or CSV.

    Raises:
        ContentProblem: it is no table.
    """
    if mime in (CSV.mime, TSV.mime):
        return tables.read(data, max_bytes=max_bytes)
    return _records(texts.read(data)) or tables.read(data, max_bytes=max_bytes)


def _is_json_lines(text: str) -> bool:
    lines = list(islice(_lines(text), 2))
    return len(lines) == 2 and all(isinstance(_parsed(line), dict) for line in lines)


def _lines(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(r"[^\n]*\S[^\n]*", text))


def _parsed(text: str) -> Any:
    try:
        # Numbers keep their spelling.
        return json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None


def _records(text: str) -> Table | None:
    """A table of JSON objects, one on each line or in one list; None if the text is something else."""
    start = text.lstrip()[:1]
    if start == "[":
        records = _parsed(text)
    elif start == "{" and _is_json_lines(text):
        records = [_parsed(line) for line in _lines(text)]
    else:
        return None
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        return None
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    if len(columns) * len(records) > _MOST_CELLS:
        raise ContentProblem(f"makes a table of more than {_MOST_CELLS:,} cells; give fewer columns or rows")
    return Table(columns, tuple(tuple(_cell(record.get(name)) for name in columns) for record in records))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
