"""The order in which the lines of a page are read."""

import random
import textwrap

import pytest

from hugginggpt.experts.embedded.reading_order import Box, in_reading_order, rows_in_order

HARBOUR = (
    "The harbour was built in eighteen hundred and twelve, when the first ships from the north came to trade wool and "
    "timber. For many years it was the largest on the coast, and its lighthouse could be seen from thirty miles away. "
    "A storm destroyed the outer wall in the winter of that year."
)
QUAY = (
    "Today the old warehouses are homes and offices. The council wants to open the quay to walkers, and to plant trees "
    "along the water. Work is to begin in spring and will take two years, if the money is found. Residents have until "
    "the end of March to say what they think of the plan."
)
BOATS = (
    "Tickets for the boat trip can be bought at the kiosk next to the bridge. The trip takes an hour and runs from "
    "April to October, except on days with strong wind. Dogs are welcome on a lead. Groups should book a week ahead by "
    "telephone or in person at the office."
)
FIRST, SECOND, THIRD = (textwrap.wrap(text, 38) for text in (HARBOUR, QUAY, BOATS))
HEADLINE = "The harbour and its people: a walk of two hundred years"
GOODS = (
    ("Paper", "10", "45.00 EUR"),
    ("Toner, black", "2", "73.50 EUR"),
    ("Chair, grey", "1", "118.00 EUR"),
    ("Delivery", "1", "12.00 EUR"),
)
FORM = (
    ("Name of the applicant", "Anna Maria Smith"),
    ("Date and place of birth", "12 May 1980, Leeds"),
    ("Address of the applicant", "14 Harbour Street, Bristol"),
    ("Telephone in the evening", "0117 496 0142 after six"),
    ("Name of the doctor", "Dr Peter van der Meer"),
)

Found = list[tuple[Box, str]]


def lines(texts: list[str], left: float, top: float, step: float = 30, height: float = 26) -> Found:
    return [
        ([[left, y], [right, y], [right, y + height], [left, y + height]], text)
        for n, text in enumerate(texts)
        for y, right in [(top + n * step, left + 10 * len(text))]
    ]


def cells(rows: tuple[tuple[str, ...], ...], lefts: tuple[float, ...], top: float) -> Found:
    return [
        found
        for n, row in enumerate(rows)
        for cell, left in zip(row, lefts, strict=True)
        for found in lines([cell], left, top + 30 * n)
    ]


def joined(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    return [" ".join(row) for row in rows]


def read(found: Found) -> list[str]:
    random.Random(1).shuffle(found)
    return in_reading_order(found).splitlines()


@pytest.mark.parametrize("offset", [0, 5, 13])
def test_two_columns_are_read_one_after_the_other(offset: float) -> None:
    assert read(lines(FIRST, 0, 0) + lines(SECOND, 450, offset)) == FIRST + SECOND


@pytest.mark.parametrize("width", [24, 38])
def test_three_columns_under_a_headline(width: int) -> None:
    columns = [textwrap.wrap(text, width) for text in (HARBOUR, QUAY, BOATS)]
    page = lines([HEADLINE], 150, 0, height=40)
    for n, column in enumerate(columns):
        page += lines(column, n * (10 * width + 70), 80)
    assert read(page) == [HEADLINE, *columns[0], *columns[1], *columns[2]]


def test_a_headline_close_to_its_columns_comes_first() -> None:
    assert read(lines([HEADLINE], 150, 0) + lines(FIRST, 0, 30) + lines(SECOND, 450, 30)) == [HEADLINE, *FIRST, *SECOND]


def test_a_line_across_begins_new_columns() -> None:
    across = "Both sides of the river belong to the city since nineteen hundred and four."
    page = lines(FIRST, 0, 0) + lines(SECOND, 450, 0) + lines([across], 150, 340)
    page += lines(THIRD, 0, 400) + lines(SECOND, 450, 400)
    assert read(page) == [*FIRST, *SECOND, across, *THIRD, *SECOND]


@pytest.mark.parametrize("lines_left", [1, 2, 5])
def test_the_last_column_may_be_short(lines_left: int) -> None:
    page = lines(FIRST, 0, 0) + lines(SECOND, 450, 0) + lines(THIRD[:lines_left], 900, 0)
    assert read(page) == FIRST + SECOND + THIRD[:lines_left]


def test_paragraphs_that_end_side_by_side_stay_in_their_columns() -> None:
    page = [line for left, texts in ((0, FIRST), (450, SECOND)) for line in lines(texts[:3], left, 0)]
    page += [line for left, texts in ((0, FIRST), (450, SECOND)) for line in lines(texts[3:], left, 110)]
    assert read(page) == FIRST + SECOND


def test_a_date_and_a_page_number_are_no_part_of_a_column() -> None:
    page = lines(["12 March 2026"], 700, 0) + lines(FIRST, 0, 80) + lines(SECOND, 450, 80) + lines(["Page 3"], 0, 420)
    assert read(page) == ["12 March 2026", *FIRST, *SECOND, "Page 3"]


def test_columns_without_sentences() -> None:
    left, right = ([f"{side} column line {n}" for n in ("one", "two", "three", "four")] for side in ("Left", "Right"))
    assert read(lines(left, 0, 0) + lines(right, 450, 0)) == left + right


@pytest.mark.parametrize("lefts", [(0, 330, 600), (0, 200, 330)])
def test_a_table_is_read_by_rows(lefts: tuple[float, ...]) -> None:
    assert read(cells(GOODS, lefts, 0)) == joined(GOODS)


@pytest.mark.parametrize("colon", ["", ":"])
def test_a_form_keeps_each_label_with_its_value(colon: str) -> None:
    form = tuple((label + colon, value) for label, value in FORM)
    assert read(cells(form, (0, 450), 0)) == joined(form)


def test_a_table_above_and_a_form_below_columns_stay_rows() -> None:
    page = cells(GOODS, (0, 330, 600), 0) + lines(FIRST, 0, 200) + lines(SECOND, 450, 200) + cells(FORM, (0, 450), 520)
    assert read(page) == joined(GOODS) + FIRST + SECOND + joined(FORM)


def test_every_piece_is_read_once() -> None:
    rng = random.Random(3)
    page = [line for n in range(60) for line in lines([f"piece {n}"], rng.uniform(0, 900), rng.uniform(0, 900))]
    assert sorted(n for row in rows_in_order(page) for n in row) == list(range(60))
    assert rows_in_order([]) == []
