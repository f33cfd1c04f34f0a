"""What others wrote, made fit for a prompt, a terminal, a file name and a database."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.text import MOST_NAME_BYTES, composed, file_name, is_storable, one_line, storable, visible

ACTING = "ab \t\n\r\x1b[]0m;\x07\\\x9b\x90\x00\u202e\u2066\ud800\U0001f3f4\U000e0067\U000e007f\u200b/.é"
UNSEEN = "\ufe0f\ufe00\u3164\u200d\U000e0100"
anything = st.text(st.characters(codec=None), max_size=60) | st.text(st.sampled_from(ACTING + UNSEEN))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("edges\x1b[K are", "edges are"),
        ("\x9b2Jgone", "gone"),
        ("\x1bcreset", "reset"),
        ("a\x00b\x08c\x7f", "abc"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("page one\x0cpage two", "page one\npage two"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("\u2066isolated\u2069", "isolated"),
        ("\ufeffbegin\u200bning", "beginning"),
        ("say\U000e0068\U000e0069 it", "say it"),
        ("half \ud83d of it", "half \ufffd of it"),
        ("a\U000e0100\U000e01ef\U000e0fff", "a"),
        ("a\ufe00\ufe01\ufe0f b", "a\ufe00 b"),
        ("\ufe0fa \ufe0e\ufe0fb", "a b"),
        ("a\u200d\ufe01\u200d\ufe02", "a\u200d\u200d"),
        ("a\u200b\ufe0f\u200b\ufe0f", "a\ufe0f"),
        ("\u3164\u115f\u1160\uffa0", ""),
    ],
)
def test_what_acts_goes(written: str, read: str) -> None:
    assert visible(written) == read


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦 👍🏽 ❤️ 🏳️‍🌈",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
        "مرحبا بالعالم‏ (٪٥٠)",
        "שָׁלוֹם עולם‎!",
        "می‌خواهم",  # Persian, with a joiner that does not join
        "e\u0301 Zu\u00adcker\u00adbrot\tTab\nnew line",
        "日本語 हिन्दी ไทย 한국어 葛飾 ≩\ufe00",
        "1\ufe0f\u20e3 \u2764\ufe0f\u200d\U0001f525 \u2602\ufe0e",  # a keycap, a heart on fire, a plain umbrella
    ],
)
def test_every_script_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert one_line(file_name(text)) == composed(" ".join(text.split()))


@given(anything)
def test_nothing_that_acts_is_left(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert all(unicodedata.category(c) not in ("Cc", "Cs") or c in "\n\t" for c in shown)
    shown.encode()


@given(anything, st.integers(8, 300))
def test_every_name_can_be_a_files(text: str, most: int) -> None:
    name = file_name(text, most)
    assert len(name.encode()) <= most
    assert name not in (".", "..")
    assert "/" not in name
    assert "\n" not in name
    assert file_name(name, most) == name


@pytest.mark.parametrize("letter", ["a", "é", "字", "😀"])
def test_a_long_name_is_shortened_and_keeps_its_ending(letter: str) -> None:
    name = file_name(letter * 300 + ".png")
    assert name.endswith(letter + ".png")
    assert MOST_NAME_BYTES - 4 < len(name.encode()) <= MOST_NAME_BYTES


@given(anything)
def test_what_is_storable_is_left_alone(text: str) -> None:
    assert is_storable(storable(text))
    assert storable(text) == text or not is_storable(text)


def test_one_line_is_cut_to_its_length() -> None:
    assert one_line("a\n b\tc", 3) == "a …"


def test_a_line_is_cut_and_has_nothing_that_acts() -> None:
    assert one_line("  a\r\n\tb\x07 \u202egpj.exe\u202c \ud800!") == "a b gpj.exe \ufffd!"
    assert one_line("x" * 300, 200) == "x" * 199 + "…"
