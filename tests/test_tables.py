"""CSV in the dialects that people have: separators, quotes, titles, line ends, rows of unequal width."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.media import Table, tables
from hugginggpt.media.problem import ContentProblem


def read(content: str) -> Table:
    return tables.read(content.encode())


def problem(content: str) -> str:
    with pytest.raises(ContentProblem) as refused:
        read(content)
    return str(refused.value)


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        ("sep=;\nname;price\nlamp;58,50\n", "name|price", ["lamp|58,50"]),
        ("SEP=\t\r\na,b\tc\r\n1\t2\r\n", "a,b|c", ["1|2"]),
        ("\ufeffsep=;\r\na;b\r\n1,2;3\r\n", "a|b", ["1,2|3"]),
        ("a,b\r1,2\r3,4\r", "a|b", ["1|2", "3|4"]),
        ("\ufeff\ufeffa,b\n1,2\n", "a|b", ["1|2"]),
        ("Name;Price, EUR\nlamp;58,50\ndesk;349,00\n", "Name|Price, EUR", ["lamp|58,50", "desk|349,00"]),
        ("Name;Price (EUR, net)\nlamp;58,50\ndesk;349,00\n", "Name|Price (EUR, net)", ["lamp|58,50", "desk|349,00"]),
        ("name\tprice, EUR\nlamp\t58,50\n", "name|price, EUR", ["lamp|58,50"]),
        (
            "Name;Note, free\nlamp;nice, bright\ndesk;big, old\n",
            "Name|Note, free",
            ["lamp|nice, bright", "desk|big, old"],
        ),
        ("name,lat;long\nRome,41;12\n", "name|lat;long", ["Rome|41;12"]),
        ("name, note\nx, plain\n", "name| note", ["x| plain"]),
        ('name, note\nx, "a, b"\n', "name|note", ["x|a, b"]),
        ('"name", "price"\n"lamp", "58"\n', "name|price", ["lamp|58"]),
        ("note\nnice, bright lamp\nbig, old desk\n", "note", ["nice, bright lamp", "big, old desk"]),
        ("value\n1,5\n2,5\n", "value", ["1,5", "2,5"]),
        ("people\n1,234,567\n850\n", "people", ["1,234,567", "850"]),
    ],
)
def test_the_separator_is_found(content: str, columns: str, rows: list[str]) -> None:
    assert read(content) == Table(tuple(columns.split("|")), tuple(tuple(row.split("|")) for row in rows))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('part,n\n"12"" pipe",5\n', [('12" pipe', "5")]),
        ('part,n\n12" pipe,5\n3",7\n', [('12" pipe', "5"), ('3"', "7")]),
        ('part,n\n"12" pipe",5\nrod,3\n', [('12" pipe', "5"), ("rod", "3")]),
        ('part,n\n"12 pipe,5\nrod,3\n', [('"12 pipe', "5"), ("rod", "3")]),
        ('part,n\n"a, ""b""",5\n12" rod,3\n', [('a, "b"', "5"), ('12" rod', "3")]),
        ('part,n\n"12\\" pipe, old",5\n"rod \\"x\\"",3\n', [('12" pipe, old', "5"), ('rod "x"', "3")]),
        ('part,n\n"C:\\dir\\",5\n', [("C:\\dir\\", "5")]),
        ('part,n\n"two\nlines",5\nrod,3\n', [("two\nlines", "5"), ("rod", "3")]),
        ('part\tn\n"The Matrix" is a film\t5\n', [('"The Matrix" is a film', "5")]),
        ('part\tn\n"a\t1\nb"\t2\n', [('"a', "1"), ('b"', "2")]),
        ('part\tn\n"Hello\tworld"\n', [('"Hello', 'world"')]),
        ('part\tn\n"x\ny"\t2\nz\t3\n', [("x\ny", "2"), ("z", "3")]),
        ('part\tn\n"x"\t"y ""z"""\n', [("x", 'y "z"')]),
    ],
)
def test_quotes_are_read_as_they_are_meant(content: str, rows: list[tuple[str, str]]) -> None:
    assert read(content) == Table(("part", "n"), tuple(rows))


@pytest.mark.parametrize(
    "content",
    [
        'id;n\n="00123";5\n="04";7\n',
        '"id","n"\n"=""00123""","5"\n"=""04""","7"\n',
        '="id"\t="n"\n="00123"\t="5"\n="04"\t="7"\n',
        'id, n\n ="00123", 5\n ="04", 7\n',
    ],
)
def test_what_is_kept_from_excel_as_a_text_is_that_text(content: str) -> None:
    found = read(content)
    assert [[cell.strip() for cell in row] for row in found.rows] == [["00123", "5"], ["04", "7"]]
    assert [name.strip() for name in found.columns] == ["id", "n"]


@pytest.mark.parametrize(
    "cell", ["=1+1", '="a"&"b"', '="a"&B1', "=A1", '=HYPERLINK("http://127.0.0.1:9/","x")', '=""x']
)
def test_a_formula_stays_the_text_that_it_is(cell: str) -> None:
    table = Table(("a", "b"), ((cell, "1"), ('="00123"', cell)))
    assert read(tables.write(table).decode()) == table
    assert read(tables.render(table)) == table
    assert read(f"a;b\n{cell};1\n").rows == ((cell, "1"),)


def test_a_text_in_quotes_may_have_quotes_in_it() -> None:
    assert read('part;n\n="12"" pipe";5\n="=1+1";6\n').rows == (('12" pipe', "5"), ("=1+1", "6"))


@pytest.mark.parametrize(
    ("content", "columns", "rows", "lines"),
    [
        ("Sales 2024\nname,price\nlamp,5\n", "name|price", ["lamp|5"], [3]),
        ("Sales 2024;;\n\nname;price;qty\nlamp;5;6\n", "name|price|qty", ["lamp|5|6"], [4]),
        ("Sales, 2024\nname,price,qty\nlamp,5,6\n", "name|price|qty", ["lamp|5|6"], [3]),
        ('"Sales, all of them"\nname,price\nlamp,5\n', "name|price", ["lamp|5"], [3]),
        ("Report\nMade: 2024-01-01\n\nname,city\nAda,Paris\n", "name|city", ["Ada|Paris"], [5]),
        ("Staff list\nname,city\nAda,Paris\nBob,Rome\n", "name|city", ["Ada|Paris", "Bob|Rome"], [3, 4]),
        ("Sales by region\nregion,2023,2024\nNorth,5,6\n", "region|2023|2024", ["North|5|6"], [3]),
        ("Account;DE1\nPeriod;2024\n\nDate;Text;Amount\nx;rent;5\n", "Date|Text|Amount", ["x|rent|5"], [5]),
        ("Report;2024;;\na;b;c;d\n1;2;3;4\n", "a|b|c|d", ["1|2|3|4"], [3]),
        ("name,\nlamp,5\n", "name|", ["lamp|5"], [2]),
        ("name;price;\nlamp;x;\ndesk;5;\n", "name|price", ["lamp|x", "desk|5"], [2, 3]),
        (",a,b\n0,1,2\n1,3,4\n", "|a|b", ["0|1|2", "1|3|4"], [2, 3]),
    ],
)
def test_a_title_is_not_the_header(content: str, columns: str, rows: list[str], lines: list[int]) -> None:
    found = read(content)
    assert found == Table(tuple(columns.split("|")), tuple(tuple(row.split("|")) for row in rows))
    assert [found.line_of(row) for row in range(len(rows))] == lines


@pytest.mark.parametrize(
    "content",
    [
        "a,b,\n1,2,\n3,4,\n",
        "a,b\n1,2,\n3,4\n",
        "a,b,,\n1,2\n3,4\n",
        "a,b\n1,2\n3,4\n\n,\n,,\n  \n",
        ",,\na,b\n1,2\n3,4",
    ],
)
def test_empty_cells_and_lines_at_the_end_do_not_count(content: str) -> None:
    assert read(content) == Table(("a", "b"), (("1", "2"), ("3", "4")))


def test_a_short_row_is_filled_up_where_only_its_end_can_be_missing() -> None:
    found = read("name,price,note\nlamp,5,nice\ndesk,6\n")
    assert found.rows == (("lamp", "5", "nice"), ("desk", "6", ""))
    assert "line 3" in problem("name,price,note\nlamp,5,nice\nbed\n")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a,b,c\n1,2,3\n4,5\n", 3),
        ("a,b\n1,2\n\n\n1,2,3\n", 5),
        ('a,b\n"x\r\n\r\ny",2\r\n1,2,3\r\n', 5),
        ("a,b\r1,2\r1,2,3\r", 3),
        ("sep=;\na;b\n1;2\n1;2;3\n", 4),
        ("name\nlamp,5\ndesk,6\n", 2),
        ("a,b\n1,2,3\n4,5,6\n", 2),
        ("Report\na,b\n1,2\n3,4\n5,6\n7,8\n9,1,2\n", 7),
    ],
)
def test_an_uneven_row_is_named_by_its_line(content: str, line: int) -> None:
    assert f"in line {line} but" in problem(content)


def test_lines_of_rows_are_those_of_an_editor() -> None:
    found = read('a,b\n\n"x\r\ny",1\r\n\r\n\r\nz,2\rw,3')
    assert [found.line_of(row) for row in range(3)] == [3, 7, 8]
    assert Table(("a",), (("1",), ("2",))).line_of(1) == 3


WORDS = st.text("abcdefghij äöü-", min_size=1, max_size=8).map(lambda word: f"x{word}y")
NUMBERS = st.integers(-(10**7), 10**7)
DIALECTS = st.sampled_from(
    [(",", "{:,}"), (",", "{}"), (";", "{:,}"), (";", "{}"), ("\t", "{:,}"), ("\t", "{}"), ("|", "{:,}")]
)


@given(
    st.lists(st.tuples(WORDS, NUMBERS, WORDS), min_size=1, max_size=6),
    DIALECTS,
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["", "Report 2024", "Report\n\n", "sep="]),
    st.booleans(),
)
def test_a_table_in_any_dialect_is_read_as_it_was(
    rows: list[tuple[str, int, str]], dialect: tuple[str, str], end: str, quoting: int, above: str, mark: bool
) -> None:
    separator, form = dialect
    table = Table(("name", "price", "note"), tuple((name, form.format(n), note) for name, n, note in rows))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([table.columns, *table.rows])
    title = f"sep={separator}" if above == "sep=" else above.replace("\n", end)
    content = ("\ufeff" if mark else "") + (title + end if title else "") + buffer.getvalue()
    assert read(content) == table


@given(st.text('ab1,;\t|"\n\r =.', max_size=60))
def test_any_text_is_a_table_or_a_sentence(content: str) -> None:
    try:
        found = read(content)
    except ContentProblem:
        return
    assert all(len(row) == len(found.columns) for row in found.rows)
    assert len(found.lines) == len(found.rows)
    assert read(tables.write(found).decode()) == found


CELLS = st.text('ab1,;\t|" \n=+-', max_size=6) | st.lists(
    st.sampled_from(['="a"', '"', "| a | b |\n", "|---|---|\n", "a b\n", "-- --\n", "| 1 | 2 |\n", "\n", '=""', "x,"])
).map("".join)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=5)
    )
)
def test_what_we_write_is_read_as_it_was(rows: list[list[str]]) -> None:
    columns, *body = map(tuple, rows)
    table = Table(columns, tuple(body))
    assert tables.read(tables.write(table)) == table
