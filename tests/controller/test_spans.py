"""The grammar of answers from a text: it lets every span of the text through, and nothing else."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hugginggpt.controller.embedded.spans import answer_grammar, answer_in, written_answer
from tests.plan.gbnf import Recogniser

TEXT = 'INVOICE "4402"\nTotal:  1,593.96 EUR\nPaid by 2.11.2026, 14:05-15:00 \\ a/b 7.50€ 2,300.00EUR\n'
LETS_THROUGH = Recogniser(answer_grammar(TEXT))


@pytest.mark.parametrize(
    "answer",
    [
        "not said",
        "4402",
        '"4402" Total',
        "1,593.96 EUR",
        "7.50",
        "7.50€",
        "EUR",
        "2.11.2026",
        "14:05-15:00",
        "Paid = yes",
        "Total: 1,593.96 = no",
        "\\ a/b",
        " ".join(TEXT.split()),
    ],
)
def test_lets_spans_through(answer: str) -> None:
    assert LETS_THROUGH.fullmatch(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "not",
        "402",  # a part of a number
        "593.96",
        "1,593",
        "Total:  1,593.96",
        "1,593.96EUR",
        "4403",
        "yes",
        "not said = yes",
        "= yes",
        "Paid = maybe",
        "300.00EUR",
        "EUR INVOICE",
        "Paid by 2.11.2026 14:05",
    ],
)
def test_lets_nothing_else_through(answer: str) -> None:
    assert not LETS_THROUGH.fullmatch(answer)


def test_an_empty_text_says_nothing() -> None:
    lets_through = Recogniser(answer_grammar(" \n"))
    assert lets_through.fullmatch("not said") and not lets_through.fullmatch(" = yes")


WORDS = st.lists(st.sampled_from(["a", "b", "c", "1", "2", "é", '"', "\\", ".", ","]), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(units=WORDS, gaps=st.lists(st.sampled_from([" ", "\n", "  "]), min_size=12, max_size=12), data=st.data())
def test_what_it_lets_through_stands_in_the_text(units: list[str], gaps: list[str], data: st.DataObject) -> None:
    text = "".join(unit + gap for unit, gap in zip(units, gaps, strict=False)).strip()
    lets_through = Recogniser(answer_grammar(text))
    start = data.draw(st.integers(0, len(units) - 1))
    end = data.draw(st.integers(start + 1, len(units)))
    span = " ".join(units[start:end])
    assert lets_through.fullmatch(span) and lets_through.fullmatch(f"{span} = no")
    other = data.draw(st.text(alphabet='abc12é"\\., \n', min_size=1, max_size=8))
    if lets_through.fullmatch(other):
        assert other in " ".join(units) and re.fullmatch(r"\S(.*\S)?", other, re.DOTALL)


@pytest.mark.parametrize("answer", [("2 November", None), ("closed on Monday", False), ("open", True), (None, None)])
def test_what_is_written_can_be_read(answer: tuple[str | None, bool | None]) -> None:
    assert answer_in(written_answer(*answer)) == answer
