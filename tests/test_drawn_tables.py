"""Tables that are drawn with characters, as chats, databases, terminals and SAP write them."""

import pytest

from hugginggpt.media import is_table, tables
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Table
from tests.files.outcomes import grid


def read(content: str) -> Table:
    return tables.read(content.encode())


LAMP_AND_DESK = grid("name|price", "lamp|58", "desk|349")
SALES = """\
03.03.2024      Stock      1
------------------------
|Report of the stock   |
------------------------
|Material  |    Amount |
|          |       EUR |
------------------------
|A-100     |  1.234,50 |
|B-200     |     17,25-|
------------------------

04.03.2024      Stock      2
------------------------
|Material  |    Amount |
|          |       EUR |
------------------------
|C-100     |     34,50 |
------------------------
"""


@pytest.mark.parametrize(
    "content",
    [
        "| name | price |\n|:-----|------:|\n| lamp | 58 |\n| desk | 349 |\n",
        "name | price\n--- | ---\nlamp | 58\ndesk | 349",
        "|name|price|\r\n|-|-|\r\n|lamp|58|\r\n|desk|349|\r\n",
        "  | name | price |\n  | :-: | :-- |\n  | **lamp** | `58` |\n  | _desk_ | ~~349~~ |\n",
        " name | price \n------+-------\n lamp |    58\n desk |   349\n(2 rows)\n",
        "+------+-------+\n| name | price |\n+------+-------+\n| lamp |    58 |\n| desk |   349 |\n+------+-------+\n",
        "+------+-------+\n| name | price |\n+======+=======+\n| lamp |    58 |\n+------+-------+\n| desk |   349 |\n"
        "+------+-------+\n",
        "+------+-------+\n| name | price |\n| lamp |    58 |\n| desk |   349 |\n+------+-------+\n",
        "| name | price |\n|------+-------|\n| lamp |    58 |\n|------+-------|\n| desk |   349 |\n",
        "┌──────┬───────┐\n│ name │ price │\n├──────┼───────┤\n│ lamp │    58 │\n│ desk │   349 │\n└──────┴───────┘\n",
        "╒══════╤═══════╕\n│ name │ price │\n╞══════╪═══════╡\n│ lamp │    58 │\n├──────┼───────┤\n│ desk │   349 │\n",
        "name  price\n----  -----\nlamp     58\ndesk    349\n\n(2 rows affected)\n",
        "=====  =====\nname   price\n=====  =====\nlamp   58\ndesk   349\n=====  =====\n",
        "-----------------\n|name  |  price |\n-----------------\n|lamp  |     58 |\n|desk  |    349 |\n------------\n",
        "||name||price||\n|lamp|58|\n|desk|349|\n",
        "|name|price|\n|lamp|58|\n|desk|349|\n",
        '# The 3.5" disk\n\nWords, more.\n\n| name | price |\n|---|---|\n| lamp | 58 |\n| desk | 349 |\n\nThe end.\n',
    ],
)
def test_a_drawn_table_is_that_table(content: str) -> None:
    assert read(content) == LAMP_AND_DESK
    assert is_table(content)


def test_the_pages_of_a_list_are_one_table() -> None:
    assert read(SALES) == grid("Material|Amount EUR", "A-100|1.234,50", "B-200|17,25-", "C-100|34,50")
    assert [read(SALES).line_of(row) for row in range(3)] == [8, 9, 17]


def test_bars_within_cells_are_no_borders() -> None:
    markdown = "| name | note |\n|---|---|\n| a \\| b | c\\_d |\n"
    assert read(markdown).rows == (("a | b", "c_d"),)
    printed = "+------+-------+\n| name | price |\n+------+-------+\n| a|b  |    58 |\n+------+-------+\n"
    assert read(printed).rows == (("a|b", "58"),)


def test_cells_may_be_empty_or_missing_at_the_end() -> None:
    assert read(" name | price \n------+-------\n      |    58\n desk |\n").rows == (("", "58"), ("desk", ""))
    assert read("| a | b |\n|---|---|\n| 1 |\n| | 2 |\n").rows == (("1", ""), ("", "2"))


def test_a_row_of_several_lines_between_rules_is_one_row() -> None:
    content = (
        "+------+-------+\n| name | price |\n+======+=======+\n| lamp | 58    |\n| post |       |\n+------+-------+\n"
        "| desk | 349   |\n+------+-------+\n"
    )
    assert read(content).rows == (("lamp\npost", "58"), ("desk", "349"))


def test_columns_are_divided_where_all_rows_have_a_space() -> None:
    content = (
        "Mode                 LastWriteTime  Length Name\n----                 -------------  ------ ----\n"
        "-a----        01.01.2024     10:00 1234567 a.txt\nd-----        02.01.2024     10:00         b\n"
    )
    assert read(content) == Table(
        ("Mode", "LastWriteTime", "Length", "Name"),
        (("-a----", "01.01.2024     10:00", "1234567", "a.txt"), ("d-----", "02.01.2024     10:00", "", "b")),
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 1 | 2 | 3 |\n", "has 3 cells in line 4 but 2 columns"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\n| c | d |\n|---|---|\n| 1 | 2 |\n", "holds 2 tables; give a file"),
    ],
)
def test_what_is_not_one_table_is_none(content: str, problem: str) -> None:
    assert not is_table(content)
    with pytest.raises(ContentProblem, match=problem):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        "a | b is a bar\n---\nHere is text.\n",
        "Title\n=====\n\nWords | more words\n\n---\n\nThe end\n",
        "From - to\n-- --\n",
        "- one\n- two\n",
    ],
)
def test_sentences_with_bars_and_dashes_are_no_table(content: str) -> None:
    assert not is_table(content)


def test_a_table_in_a_cell_stays_in_its_cell() -> None:
    content = 'id,answer\n1,"| a | b |\n|---|---|\n| 1 | 2 |"\n2,no\n'
    assert read(content) == Table(("id", "answer"), (("1", "| a | b |\n|---|---|\n| 1 | 2 |"), ("2", "no")))
