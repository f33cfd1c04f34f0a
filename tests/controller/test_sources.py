"""What a plan may name: attached files, names and URLs in the request, long passages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.sources import named_in, sources_of, take_passages

LONG = " ".join(["The meeting was moved to Thursday because the hall is being painted."] * 3)


def found(text: str, *attached: tuple[str, ValueType], earlier: str = "") -> dict[str, str]:
    return {s.name: s.label for s in sources_of(take_passages(text), attached, [earlier])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Read scan.png.", {"scan.png": "image"}),
        ("Read 'Invoice March.png' and (b.wav), please!", {"Invoice March.png": "image", "b.wav": "audio"}),
        ("see shots/door.JPG and ~/x/y.csv", {"shots/door.JPG": "image", "~/x/y.csv": "table"}),
        ("https://example.org/b.png?size=2, please", {"https://example.org/b.png?size=2": "image"}),
        ("See https://example.org/page.", {"https://example.org/page": "document"}),
        ("my voice memo is memo.m4a, the contract contract.pdf", {"memo.m4a": "audio", "contract.pdf": "document"}),
        ("clip.mp4 clip.mp4 notes.txt", {"clip.mp4": "video", "notes.txt": "text"}),
        (
            "See https://example.org/Cat_(1).jpg (or https://example.org/b.png).",
            {"https://example.org/Cat_(1).jpg": "image", "https://example.org/b.png": "image"},
        ),
        ("I like it.So do you", {}),
        ("Caption Cat.Jpg and hear b.Wav.", {"Cat.Jpg": "image", "b.Wav": "audio"}),
        ("No file here, e.g. version 2.0 or example.com", {}),
    ],
)
def test_names_and_urls_in_a_request(text: str, expected: dict[str, str]) -> None:
    assert found(text) == expected


def test_an_attached_file_is_listed_once_under_its_own_name() -> None:
    photo = ("my cat.png", ValueType.IMAGE)
    assert found("What is on my cat.png?", photo) == {"my cat.png": "image"}
    assert found("What is on pics/my.png?", ("my.png", ValueType.IMAGE)) == {"my.png": "image"}
    assert found("Compare 1.png with 11.png", ("1.png", ValueType.IMAGE)) == {"1.png": "image", "11.png": "image"}
    page = {"a.png": "image", "https://x.org/a.png": "image"}
    assert found("What is on https://x.org/a.png?", ("a.png", ValueType.IMAGE)) == page


def test_names_of_earlier_turns_may_be_named_again() -> None:
    assert found("And now in French.", earlier="Read scan.png") == {"scan.png": "image"}


@pytest.mark.parametrize(
    ("text", "shown", "passages"),
    [
        (f'Sum up "{LONG}" in French.', 'Sum up "passage-1" in French.', [LONG]),
        (f"Sum up “{LONG}” and «{LONG}»", "Sum up “passage-1” and «passage-2»", [LONG, LONG]),
        (f"Translate this text:\n{LONG}\n\nThen say it.", "Translate this text:\npassage-1\n\nThen say it.", [LONG]),
        (f'Read "he said "{LONG}" and left"', 'Read "passage-1"', [f'he said "{LONG}" and left']),
        ('Say "Hello" aloud.', 'Say "Hello" aloud.', []),
        (f"Do this: 1. read a.png 2. {LONG}", f"Do this: 1. read a.png 2. {LONG}", []),
        (f"Do the following: describe a picture, say what it shows, {LONG.lower()}", None, []),
        (f"To French, please. Text: {LONG}", "To French, please. Text: passage-1", [LONG]),
        (f"Please do this:\nStep 1: clean the sound\nStep 2: {LONG}", None, []),
        (f"Sum up this: {LONG} Then translate it.", "Sum up this: passage-1 Then translate it.", [LONG]),
        (f'Translate „Hallo“ and sum up "{LONG}"', 'Translate „Hallo“ and sum up "passage-1"', [LONG]),
        (f'The 5" screen: sum up "{LONG}"', 'The 5" screen: sum up "passage-1"', [LONG]),
        (f'Sum up passage-1 and "{LONG}"', 'Sum up passage-1 and "passage-2"', [LONG]),
        (f"Answer the following question: Who pays? {LONG}", None, []),
        (f'Is this good: yes or no? "{LONG}"', 'Is this good: yes or no? "passage-1"', [LONG]),
    ],
)  # fmt: skip
def test_long_texts_are_taken_out_of_the_request(text: str, shown: str | None, passages: list[str]) -> None:
    read = take_passages(text)
    assert (read.text.strip(), list(read.passages.values())) == ((shown or text).strip(), passages)


MAIL = "Dear Mrs Okafor,\n\n" + f"{LONG}\n\n" * 8 + "Kind regards,\nMartin Hale"


@pytest.mark.parametrize(
    ("text", "shown", "passage"),
    [
        (f"Summarise this mail, please.\n\n{MAIL}", "Summarise this mail, please.\n\npassage-1", MAIL),
        (f"Translate the following to French:\n\n{MAIL}", "Translate the following to French:\n\npassage-1", MAIL),
        (f"{MAIL}\n\nCan you put this into plain words?", "passage-1\n\nCan you put this into plain words?", MAIL),
        (
            f"This came today.\nCan you shorten it?\n\n{MAIL}\n\nThen read it aloud.\n",
            "This came today.\nCan you shorten it?\n\npassage-1\n\nThen read it aloud.\n",
            MAIL,
        ),
        (f"{f'{LONG} ' * 15}Sum this up!", "passage-1 Sum this up!", f"{LONG} " * 14 + LONG),
        (f"Show the kitchen.\n\n{MAIL}", f"Show the kitchen.\n\n{MAIL}", None),
        (f"Summarise this.\n\n{LONG}", f"Summarise this.\n\n{LONG}", None),
        (f"Do as this says.\n\n1. Read a.png.\n{LONG * 5}", f"Do as this says.\n\n1. Read a.png.\n{LONG * 5}", None),
    ],
)  # fmt: skip
def test_a_long_text_beside_the_wish_about_it_is_taken_out_whole(text: str, shown: str, passage: str | None) -> None:
    read = take_passages(text)
    assert (read.text, list(read.passages.values())) == (shown, [passage] if passage else [])


@given(st.text(alphabet='ab ."“”:\n1-') | st.text())
def test_nothing_of_a_request_is_lost(text: str) -> None:
    read = take_passages(text)
    whole = read.text
    for name, passage in read.passages.items():
        whole = whole.replace(name, passage, 1)
    assert whole == text
    assert all(name in read.text for name in named_in(read.text))


@pytest.mark.parametrize(
    "text", ["/" * 10_000, "-/" * 5_000, "a/" * 5_000, "a." * 5_000, "http://" + "(" * 9_000, '"' * 9_000]
)
def test_a_long_request_of_odd_characters_is_read_at_once(text: str) -> None:
    """Where a pattern went back over what it had read, it would take minutes."""
    assert len(list(named_in(text))) <= 1 and not take_passages(text).passages
