import pytest

from hugginggpt.documents import words


@pytest.mark.parametrize(
    ("markdown", "spoken"),
    [
        ("# Title #\n\nSome *very* **bold** and __strong__ `code`.", "Title\n\nSome very bold and strong code."),
        ("- one\n- [x] two\n1. three\n> said", "one\ntwo\n1. three\nsaid"),
        ("See [the docs](https://x.invalid/a_b) or [this][1].\n\n[1]: https://x.invalid", "See the docs or this."),
        ("```python\nx = 1\n```\n\n---\n\nEnd ~~not~~.", "x = 1\n\nEnd not."),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a, b\n1, 2"),
        ("2 * 3 * 4 and snake_case_name and \\*stars\\*", "2 * 3 * 4 and snake_case_name and *stars*"),
        ("One\n[page 2]\nTwo [page 3]", "One\nTwo [page 3]"),
        ("***both*** <https://x.invalid>", "both https://x.invalid"),
    ],
)  # fmt: skip
def test_markdown_is_spoken_without_marks(markdown: str, spoken: str) -> None:
    assert words(markdown) == spoken
