"""Where sentences end, and the items of lists begin."""

import pytest

from hugginggpt.controller.embedded.sentences import list_items, sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [""]),
        ("It is due.  Pay it!\nWhen? 5 May.", ["It is due.", "Pay it!", "When?", "5 May."]),
        ("She paid in 2019. She left.", ["She paid in 2019.", "She left."]),
        (
            "Mr. and Mrs. Lind, Dr. Low and J. Roe came. They paid.",
            ["Mr. and Mrs. Lind, Dr. Low and J. Roe came.", "They paid."],
        ),
        (
            "ACME Ltd. pays approx. half, i.e. Ann pays. Is that so?",
            ["ACME Ltd. pays approx. half, i.e. Ann pays.", "Is that so?"],
        ),
        (
            "It opens at 8 a.m. on Monday and closes at 5 p.m. The pool is free.",
            ["It opens at 8 a.m. on Monday and closes at 5 p.m.", "The pool is free."],
        ),
        ("Open Mon. to Fri. in May. Call us.", ["Open Mon. to Fri. in May.", "Call us."]),
        ("No. Invoice No. A12 is due.", ["No.", "Invoice No. A12 is due."]),
        ("i got this. who pays? me", ["i got this.", "who pays?", "me"]),
        ("It costs 5.50 EUR. 2 adults pay.", ["It costs 5.50 EUR. 2 adults pay."]),
    ],
)
def test_a_sentence_does_not_end_at_an_abbreviation(text: str, found: list[str]) -> None:
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("Read it.", ["Read it."]),
        ("", [""]),
        ("- ", ["-"]),
        ("1. Read it. 2. Who pays?", ["Read it.", "Who pays?"]),
        ("Two things:\n  * Who\n  pays?\n  * When?", ["Two things:", "Who\n  pays?", "When?"]),
        ("What is 5 - 3? It is due in 2026. Pay.", ["What is 5 - 3? It is due in 2026. Pay."]),
    ],
)
def test_the_items_of_a_list_lose_their_marks(text: str, items: list[str]) -> None:
    assert list_items(text) == items
