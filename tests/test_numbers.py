"""Numbers in tables, read by column: how they are written, what is missing, and what is no number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.media import Table
from hugginggpt.media.numbers import is_missing, numeric_columns, why_not_numeric


def table(**columns: list[str]) -> Table:
    return Table(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def values(*cells: str, name: str = "x") -> list[float | None] | None:
    found = numeric_columns(Table((name,), tuple((cell,) for cell in cells)))
    return list(found[0].values) if found else None


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,800", "850"], [1800, 850]),
        (["1.800", "850"], [1800, 850]),
        (["1.000,00", "5"], [1000, 5]),
        (["1,000.00", "5"], [1000, 5]),
        (["58,50", "1.349"], [58.5, 1349]),
        (["1'000", "2’500.5"], [1000, 2500.5]),
        (["1 000", "1\u00a0234,5", "1\u202f234", "1\u2009234"], [1000, 1234.5, 1234, 1234]),
        (["1.234.567", "5"], [1234567, 5]),
        (["12,34,567", "1,00,000"], [1234567, 100000]),
        (["0,125", "12"], [0.125, 12]),
        (["0.125", "0.250"], [0.125, 0.25]),
        ([".5", "5."], [0.5, 5]),
        (["1e5", "2.5E-3"], [100000, 0.0025]),
        (["€ 1.200", "850"], [1200, 850]),
        (["1,200.50 USD", "$3", "US$ 4"], [1200.5, 3, 4]),
        (["$-5", "-$5", "5 $", "−$5"], [-5, -5, 5, -5]),
        (["CHF 1'234.50", "CHF 3.–"], [1234.5, 3]),
        (["1.200,-", "5,--"], [1200, 5]),
        (["R$ 1.234,56", "R$ 3"], [1234.56, 3]),
        (["₹ 1,00,000", "Rs. 500"], [100000, 500]),
        (["1 234,50 kr", "3 kr"], [1234.5, 3]),
        (["(1,234.50)", "5", "($2.00)", "$(3.00)"], [-1234.5, 5, -2, -3]),
        (["12%", "3.5 %", "0", "(2%)"], [12, 3.5, 0, -2]),
        (["−5", "–5", "5-", "+5", "- 5"], [-5, -5, -5, 5, -5]),
        (["5 kg", "6kg", "7"], [5, 6, 7]),
        (["%25", "%3,5"], [25, 3.5]),
        (["$ -", "$5.00", "- €"], [None, 5, None]),
        (["١٢٣٫٥", "１２"], [123.5, 12]),
        (["\ufeff5", " 6 ", "7\u200b"], [5, 6, 7]),
        (["1", "NA", "", "–", "?", "NaN", "#N/A", "0"], [1, None, None, None, None, None, None, 0]),
        (["1", "inf", "-Infinity", "1e999", "#DIV/0!", "∞"], [1, None, None, None, None, None]),
    ],
)
def test_a_column_of_numbers(cells: list[str], numbers: list[float | None]) -> None:
    assert values(*cells) == numbers


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["02134", "12345"], "town"),
        (["007", "5"], "agent"),
        (["3.9", "3.10"], "Python version"),
        (["1234567", "7654321"], "customer id"),
        (["1234567", "7654321"], "CustomerID"),
        (["1234567", "1234567"], "id"),
        (["404", "500", "404"], "error_code"),
        (["10115", "80331"], "PLZ"),
        (["5551234", "5551235"], "Phone number"),
        (["12345", "12346"], "Kundennummer"),
        (["+4917012345678", "+4930123456"], "contact"),
        (["4111111111111111", "5500005555555559"], "card"),
        (["2024-01-05", "2024-01-06"], "day"),
        (["05.03.2024"], "day"),
        (["12:30"], "time"),
        (["1.2.3"], "release"),
        (["555-1234"], "x"),
        (["10-20", "18+"], "age"),
        (["50%", "0.5"], "share"),
        (["€5", "$5"], "price"),
        (["1,5", "2.5"], "x"),
        (["1,2,3"], "x"),
        (["1_000", "0x1F"], "x"),
        (["5a", "6a"], "room"),
        (["", "NA"], "x"),
        (["one", "2"], "x"),
    ],
)
def test_a_column_of_text(cells: list[str], name: str) -> None:
    assert values(*cells, name=name) is None
    assert why_not_numeric(Table((name,), tuple((cell,) for cell in cells)), 0)


def test_quantities_are_not_taken_for_identifiers() -> None:
    assert values("1234567", "7654321", name="population") == [1234567, 7654321]
    assert values("1", "1", "2", name="store_id") == [1, 1, 2]
    assert values("1,234", "5,600", name="id") == [1234, 5600]
    assert values("3", "4", name="number of rooms") == [3, 4]
    assert values("3.5", "4", name="code size") == [3.5, 4]


def test_an_ambiguous_column_is_said() -> None:
    (comma,) = numeric_columns(table(sales=["1,234", "5,678"])).values()
    assert (comma.values, comma.note) == (
        (1234, 5678),
        "In the column sales, 1,234 was read as 1234, not as 1.234.",
    )
    (point,) = numeric_columns(table(sales=["1.234", "5.678"])).values()
    assert (point.values, point.note) == (
        (1.234, 5.678),
        "In the column sales, 1.234 was read as 1.234, not as 1234.",
    )


def test_the_other_columns_show_the_decimal_mark() -> None:
    german = numeric_columns(table(name=["a", "b"], sales=["1.234", "5.678"], price=["1,5", "2,75"]))
    assert [(c.name, c.values, c.note) for c in german.values()] == [
        ("sales", (1234, 5678), ""),
        ("price", (1.5, 2.75), ""),
    ]
    english = numeric_columns(table(ratio=["1.234", "5.678"], sales=["1,234", "5,678"], price=["1.5", "2.75"]))
    assert [(c.values, c.note) for c in english.values()][:2] == [((1.234, 5.678), ""), ((1234, 5678), "")]
    mixed = numeric_columns(table(sales=["1,234", "5,678"], a=["1.5", "2.5"], b=["1,5", "2,5"]))
    assert mixed[0].values == (1234, 5678) and mixed[0].note


def test_units_are_kept_and_columns_may_share_a_name() -> None:
    found = numeric_columns(Table(("a", "a", "b"), (("5 €", "1", "x"), ("6,50 €", "2", "y"))))
    assert [(at, column.name, column.unit) for at, column in found.items()] == [(0, "a", "€"), (1, "a", "")]


@pytest.mark.parametrize(
    "cell", ["", " ", "NA", "N/A", "n/a", "null", "NULL", "None", "-", "–", "—", "?", "#N/A", "nan"]
)
def test_missing(cell: str) -> None:
    assert is_missing(cell)


@pytest.mark.parametrize("cell", ["0", "Na", "none", "no", "unknown", "x", "0-"])
def test_not_missing(cell: str) -> None:
    assert not is_missing(cell)


LOCALES = st.sampled_from(
    [
        (",", "."),
        (".", ","),
        ("'", "."),
        ("\u2019", "."),
        (" ", ","),
        ("\u00a0", ","),
        ("\u202f", "."),
        ("", "."),
        ("", ","),
    ]
)
AROUND = st.sampled_from(["{}", "€ {}", "{} €", "{} EUR", "${}", "{} %", "CHF {}", "{} kg"])


@given(
    st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=8),
    LOCALES,
    AROUND,
    st.sampled_from(["-{}", "−{}", "({})", "{}-"]),
)
def test_any_column_in_the_numbers_of_a_locale_has_the_same_values(
    numbers: list[object], locale: tuple[str, str], around: str, negative: str
) -> None:
    group, decimal = locale

    def written(number: float) -> str:
        digits = f"{abs(number):,.2f}".replace(",", "G").replace(".", decimal).replace("G", group)
        return negative.format(around.format(digits)) if number < 0 else around.format(digits)

    assert values(*map(written, numbers)) == [float(number) for number in numbers]  # type: ignore[arg-type]


@given(st.lists(st.text("0123456789.,' -+()%€$eE\u2212naNA", max_size=12), max_size=6), st.text(max_size=8))
def test_any_cells_are_finite_numbers_or_text(cells: list[str], name: str) -> None:
    found = values(*cells, name=name)
    assert found is None or all(value is None or abs(value) < float("inf") for value in found)
