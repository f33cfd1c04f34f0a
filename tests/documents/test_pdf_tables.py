"""What on a page of a PDF file is a table, and what only looks like one."""

from collections.abc import Sequence

import pytest

from hugginggpt.documents import Contents
from hugginggpt.documents.model import PDF
from hugginggpt.documents.page_tables import Effort, Line, Word, tables_among
from hugginggpt.media.values import Table
from tests.documents.builders import contents, pdf, words

SALES = (
    ("Month", "Sold", "Revenue"),
    ("January", "120", "1,200.00"),
    ("May", "95", "950.00"),
    ("June", "310", "3,100.00"),
)
PROSE = ("The shop did better in these months than in the", "year before, as the table shows in all its rows.")


def drawn(
    rows: Sequence[Sequence[str]], xs: Sequence[float] = (72, 220, 320, 420), y: float = 700, step: float = 18
) -> bytes:
    return b"".join(
        words(cell, x, y - step * number)
        for number, row in enumerate(rows)
        for x, cell in zip(xs, row, strict=False)
        if cell
    )


def read(*parts: bytes) -> Contents:
    return contents(pdf(b"".join(parts)), PDF)


def test_a_table_between_paragraphs_is_kept_and_readable() -> None:
    above, below = (b"".join(words(line, 72, y - 14 * n) for n, line in enumerate(PROSE)) for y in (760, 600))
    found = read(above, drawn(SALES), below)
    assert found.tables == (Table(SALES[0], SALES[1:]),)
    table = "\n".join(" | ".join(row) for row in SALES)
    assert found.text == "\n\n".join(["\n".join(PROSE), table, "\n".join(PROSE)])


def test_numbers_at_the_right_of_narrow_columns_are_told_apart() -> None:
    right = b"".join(
        words(cell, x - 6.1 * len(cell), 700 - 14 * number, 11)
        for number, row in enumerate(SALES)
        for x, cell in zip((120, 160, 218), row, strict=True)
    )
    assert read(right).tables == (Table(SALES[0], SALES[1:]),)


def test_two_columns_of_names_and_numbers_are_a_table() -> None:
    rows = [row[:2] for row in SALES]
    assert read(drawn(rows)).tables == (Table(rows[0], tuple(rows[1:])),)


def test_cells_of_several_lines_are_one() -> None:
    items = (
        ("No", "Work", "Hours"),
        ("1", "Planning of the whole kitchen", "4.5"),
        ("2", "Delivery", "1"),
        ("3", "Assembly by two fitters who", "16"),
    )
    more = words("with the owner at her home", 120, 668) + words("come with all of the tools", 120, 608)
    (table,) = read(drawn(items[:2], (72, 120, 300)), drawn(items[2:3], (72, 120, 300), 652 - 6),
                    drawn(items[3:], (72, 120, 300), 622), more).tables  # fmt: skip
    assert [row[1] for row in table.rows] == [
        "Planning of the whole kitchen with the owner at her home",
        "Delivery",
        "Assembly by two fitters who come with all of the tools",
    ]


def test_headings_within_a_table_and_empty_cells_stay() -> None:
    rows = (
        ("Item", "Pieces", "Price"),
        ("Fruit", "", ""),
        ("Apples", "3", "1.20 €"),
        ("Pears", "", "2.50 €"),
        ("Nuts", "", ""),
        ("Walnuts", "2", "0.80 €"),
    )
    assert read(drawn(rows)).tables == (Table(rows[0], rows[1:]),)


def test_years_and_an_empty_corner_name_columns() -> None:
    rows = (("", "2022", "2023", "2024"), ("Members", "120", "131", "150"), ("Guests", "80", "n/a", "95"))
    assert read(drawn(rows)).tables == (Table(("column 1", "2022", "2023", "2024"), rows[1:]),)


def test_sums_below_a_table_are_no_rows_of_it() -> None:
    found = read(drawn([*SALES, ("", "Subtotal", "5,250.00"), ("", "VAT", "1,000.00")]))
    assert found.tables == (Table(SALES[0], SALES[1:]),)
    assert found.text.endswith("\nSubtotal\t5,250.00\nVAT\t1,000.00")
    total = ("Total", "525", "5,250.00")
    assert read(drawn([*SALES, total])).tables[0].rows[-1] == total


def test_a_table_goes_on_on_the_next_page_below_the_same_names() -> None:
    months = [("July", "10", "100.00"), ("August", "20", "200.00")]
    found = contents(pdf([drawn(SALES), drawn([SALES[0], *months])]), PDF)
    assert found.tables == (Table(SALES[0], (*SALES[1:], *months)),)
    other = contents(pdf([drawn(SALES), drawn([("Day", *SALES[0][1:]), *months])]), PDF)
    assert len(other.tables) == 2


@pytest.mark.parametrize(
    "rows",
    [
        [("Name:", "Erika Mustermann"), ("Age:", "42"), ("Height:", "170"), ("Weight:", "61")],
        [("Customer", "ACME Ltd"), ("Invoice number", "20260417"), ("Date", "3 March 2026"), ("Total", "1,599.60")],
        [("First name", "Erika", "Last name", "Mustermann"), ("Street", "Hauptstr. 12", "City", "8001 Bonn"),
         ("Born", "3 May 1980", "Phone", "0161 555"), ("Customer", "8812", "Height", "1.70 m")],
        [("Seller", "Buyer", "Delivery"), ("ACME Ltd", "Foo GmbH", "Foo"), ("1 Mill Lane", "2 High St", "3 Low St"),
         ("London", "10115 Berlin", "10117 Berlin")],
        [("Preface", "vii"), ("1 Introduction", "1"), ("2 Methods", "5"), ("3 Results", "9")],
        [("Chapter", "Page"), ("Introduction", "1"), ("Methods", "5"), ("Results", "9")],
        [("1", "Introduction", "1"), ("2", "Methods", "5"), ("3", "Results", "9"), ("4", "Conclusion", "11")],
        [("Introduction .....", "Page"), ("Methods ........", "5"), ("Results ....", "9"), ("End .....", "12")],
        [("Welcome", "09:00"), ("Talk on bees", "09:15"), ("Coffee", "10:30"), ("Talk on wasps", "11:00")],
        [("2019 - today", "Engineer in Leeds"), ("2015 - 2019", "Student"), ("2006 - 2014", "School in York")],
        [("Month", "Sold"), ("May", "12")],
        [("120", "15", "3"), ("members", "countries", "offices")],
    ],
    ids=["labels", "fields", "pairs of fields", "addresses", "contents", "contents with a header", "numbered contents",
         "leaders", "agenda", "life", "too few", "facts"],
)  # fmt: skip
def test_what_only_looks_like_a_table_is_none(rows: Sequence[Sequence[str]]) -> None:
    assert read(drawn(rows)).tables == ()


def test_articles_in_two_columns_are_no_tables() -> None:
    left = (
        "In the year 2019 we measured",
        "120 turbines, of which 98 were",
        "on land and 22 at sea, for 26",
        "months without a break in them",
    )
    right = (
        "The loss was 4.2 percent, which",
        "is more than the 3.9 percent of",
        "2018 and the 3.1 percent before",
        "that, as the others have found",
    )
    rows = list(zip(left, right, strict=True))
    assert read(drawn(rows, (72, 320), step=13)).tables == ()
    assert read(drawn([("Results", ""), *rows], (72, 320), step=13)).tables == ()


def test_a_row_whose_cells_cannot_be_told_makes_no_half_of_a_table() -> None:
    rows = [*SALES, ("A month that was very long indeed", "", ""), ("July", "7", "70.00")]
    touching = words("12 and 3", 272, 700 - 18 * 4) + words("44.00", 330, 700 - 18 * 4)
    assert read(drawn(rows, (72, 220, 320)), touching).tables == ()


def test_looking_for_tables_ends_where_it_is_too_much() -> None:
    cells = [Word("12" if column else "a", 8.0 * column, 8.0 * column + 4) for column in range(60)]
    effort = Effort()
    assert list(tables_among([Line(cells, -12.0 * row, 10 - 12.0 * row) for row in range(3000)], effort)) == []
    assert effort.is_spent
