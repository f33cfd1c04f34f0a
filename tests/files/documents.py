"""Documents: PDF and those of Office programs."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import docx as python_docx
import openpyxl  # type: ignore[import-untyped]
import pptx as python_pptx
from pptx.util import Inches

from tests.documents.builders import W, docx, package, paragraph, pdf, scan, words
from tests.documents.test_pdf import LEFT, RIGHT, lines
from tests.files.input import Input
from tests.files.open_documents import OPEN
from tests.files.outcomes import Paper, grid
from tests.files.pages_and_mails import SOLD, WRITTEN, stored

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_PDF = "application/pdf"


def office(document: Any) -> bytes:
    """An Office document as its library writes it."""
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def report() -> bytes:
    """A Word document with a heading, a list and a table."""
    document = python_docx.Document()
    document.add_heading("Report", 1)
    document.add_paragraph("Sales went up – “nicely”.")
    document.add_paragraph("Milk", style="List Bullet")
    table = document.add_table(3, 2)
    for row, cells in zip(table.rows, (SOLD.columns, *SOLD.rows), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    return office(document)


def workbook(*rows: Sequence[Any], title: str = "Sales", change: Callable[[Any], object] = lambda sheet: None) -> bytes:
    """An Excel workbook of one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    change(sheet)
    return office(book)


def _merged_title(sheet: Any) -> None:
    sheet.merge_cells("A1:C1")
    sheet.merge_cells("A4:A5")


def _formats(sheet: Any) -> None:
    for column, code in (("B", "dd.mm.yyyy"), ("C", '#,##0.00\\ "€"'), ("D", "0.0%"), ("E", "00000")):
        sheet[f"{column}2"].number_format = code


def two_sheets() -> bytes:
    """A workbook with a hidden sheet."""
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "Sales"
    for row in (SOLD.columns, ("May", 12), ("June", 15)):
        first.append(row)
    second = book.create_sheet("Prices")
    for cells in (("Item", "Price"), ("Lamp", 58.5)):
        second.append(cells)
    second.sheet_state = "hidden"
    return office(book)


def slides() -> bytes:
    """Two slides, one with notes and one with a table."""
    deck = python_pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Welcome"
    first.placeholders[1].text = "One\nTwo"
    first.notes_slide.notes_text_frame.text = "Smile."
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Numbers"
    table = second.shapes.add_table(3, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for row, cells in enumerate((SOLD.columns, *SOLD.rows)):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    return office(deck)


def slides_with(members: Mapping[str, bytes]) -> bytes:
    """The two slides with other parts in front."""
    with zipfile.ZipFile(io.BytesIO(slides())) as archive:
        return stored({**members, **{name: archive.read(name) for name in archive.namelist() if name not in members}})


def invoice() -> bytes:
    """A PDF with a table."""
    rows = (("Item", "Pieces", "Price"), ("A rather long name of a thing", "2", "12.50"), ("Tea", "10", "1,200.00"))
    return pdf(
        b"".join(
            words(cell, x, 700 - 16 * number)
            for number, row in enumerate(rows)
            for x, cell in zip((72, 320, 420), row, strict=True)
        )
    )


def columns() -> bytes:
    """A PDF of two columns whose lines lie in the file from left to right."""
    return pdf(
        words("A title across the whole of the page, over both of its columns", 72, 740)
        + b"".join(
            words(left, 72, 700 - 14 * row, 10) + words(right, 320, 700 - 14 * row, 10)
            for row, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True))
        )
    )


_DECK = Paper(
    _PPTX,
    "Welcome\nOne\nTwo\nNotes: Smile.\n[slide 2]\nNumbers\nMonth | Sold\nMay | 12\nJune | 15",
    (SOLD,),
    pages=2,
)

_BOX = b"0 0 100 100 re f"
PORTABLE = (
    Input(
        "letter.pdf",
        lambda: pdf([lines("First page."), lines("Second page.")]),
        "a PDF of two pages",
        Paper(_PDF, "First page.\n[page 2]\nSecond page.", pages=2, pictured=True),
    ),
    Input(
        "scan.pdf",
        lambda: scan(2, (400, 600)),
        "a scanner's PDF without text",
        Paper(_PDF, "[page 2]", pages=2, pictured=True, unread=True),
    ),
    Input(
        "mixed.pdf",
        lambda: pdf([lines("A typed page."), _BOX]),
        "typed pages and scanned ones in one file",
        Paper(_PDF, "A typed page.\n[page 2]", pages=2, pictured=True, unread=True),
    ),
    Input(
        "turned.pdf",
        lambda: pdf(
            words("First line here", 300, 400, matrix="0 1 -1 0")
            + words("Second line here", 314, 400, matrix="0 1 -1 0"),
            b"/Rotate 90",
        ),
        "a page in landscape that is turned",
        Paper(_PDF, "First line here\nSecond line here", pictured=True),
    ),
    Input(
        "invoice.pdf",
        invoice,
        "an invoice, whose table keeps its rows",
        Paper(
            _PDF,
            "Item | Pieces | Price\nA rather long name of a thing | 2 | 12.50\nTea | 10 | 1,200.00",
            (grid("Item|Pieces|Price", "A rather long name of a thing|2|12.50", "Tea|10|1,200.00"),),
            pictured=True,
        ),
    ),
    Input(
        "paper.pdf",
        columns,
        "a paper in two columns, read one after the other",
        Paper(
            _PDF,
            "A title across the whole of the page, over both of its columns\n\n"
            + "\n".join(LEFT)
            + "\n\n"
            + "\n".join(RIGHT),
            pictured=True,
        ),
    ),
    Input(
        "from-a-server.pdf",
        lambda: pdf(lines("Served.")),
        "a PDF that a server calls a page",
        Paper(_PDF, "Served.", pictured=True, notes=("is a PDF file; it is declared as text/html",)),
        served="text/html; charset=utf-8",
    ),
    Input(
        "renamed.docx",
        lambda: pdf(lines("Renamed.")),
        "a PDF named .docx",
        Paper(_PDF, "Renamed.", pictured=True, notes=("is a PDF file; its ending says DOCX",)),
    ),
)

OFFICE = (
    Input(
        "report.docx",
        report,
        "Word: a heading, a list and a table",
        Paper(_DOCX, "Report\nSales went up – “nicely”.\n- Milk\n\nMonth | Sold\nMay | 12\nJune | 15", (SOLD,)),
    ),
    Input(
        "contract.docx",
        lambda: docx(
            "<w:p><w:r><w:t>We pay </w:t></w:r><w:del><w:r><w:delText>10</w:delText></w:r></w:del>"
            "<w:ins><w:r><w:t>20</w:t></w:r></w:ins><w:r><w:t> euros.</w:t></w:r></w:p>"
        ),
        "Word with tracked changes",
        Paper(
            _DOCX,
            "We pay 20 euros.",
            notes=("has tracked changes: what was deleted is left out, what was inserted is read",),
        ),
    ),
    Input(
        "form.docm",
        lambda: docx(paragraph("Fill this in."), {}, **{"word/vbaProject.bin": "macro"}),
        "Word with macros, which are not run",
        Paper(_DOCX, "Fill this in.", notes=("has macros, which are left alone",)),
    ),
    Input(
        "sales.xlsx",
        partial(workbook, SOLD.columns, ("May", 12), ("June", 15)),
        "Excel",
        Paper(_XLSX, "[sheet Sales]\nMonth,Sold\nMay,12\nJune,15", (SOLD,)),
    ),
    Input(
        "regions.xlsx",
        partial(
            workbook,
            ("Sales of 2024", None, None),
            (),
            ("Region", "City", "Sold"),
            ("North", "Oslo", 1),
            (None, "Bergen", 2),
            ("South", "Rome", 3),
            change=_merged_title,
        ),
        "Excel with a merged title and merged cells",
        Paper(
            _XLSX,
            "[sheet Sales]\nSales of 2024,,\nRegion,City,Sold\nNorth,Oslo,1\nNorth,Bergen,2\nSouth,Rome,3",
            (grid("Region|City|Sold", "North|Oslo|1", "North|Bergen|2", "South|Rome|3"),),
            notes=('has "Sales of 2024" above the table of sheet "Sales"',),
        ),
    ),
    Input(
        "formats.xlsx",
        partial(
            workbook,
            ("Item", "Day", "Price", "Share", "Zip"),
            ("Lamp", date(2024, 5, 1), 1234.5, 0.125, 2134),
            change=_formats,
        ),
        "Excel's dates, currencies, percentages and postcodes",
        Paper(
            _XLSX,
            "[sheet Sales]\nItem,Day,Price,Share,Zip\nLamp,2024-05-01,1234.50 €,12.5%,02134",
            (grid("Item|Day|Price|Share|Zip", "Lamp|2024-05-01|1234.50 €|12.5%|02134"),),
        ),
    ),
    Input(
        "two-sheets.xlsx",
        two_sheets,
        "Excel with a hidden sheet",
        Paper(
            _XLSX,
            "[sheet Sales]\nMonth,Sold\nMay,12\nJune,15\n[sheet Prices]\nItem,Price\nLamp,58.5",
            (SOLD, grid("Item|Price", "Lamp|58.5")),
            pages=2,
            notes=('has a hidden sheet "Prices", which is read, too',),
        ),
    ),
    Input(
        "not-computed.xlsx",
        partial(workbook, ("Item", "Sum"), ("a", "=SUM(1,2)")),
        "a script's workbook, whose formulas were never computed",
        Paper(
            _XLSX,
            '[sheet Sales]\nItem,Sum\na,"=SUM(1,2)"',
            (grid("Item|Sum", "a|=SUM(1,2)"),),
            notes=("has formulas without values, shown as they are; open and save it in a spreadsheet program",),
        ),
    ),
    Input(
        "talk.pptx",
        slides,
        "PowerPoint with notes and a table",
        _DECK,
    ),
    Input(
        "with-document.pptx",
        partial(slides_with, {"ppt/embeddings/a.docx": stored({"word/document.xml": "<a/>"})}),
        "PowerPoint with a Word document in it",
        _DECK,
    ),
    Input(
        "with-thumbnail.pptx",
        partial(slides_with, {"docProps/thumbnail.jpeg": bytes(range(256)) * 400}),
        "PowerPoint with a large preview in front",
        _DECK,
    ),
    Input(
        "wordpad.rtf",
        rb"{\rtf1\ansi\ansicpg1252 Sch\'f6ne Gr\'fc\'dfe,\par {\b Ann}}",
        "WordPad",
        Paper("application/rtf", "Schöne Grüße,\nAnn"),
    ),
)


def turned_into(data: bytes, kind: str, **more: bytes) -> bytes:
    """An Office document of another kind: its type is another one, and there may be more in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "[Content_Types].xml":
                content = re.sub(rb"application/[\w.-]+(?=\.main\+xml)", f"application/{kind}".encode(), content)
            new.writestr(name, content)
        for name, content in more.items():
            new.writestr(name, content)
    return buffer.getvalue()


_WORKBOOK = ((*SOLD.columns,), ("May", 12), ("June", 15))
_MACROS = ("has macros, which are left alone",)
_SHEET = Paper(_XLSX, "[sheet Sales]\nMonth,Sold\nMay,12\nJune,15", (SOLD,))
TEMPLATES = (
    Input(
        "sales.xlsm",
        lambda: turned_into(
            workbook(*_WORKBOOK), "vnd.ms-excel.sheet.macroEnabled", **{"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"}
        ),
        "Excel with macros, which are not run",
        replace(_SHEET, notes=_MACROS),
    ),
    Input(
        "sales.xltx",
        lambda: turned_into(workbook(*_WORKBOOK), "vnd.openxmlformats-officedocument.spreadsheetml.template"),
        "a template of Excel",
        _SHEET,
    ),
    Input(
        "talk.pptm",
        lambda: turned_into(
            slides(), "vnd.ms-powerpoint.presentation.macroEnabled", **{"ppt/vbaProject.bin": b"\xd0\xcf\x11\xe0"}
        ),
        "PowerPoint with macros, which are not run",
        replace(_DECK, notes=_MACROS),
    ),
    Input(
        "talk.potx",
        lambda: turned_into(slides(), "vnd.openxmlformats-officedocument.presentationml.template"),
        "a template of PowerPoint",
        _DECK,
    ),
    Input(
        "talk.ppsx",
        lambda: turned_into(slides(), "vnd.openxmlformats-officedocument.presentationml.slideshow"),
        "a show of PowerPoint",
        _DECK,
    ),
    Input(
        "letter.dotx",
        lambda: turned_into(
            docx(paragraph("Dear Ms …,")), "vnd.openxmlformats-officedocument.wordprocessingml.template"
        ),
        "a template of Word",
        Paper(_DOCX, "Dear Ms …,"),
    ),
    Input(
        "letter.dotm",
        lambda: docx(paragraph("Dear Ms …,"), {}, **{"word/vbaProject.bin": "macro"}),
        "a template of Word with macros that a server declares, which are not run",
        Paper(_DOCX, "Dear Ms …,", notes=_MACROS),
        served="application/vnd.ms-word.template.macroEnabled.12",
    ),
    Input(
        "from-the-cloud.docx",
        lambda: package(
            "word/document2.xml",
            {"word/document2.xml": f'<w:document xmlns:w="{W}"><w:body>{paragraph("Hello.")}</w:body></w:document>'},
        ),
        "Word of Office 365, which numbers its parts",
        Paper(_DOCX, "Hello."),
    ),
)

DOCUMENTS = (*PORTABLE, *OFFICE, *TEMPLATES, *OPEN, *WRITTEN)
