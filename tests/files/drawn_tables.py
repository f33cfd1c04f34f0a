"""Tables that are drawn with characters, in texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hugginggpt.capabilities import ValueType
from hugginggpt.media import Table
from tests.files.input import Input
from tests.files.outcomes import Rows, Words, grid

_SAP = """\
------------------------
|Material  |    Amount |
------------------------
|A-100     |  1.234,50 |
|B-200     |     17,25-|
------------------------
"""
_SAP_PAGES = f"""\
03.03.2024     Stock, plant 1000     1

{_SAP}
03.03.2024     Stock, plant 1000     2

{_SAP.replace("A-100", "C-300").replace("B-200", "D-400")}"""
_BOX = """\
┌──────┬───────┐
│ name │ price │
├──────┼───────┤
│ lamp │    58 │
│ desk │   349 │
└──────┴───────┘
"""
_SOLD = grid("name|price", "lamp|58", "desk|349")


def _in_text(table: Table, numbers: Mapping[str, Sequence[float]], mime: str = "text/plain") -> Rows:
    return Rows(table, numbers, mime=mime, type=ValueType.TEXT)


_PRICES = {"price": (58, 349)}
DRAWN = (
    Input(
        "sap-list.txt",
        _SAP.encode(),
        "SAP's unconverted list: lines drawn around the cells, the minus behind the number",
        _in_text(grid("Material|Amount", "A-100|1.234,50", "B-200|17,25-"), {"Amount": [1234.5, -17.25]}),
    ),
    Input(
        "sap-pages.txt",
        _SAP_PAGES.encode("cp1252"),
        "SAP's list of two pages, each with the date and the names of the columns",
        _in_text(
            grid("Material|Amount", "A-100|1.234,50", "B-200|17,25-", "C-300|1.234,50", "D-400|17,25-"),
            {"Amount": [1234.5, -17.25, 1234.5, -17.25]},
        ),
    ),
    Input(
        "markdown-table.md",
        b"| name | price |\n|------|------:|\n| lamp | 58 |\n| desk | 349 |\n",
        "a table in Markdown (a chat's answer, a README)",
        _in_text(_SOLD, _PRICES, "text/markdown"),
    ),
    Input(
        "answer.md",
        b'Here are the prices, as "asked":\n\n| **name** | price |\n|:---------|:-----:|\n| lamp \\| light | **58** |\n'
        b"| desk | `349` |\n\nNote: without tax, and in euros.\n",
        "a chat's answer with a table between its sentences",
        _in_text(Table(("name", "price"), (("lamp | light", "58"), ("desk", "349"))), _PRICES, "text/markdown"),
    ),
    Input(
        "two-tables.md",
        b"| a | b |\n|---|---|\n| 1 | 2 |\n\n| c | d |\n|---|---|\n| 3 | 4 |\n",
        "a text with two tables, of which none is taken for the other",
        Words("| a | b |\n|---|---|\n| 1 | 2 |\n\n| c | d |\n|---|---|\n| 3 | 4 |\n", "text/markdown"),
    ),
    Input(
        "psql.txt",
        b" name | price \n------+-------\n lamp |    58\n desk |   349\n(2 rows)\n\n",
        "what PostgreSQL's psql prints",
        _in_text(_SOLD, _PRICES),
    ),
    Input(
        "mysql.log",
        b"mysql> SELECT * FROM goods;\n+------+-------+\n| name | price |\n+------+-------+\n| lamp |    58 |\n"
        b"| desk |   349 |\n+------+-------+\n2 rows in set (0.00 sec)\n",
        "what MySQL prints, with the query above it",
        _in_text(_SOLD, _PRICES),
    ),
    Input(
        "mysql.csv",
        b"+------+-------+\n| name | price |\n+------+-------+\n| lamp |    58 |\n| desk |   349 |\n+------+-------+\n",
        "what MySQL prints, saved as CSV",
        Rows(_SOLD, _PRICES),
    ),
    Input(
        "duck.txt",
        _BOX.encode(),
        "a terminal's table in a box",
        _in_text(_SOLD, _PRICES),
    ),
    Input(
        "grid.rst",
        b"+------+-------+\n| name | price |\n+======+=======+\n| lamp | 58    |\n+------+-------+\n| desk | 349   |\n"
        b"+------+-------+\n",
        "a table in reStructuredText (Sphinx, tabulate)",
        _in_text(_SOLD, _PRICES),
    ),
    Input(
        "sqlcmd.txt",
        b"name  price\n----- -----\nlamp     58\ndesk    349\n\n(2 rows affected)\n",
        "columns of fixed width below dashes (SQL Server, SQLite, PowerShell, pip)",
        _in_text(_SOLD, _PRICES),
    ),
    Input(
        "wiki.txt",
        b"||name||price||\n|lamp|58|\n|desk|349|\n",
        "a table in Jira's markup",
        _in_text(_SOLD, _PRICES),
    ),
    Input(
        "answers.csv",
        b'id,answer\n1,"| a | b |\n|---|---|\n| 1 | 2 |"\n2,no\n',
        "a table with a table in Markdown in one of its cells",
        Rows(Table(("id", "answer"), (("1", "| a | b |\n|---|---|\n| 1 | 2 |"), ("2", "no")))),
    ),
)
