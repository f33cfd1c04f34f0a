"""What others wrote, in Markdown: rendered by a real renderer with HTML and links on, nothing foreign comes of it."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hugginggpt.text import one_line, visible
from tasks.ui.markdown import as_cell, as_code, as_link, as_text, fence

NASTY = [
    "![x](http://evil.example/pixel.png)",
    "<img src=http://evil.example/p>",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "[a]: http://evil.example\n\n[a]",
    "see http://evil.example and www.evil.example, mail me@evil.example or evil.example",
    "<http://evil.example>",
    "&lt;img src=x&gt; &#60;b&#62;",
    "```\n![x](http://evil.example)\n````\n~~~",
    "a | b\n--|--\n1 | 2",
    "# big\n\nTitle\n===\nOther\n---",
    "- one\n* two\n+ three\n1. four\n1234) five",
    "> quoted",
    "    indented\n\tmore",
    "ends in a backslash\\\nand goes on\\",
    "`code` and ``more`",
    "**bold** _it_ __it__ snake_case ~~gone~~",
    "\\![x](y) \\\\[a](b)",
    "http://a`b.com`![x](y)",
    "a@b|c@d|`e@f`",
    "<!-- -->\n<details>\n$$x$$ ^[note] [^1]\n\n[^1]: http://evil.example",
    "one  \ntwo\n\n\nthree",
]

MARKS = st.text(st.sampled_from("a1 .\n\t\\`*_[]()<>&|~#+-=:!/@'\"{}^$w"), max_size=40)
PIECES = st.lists(st.sampled_from(NASTY) | MARKS | st.text(max_size=8), max_size=5).map("".join)


RENDERER = MarkdownIt("gfm-like", {"html": True, "linkify": False})


def rendered(markdown: str) -> str:
    page = RENDERER.render(markdown)
    # What a renderer that makes links by itself would find.
    outside_code = re.sub(r"<code.*?</code>", "", page, flags=re.DOTALL)
    assert re.search(r"[a-z]//|www\.|@|mailto:", outside_code, re.IGNORECASE) is None
    return page


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def taken_apart(page: str) -> tuple[set[str], str]:
    parser = _Tags()
    parser.feed(page)
    return set(parser.tags), " ".join("".join(parser.said).split())


@pytest.mark.parametrize("written", NASTY)
def test_what_others_wrote_is_text(written: str) -> None:
    tags, said = taken_apart(rendered(as_text(written)))
    assert tags <= {"p", "br", "code"}
    assert said == one_line(written)


@given(PIECES)
def test_nothing_that_is_written_is_markdown(written: str) -> None:
    tags, said = taken_apart(rendered("Made by a model.\n\n" + as_text(written) + "\n\nThe end."))
    assert tags <= {"p", "br", "code"}
    assert said == " ".join(["Made by a model.", *one_line(written).split(), "The end."])


@given(PIECES)
def test_a_cell_stays_one_cell(written: str) -> None:
    page = rendered(f"| a | b |\n| --- | --- |\n| {as_cell(written)} | last |")
    tags, said = taken_apart(page)
    assert tags <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert page.count("<td>") == 2
    assert said.split() == ["a", "b", *one_line(written).split(), "last"]


@given(PIECES, st.sampled_from(["`", "~"]), st.integers(0, 12))
def test_a_block_of_code_cannot_be_ended_from_inside(written: str, mark: str, times: int) -> None:
    written = f"{written}\n{mark * times}\n{written}{mark * times}"
    page = rendered(fence(written) + "\n\nThe end.")
    match = re.fullmatch(r'<pre><code class="language-text">(.*)</code></pre>\n<p>The end.</p>\n', page, re.DOTALL)
    assert match is not None
    assert html.unescape(match[1]) == visible(written) + "\n"


@given(PIECES)
def test_code_in_a_sentence_is_ended_by_nothing_in_it(written: str) -> None:
    line = one_line(written)
    page = rendered(f"At {as_code(written)} (image/png)")
    match = re.fullmatch(r"<p>At <code>(.*)</code> \(image/png\)</p>\n", page)
    assert match is not None or not line
    assert match is None or html.unescape(match[1]).strip() == line


@given(PIECES)
def test_a_name_leads_where_we_say(written: str) -> None:
    page = RENDERER.render(f"At {as_link(written, 'http://localhost/x')} (image/png)")
    tags, said = taken_apart(page)
    assert tags <= {"p", "a", "code"} and page.count("<a ") == page.count('<a href="http://localhost/x">') == 1
    assert said.split() == ["At", *one_line(written).split(), "(image/png)"]


def test_the_name_of_a_file_is_written_plainly() -> None:
    """Prefect's older pages show what escapes a character in the text of a link."""
    assert as_link("my scan_2-speech.wav", "/x") == "[my scan_2-speech.wav](/x)"


def test_ordinary_text_reads_as_it_was_written() -> None:
    assert as_text("It says “hello”, 3.5 of 10 (35 %).") == "It says “hello”, 3.5 of 10 (35 %)."
    assert as_cell("sentence-transformers/all-MiniLM-L6-v2") == "sentence-transformers/all-MiniLM-L6-v2"
    assert as_text("one\ntwo\n\nthree") == "one\\\ntwo\n\nthree"
