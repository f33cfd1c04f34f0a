import pytest

from hugginggpt.documents.model import HTML
from hugginggpt.media.values import Table
from tests.documents.builders import contents


def text(markup: str | bytes) -> str:
    return contents(markup.encode() if isinstance(markup, str) else markup, HTML).text


def test_only_what_a_browser_shows_is_read() -> None:
    assert (
        text(
            "<html><head><title>News</title><style>p {color: red}</style></head><body><h1>Today</h1>"
            "<script>alert('x')</script><p>Fish &amp; <b>chips</b>&nbsp;for\n  all.</p><!-- not this -->"
            "<p hidden>a</p><p style='display: none'>b</p><noscript>c</noscript>"
            "<p>One<br>two</p><img src='http://x.invalid/a.png' alt='A cat'></body></html>"
        )
        == "News\n\nToday\n\nFish & chips for all.\n\nOne\ntwo\n\nA cat"
    )


def test_lists_have_their_marks() -> None:
    markup = "<ol start=3><li>a<ul><li>b</ul></li><li><p>c</p></li></ol><ul><li>d<li>e</ul>"
    assert text(markup) == "3. a\n  - b\n4. c\n\n- d\n- e"


def test_tables_are_readable_and_kept() -> None:
    read = contents(
        b"<p>Before</p><table><caption>Sales</caption><tr><th>Month<th>Sold</tr><tr><td>May<td>12</tr>"
        b"<tr><td rowspan=2>June<td>13</tr><tr><td>14</tr></table><p>After</p>",
        HTML,
    )
    assert read.text == "Before\n\nSales\nMonth | Sold\nMay | 12\nJune | 13\nJune | 14\n\nAfter"
    assert read.tables == (Table(("Month", "Sold"), (("May", "12"), ("June", "13"), ("June", "14"))),)


def test_a_table_that_arranges_the_page_is_none() -> None:
    read = contents(b"<table><tr><td><h1>Left</h1><td><table><tr><td>Right</table></table>", HTML)
    assert read.text == "Left\n\nRight" and read.tables == ()


@pytest.mark.parametrize(
    "markup",
    [
        '<meta charset="iso-8859-2"><p>żółw</p>'.encode("iso-8859-2"),
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2"><p>żółw</p>'.encode("iso-8859-2"),
        '<?xml version="1.0" encoding="iso-8859-2"?><html><p>żółw</p></html>'.encode("iso-8859-2"),
        "\ufeff<p>żółw</p>".encode("utf-16-le"),
        '<meta charset="utf-16"><p>żółw</p>'.encode(),
        '<meta charset="nonsense"><p>żółw</p>'.encode(),
        "<p>żółw</p>".encode(),
    ],
)
def test_the_declared_charset_is_respected(markup: bytes) -> None:
    assert text(markup) == "żółw"


def test_preformatted_text_keeps_its_lines() -> None:
    assert text("<p>a</p><pre>x = 1\n  y = 2\n</pre>") == "a\n\nx = 1\n  y = 2"


def test_nesting_without_end_is_read() -> None:
    assert text("<div><font>" * 20_000 + "deep") == "deep"
