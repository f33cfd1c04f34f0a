import io
import time
from datetime import date, datetime

import openpyxl
import pytest

from hugginggpt.documents.model import XLSX
from hugginggpt.documents.number_formats import shown
from hugginggpt.media.values import Table
from tests.documents.builders import contents, package, relations

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def saved(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def sheet(rows: str, after: str = "", **members: str) -> bytes:
    return package(
        "xl/workbook.xml",
        {
            "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="r"><sheets><sheet name="S" r:id="a"/></sheets>'
            "</workbook>",
            "xl/_rels/workbook.xml.rels": relations({"a": ("worksheet", "s.xml")}),
            "xl/s.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData>{after}</worksheet>',
            **members,
        },
    )


def test_sheets_are_pages_and_tables() -> None:
    book = openpyxl.Workbook()
    first = book.active
    first.title = "Sales"
    for row in (("Month", "Sold", "Share"), ("May", 12, 0.25), ("June, early", 15.5, 0.75)):
        first.append(row)
    for cell in first["C"][1:]:
        cell.number_format = "0%"
    second = book.create_sheet("Staff")
    for row in (("Name", "Since"), ("Ann", date(2020, 5, 1)), ("Bob", datetime(2021, 6, 2, 13, 30))):
        second.append(row)
    second.sheet_state = "hidden"
    read = contents(saved(book), XLSX)
    assert read.tables == (
        Table(("Month", "Sold", "Share"), (("May", "12", "25%"), ("June, early", "15.5", "75%"))),
        Table(("Name", "Since"), (("Ann", "2020-05-01"), ("Bob", "2021-06-02 13:30"))),
    )
    assert read.text == (
        '[sheet Sales]\nMonth,Sold,Share\nMay,12,25%\n"June, early",15.5,75%\n'
        "[sheet Staff]\nName,Since\nAnn,2020-05-01\nBob,2021-06-02 13:30"
    )
    assert len(read.pages) == 2
    assert read.notes == ('has a hidden sheet "Staff", which is read, too',)


def test_titles_above_the_header_are_skipped_with_a_note() -> None:
    book = openpyxl.Workbook()
    page = book.active
    page["B1"] = "Sales of 2024"
    page.merge_cells("B1:D1")
    for column, name in zip("BCD", ("Region", "City", "Sold"), strict=True):
        page[f"{column}3"] = name
    for row, cells in enumerate((("North", "Oslo", 1), (None, "Bergen", 2), ("South", "Rome", 3)), start=4):
        for column, value in zip("BCD", cells, strict=True):
            page[f"{column}{row}"] = value
    page.merge_cells("B4:B5")
    read = contents(saved(book), XLSX)
    assert read.tables == (
        Table(("Region", "City", "Sold"), (("North", "Oslo", "1"), ("North", "Bergen", "2"), ("South", "Rome", "3"))),
    )
    assert read.notes == ('has "Sales of 2024" above the table of sheet "Sheet"',)


def test_years_may_name_columns_and_a_corner_may_be_empty() -> None:
    book = openpyxl.Workbook()
    for row in ((None, 2022, 2023), ("Apples", 5, 7), ("Pears", 3, 1)):
        book.active.append(row)
    table = Table(("column 1", "2022", "2023"), (("Apples", "5", "7"), ("Pears", "3", "1")))
    assert contents(saved(book), XLSX).tables == (table,)


def test_columns_without_names_are_numbered() -> None:
    book = openpyxl.Workbook()
    for row in (("Apples", 5), ("Pears", 3)):
        book.active.append(row)
    read = contents(saved(book), XLSX)
    assert read.tables == (Table(("column 1", "column 2"), (("Apples", "5"), ("Pears", "3"))),)
    assert read.notes and "numbered" in read.notes[0]


def test_ids_keep_their_zeros() -> None:
    book = openpyxl.Workbook()
    for row in (("Zip", "Text"), (2134, "02134"), (501, "00501")):
        book.active.append(row)
    for cell in book.active["A"][1:]:
        cell.number_format = "00000"
    assert contents(saved(book), XLSX).tables[0].rows == (("02134", "02134"), ("00501", "00501"))


def test_formulas_show_their_cached_values_and_are_never_computed() -> None:
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Sum</t></is></c>'
        '<c r="B1" t="inlineStr"><is><t>Link</t></is></c></row>'
        '<row r="2"><c r="A2"><f>SUM(1,2)</f><v>3</v></c><c r="B2"><f>WEBSERVICE("http://x.invalid")</f></c></row>'
        '<row r="3"><c r="A3" t="str"><f>"a"&amp;"b"</f><v>ab</v></c>'
        '<c r="B3" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
    )
    read = contents(sheet(rows), XLSX)
    assert read.tables[0].rows == (("3", '=WEBSERVICE("http://x.invalid")'), ("ab", "#DIV/0!"))
    assert any("formulas without values" in note for note in read.notes)


def test_a_cell_far_away_costs_nothing() -> None:
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    )
    merged = '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    assert contents(sheet(rows, merged), XLSX).text == "[sheet S]\nName,\nName,1"
    begin = time.monotonic()
    many = "".join(f'<mergeCell ref="{cell}:XFD1048576"/>' for cell in ("A1", "C2") for _ in range(500))
    assert contents(sheet(rows, f"<mergeCells>{many}</mergeCells>"), XLSX).text == "[sheet S]\nName,\nName,1"
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (0.1 + 0.2, "", "0.3"),
        (1234567, "General", "1234567"),
        (0.256, "0.0%", "25.6%"),
        (1234.5, "#,##0.00", "1234.50"),
        (1234.5, '"$"#,##0.00', "$1234.50"),
        (1234.5, '#,##0.00\\ "€"', "1234.50 €"),
        (1234.5, "[$€-407]#,##0.00", "€1234.50"),
        (-1234.5, '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)', "-$1234.50"),
        (-1.5, "0.00;[Red]-0.00", "-1.50"),
        (123456789, "000-00-0000", "123-45-6789"),
        (5, "00000", "00005"),
        (2.5, "0.##", "2.5"),
        (2, "0.##", "2"),
        (1_500_000, '0.0,,"M"', "1.5M"),
        (0.5, "# ?/?", "0.5"),
        (12345, "0.00E+00", "1.23E+04"),
        (45413, "dd.mm.yyyy", "2024-05-01"),
        (45413, "[$-409]d\\-mmm\\-yy;@", "2024-05-01"),
        (45413, "mmm-yy", "2024-05-01"),
        (45413.5625, "m/d/yy h:mm", "2024-05-01 13:30"),
        (0.5625, "h:mm AM/PM", "13:30:00"),
        (1.5, "[h]:mm:ss", "36:00:00"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (7, '0 "days"', "7 days"),
    ],
)
def test_numbers_look_as_the_spreadsheet_shows_them(number: float, code: str, text: str) -> None:
    assert shown(number, code) == text


def test_days_may_be_counted_from_1904() -> None:
    assert shown(43951, "yyyy-mm-dd", from_1904=True) == "2024-05-01"
