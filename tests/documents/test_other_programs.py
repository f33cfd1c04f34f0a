"""Documents by other programs, read as they were written: see tests/data/documents/README.md."""

import re
from pathlib import Path

import pytest

from hugginggpt.documents import Contents
from hugginggpt.documents.model import DOCX, EML, EPUB, ODT, PDF, RTF, XLSX
from hugginggpt.media.values import Table
from tests.documents.builders import contents

_FOLDER = Path(__file__).parents[1] / "data" / "documents"


def opened(name: str, mime: str) -> Contents:
    return contents((_FOLDER / name).read_bytes(), mime)


def in_order(text: str, *phrases: str) -> None:
    """Check that phrases are in a text, one after the other, wherever its lines end."""
    plain = " ".join(text.split())
    at = 0
    for phrase in phrases:
        assert phrase in plain[at:], f"{phrase!r} is not in {plain[at:]!r}"
        at = plain.index(phrase, at) + len(phrase)


def test_an_article_by_latex_has_its_columns_ligatures_and_whole_words() -> None:
    text = opened("latex-article.pdf", PDF).text
    in_order(
        text,
        "Fiona Afflick and Otto Flögel",
        "the efficiency of offshore windfarms is affected by ruffled sea surfaces",
        "significantly higher in winter. 1 Introduction",
        "The fluffy waffle of earlier reports is insufficient",
        "Manufacturers, environmental organisations and meteorological institutes disagree",
        "2 Method We measured 318 turbines",
        "3 Results The average loss was 4.2 percent, with a standard deviation of 0.7 percent.",
        "difficulty of maintaining instrumentation",
        "4 Conclusion Ruffled surfaces matter. We recommend that operators reconfigure the firmware of turbines",
    )
    assert re.search("[\x00-\x08\x0b-\x1f]", text) is None


def test_minutes_by_groff_have_spaces_where_the_file_has_gaps() -> None:
    in_order(
        opened("groff-minutes.pdf", PDF).text,
        "Apologies were received from Constance Fairweather, who is recovering satisfactorily",
        "was extraordinarily high. Consequently the supply",
        "from 38 pounds to 41 pounds. Members who disagree may notify the treasurer, Henry Okonkwo,",
        "Next meeting The next meeting takes place on 7 April at seven o’clock in the greenhouse.",
    )


def test_an_invoice_by_chromium_keeps_its_lines() -> None:
    lines = opened("chromium-invoice.pdf", PDF).text.split("\n")
    assert "Harrowgate Tools Ltd" in lines[0] and "Mill Lane" not in lines[0]
    for line in ("Cordless drill, 18 V | 4 | €129.00 | €516.00", "Total due\t€1,599.60", "Hauptstraße 12"):
        assert line in lines


def test_the_table_of_an_invoice_by_chromium_is_kept_without_its_sums() -> None:
    (table,) = opened("chromium-invoice.pdf", PDF).tables
    assert table == Table(
        ("Item", "Qty", "Unit price", "Amount"),
        (
            ("Cordless drill, 18 V", "4", "€129.00", "€516.00"),
            ("Angle grinder with guard", "2", "€88.50", "€177.00"),
            ("Workbench, oak, 180 cm", "1", "€640.00", "€640.00"),
        ),
    )


def test_a_statement_by_typst_keeps_its_rows() -> None:
    read = opened("typst-statement.pdf", PDF)
    in_order(
        read.text,
        "Date | Description | Amount | Balance",
        "14.07.2025 | Supermarket | −63.18 | 2,869.22",
        "Your balance on 31 July 2025 is 2,456.47 euros.",
    )
    (table,) = read.tables
    assert table.rows[-1] == (
        "21.07.2025",
        "Electricity, final bill for the year 2024/2025",
        "−412.75",
        "2,456.47",
    )


def test_a_report_by_chromium_has_its_tables_of_numbers() -> None:
    sales, prices = opened("chromium-report.pdf", PDF).tables
    assert sales.columns == ("Month", "Sold", "Revenue")
    assert sales.rows[2] == ("March", "310", "3,100.00")
    assert [row[::2] for row in prices.rows] == [("Drill", "129.00"), ("Saw", "20.00"), ("Bench", "640.00")]
    assert prices.rows[0][1].endswith("forty different bits for wood, metal and stone")


def test_sheets_by_libreoffice_are_tables_in_print_too() -> None:
    read = opened("libreoffice-sales.pdf", PDF)
    sales, staff = read.tables
    assert sales.columns == ("Month", "Closed on", "Bicycles", "Revenue", "Share")
    assert sales.rows[-1] == ("Total", "", "10,290", "###", "100.0%")
    assert staff.rows[1] == ("Lars Holm", "Mechanic", "02134", "38.5")
    assert "\nIda Berg | Cashier | 00501 | 20\n" in read.text


@pytest.mark.parametrize("name", ["latex-article.pdf", "groff-minutes.pdf"])
def test_articles_in_columns_have_no_tables(name: str) -> None:
    assert opened(name, PDF).tables == ()


@pytest.mark.parametrize(("ending", "mime"), [("docx", DOCX), ("odt", ODT), ("rtf", RTF)])
def test_a_letter_by_libreoffice_is_whole(ending: str, mime: str) -> None:
    read = opened(f"libreoffice-letter.{ending}", mime)
    in_order(
        read.text,
        "Brightwater Housing Association · Registered charity 1029384 Mrs Eleanor Whitcombe",
        "Replacement of the windows Dear Mrs Whitcombe,",
        "Bedroom | 9 February 2026 | 13:00 to 16:30",
        "a key for the fitters",
        "call Graham Tully before 30 January.[1]",
        "[1] He is away on Wednesdays.",
        "Page 1 · Tel. 0161 555 0199",
    )
    assert [(table.columns, len(table.rows)) for table in read.tables] == [(("Room", "Date", "Time"), 3)]


def test_a_spreadsheet_by_libreoffice_has_its_values() -> None:
    read = opened("libreoffice-sales.xlsx", XLSX)
    sales, staff = read.tables
    assert sales.columns == ("Month", "Closed on", "Bicycles", "Revenue", "Share")
    assert sales.rows[3] == ("April", "2025-04-30", "2345", "1524250.00 €", "23.5%")
    assert sales.rows[-1] == ("Total", "", "10290", "6490500.50 €", "100.0%")
    assert staff == Table(
        ("Name", "Role", "Postcode", "Hours per week"),
        (
            ("Priya Raman", "Manager", "01067", "40"),
            ("Lars Holm", "Mechanic", "02134", "38.5"),
            ("Ida Berg", "Cashier", "00501", "20"),
        ),
    )
    assert read.notes == ('has "Bicycle sales, first half of 2025" above the table of sheet "Sales 2025"',)


def test_a_book_by_pandoc_has_its_chapters_without_names_of_files() -> None:
    text = opened("pandoc-book.epub", EPUB).text
    in_order(text, "Ledger By Morag Sinclair", "The storm On the night of 3 November 1887", "The ledger In the ledger")
    assert "xhtml" not in text


def test_a_mail_by_mutt_names_what_is_attached() -> None:
    read = opened("mutt-mail.eml", EML)
    in_order(read.text, "Henrike Vogt <henrike@example.org>", "Summer party – the plan", "Rosalind brings the cake")
    assert read.notes == ('has attachments, which are not opened: "sales.xlsx"',)
