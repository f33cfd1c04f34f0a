"""What the embedded OCR makes of turned, long and wide pages, of columns, foreign scripts and transparent pictures."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFilter, ImageFont

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.embedded.legible import UNREADABLE
from hugginggpt.media import Image, Text
from tests.experts.embedded import Embedded, embedded
from tests.experts.test_reading_order import FIRST, HARBOUR, QUAY, SECOND

EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS = [
    "INVOICE 2041",
    "ACME Supplies Ltd. 12 March 2026",
    "Paper, 10 boxes 45.00",
    "Toner, black 73.50",
    "Total 118.50 EUR",
]
CYRILLIC = ["Счёт на оплату номер 2041", "Москва, улица Тверская", "Итого к оплате 118,50"]


@pytest.fixture(scope="module")
def reader() -> Iterator[Embedded]:
    with embedded("image-to-text") as reader:
        yield reader


def read(reader: Embedded, picture: PILImage.Image) -> list[str]:
    (text,) = reader(image=Image(picture))
    return str(text.text).splitlines()  # type: ignore[union-attr]


def page(
    texts: list[str], *, size: int = 28, left: int = 40, width: int = 900, ground: str = "white", ink: str = "black"
) -> PILImage.Image:
    picture = PILImage.new("RGB", (width, 60 + 2 * size * len(texts)), ground)
    write(picture, texts, left, size, ink)
    return picture


def write(picture: PILImage.Image, texts: list[str], left: int, size: int, ink: str = "black") -> None:
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for n, text in enumerate(texts):
        draw.text((left, 30 + 2 * size * n), text, fill=ink, font=font)


def foreign(texts: list[str]) -> PILImage.Image:
    """Letters that the model does not know; every system with Pillow's tests or a browser has a font with them."""
    picture = PILImage.new("RGB", (900, 60 + 60 * len(texts)), "white")
    draw = ImageDraw.Draw(picture)
    try:
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont = ImageFont.truetype("DejaVuSans.ttf", 28)
    except OSError:
        font = ImageFont.load_default(28)  # draws a box for each letter, which cannot be read either
    for n, text in enumerate(texts):
        draw.text((40, 30 + 60 * n), text, fill="black", font=font)
    return picture


@pytest.mark.parametrize("degrees", [90, 180, 270, 88.5, 181])
def test_a_turned_page_is_turned_back(reader: Embedded, degrees: float) -> None:
    turned = page(ROWS).rotate(degrees, PILImage.Resampling.BICUBIC, expand=True, fillcolor="white")
    assert read(reader, turned) == ROWS


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_words_of_a_turned_page_are_where_they_stand_in_the_picture(reader: Embedded, degrees: int) -> None:
    turned = page(ROWS).rotate(degrees, expand=True, fillcolor="white")
    words = dict(reader.model.words(turned, Deadline(300)))
    upright = dict(reader.model.words(page(ROWS), Deadline(300)))
    assert words.keys() == upright.keys()
    left, top, right, bottom = upright["118.50"]
    width, height = page(ROWS).size
    expected = {
        90: (top, width - right, bottom, width - left),
        180: (width - right, height - bottom, width - left, height - top),
        270: (height - bottom, left, height - top, right),
    }[degrees]
    assert np.allclose(words["118.50"], expected, atol=15)


def test_writing_along_the_margin_does_not_turn_the_page(reader: Embedded) -> None:
    picture = page(ROWS)
    margin = page(["Printed on recycled paper"], size=20, width=330).crop((0, 20, 330, 64))
    picture.paste(margin.rotate(90, expand=True), (840, 0))
    found = read(reader, picture)
    assert [line for line in found if line in ROWS] == ROWS
    assert "Printed on recycled paper" in found


def test_columns_on_a_picture_are_read_one_after_the_other(reader: Embedded) -> None:
    picture = PILImage.new("RGB", (1000, 620), "white")
    write(picture, ["The harbour and its people: a walk of two hundred years"], 150, 24)
    columns = PILImage.new("RGB", (1000, 480), "white")
    write(columns, FIRST, 40, 20)
    write(columns, SECOND, 530, 20)
    picture.paste(columns, (0, 120))
    assert read(reader, picture)[1:] == FIRST + SECOND


def test_three_columns_on_a_picture(reader: Embedded) -> None:
    texts = [textwrap.wrap(text, 24)[:8] for text in (HARBOUR, QUAY, HARBOUR)]
    picture = PILImage.new("RGB", (1100, 400), "white")
    for n, column in enumerate(texts):
        write(picture, column, 30 + 360 * n, 20)
    assert read(reader, picture) == [line for column in texts for line in column]


@pytest.mark.parametrize("cut", [0, 11, 23])
def test_no_line_of_a_long_screenshot_is_lost_or_doubled(reader: Embedded, cut: int) -> None:
    texts = [f"Message {n} costs {7 * n}.50 EUR" for n in range(90)]
    picture = PILImage.new("RGB", (700, 60 + 44 * len(texts)), "white")
    write(picture, texts, 40, 22)
    assert read(reader, picture.crop((0, cut, 700, picture.height))) == texts


def test_a_row_of_a_wide_picture_is_read_as_one_line(reader: Embedded) -> None:
    cells = [[f"Cell {row}.{n}" for n in range(20)] for row in range(3)]
    picture = PILImage.new("RGB", (5000, 300), "white")
    for n in range(20):
        write(picture, [row[n] for row in cells], 30 + 245 * n, 24)
    sentence = " ".join(f"word{n:02}" for n in range(45))
    write(picture, ["", "", "", sentence], 30, 24)
    assert read(reader, picture) == [*(" ".join(row) for row in cells), sentence]


def test_small_writing_on_a_large_picture_is_not_shrunk(reader: Embedded) -> None:
    texts = [f"File {n} of report {37 * n} has {113 * n} bytes" for n in range(1, 13)]
    picture = PILImage.new("RGB", (3840, 2160), "white")
    write(picture, texts, 1700, 14)
    assert read(reader, picture) == texts


def test_letters_higher_than_a_window_are_read_whole(reader: Embedded) -> None:
    poster = PILImage.new("RGB", (1654, 2339), "white")
    draw = ImageDraw.Draw(poster)
    texts = ["SALE", "ENDS", "TODAY"]
    for n, text in enumerate(texts):
        draw.text((120, 500 + 460 * n), text, fill="black", font=ImageFont.load_default(400))
    draw.text((120, 120), "The great summer poster", fill="black", font=ImageFont.load_default(60))
    assert read(reader, poster) == ["The great summer poster", *texts]


def test_no_line_of_a_slanted_page_is_lost_or_doubled_where_windows_meet(reader: Embedded) -> None:
    texts = [f"In row {n} of this page there are {37 * n} boxes of paper on the shelf" for n in range(11, 45)]
    slanted = page(texts, size=26, width=1300).rotate(4, PILImage.Resampling.BICUBIC, expand=True, fillcolor="white")
    assert read(reader, slanted) == texts


def test_a_page_of_600_dots_per_inch_takes_less_than_500_megabytes() -> None:
    picture = PILImage.new("RGB", (4960, 7016), "white")
    write(picture, ROWS, 400, 90)
    before = set(psutil.Process().children())
    with embedded("image-to-text") as reader:
        (process,) = set(psutil.Process().children()) - before
        assert read(reader, picture) == ROWS
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    assert peak * 1024 < 500 * 10**6


def test_letters_that_the_model_does_not_know_are_marked(reader: Embedded) -> None:
    picture = page([*ROWS, "", "", ""])
    picture.paste(foreign(CYRILLIC[1:]).crop((0, 0, 900, 150)), (0, 40 + 56 * len(ROWS)))
    found = read(reader, picture)
    assert found[: len(ROWS)] == ROWS
    assert all(UNREADABLE in line for line in found[len(ROWS) :]) and len(found) > len(ROWS)
    assert not any(sign.isalpha() for line in found[len(ROWS) :] for sign in line.replace(UNREADABLE, ""))


def test_a_page_in_a_foreign_script_is_refused_in_a_sentence(reader: Embedded) -> None:
    with pytest.raises(ExpertError, match=r"cannot be read: .* in a script other than Latin"):
        read(reader, foreign(["Москва, улица Тверская", "Привет мир", "Итого к оплате"]))


def test_a_page_that_is_too_unclear_does_not_give_wrong_words(reader: Embedded) -> None:
    blurred = page(ROWS).filter(ImageFilter.GaussianBlur(7))
    try:
        found = read(reader, blurred)
    except ExpertError:
        return
    words = {word for row in ROWS for word in row.split()} | {UNREADABLE}
    wrong = [word for line in found for word in line.split() if word not in words]
    assert len(wrong) <= 1, found


@pytest.mark.parametrize(("ground", "ink"), [("white", "black"), ("black", "white"), ("navy", "yellow")])
def test_writing_on_nothing_is_read_whatever_its_colour(reader: Embedded, ground: str, ink: str) -> None:
    stencil = page(ROWS).convert("L").point(lambda level: 255 - level)
    picture = PILImage.new("RGBA", stencil.size, ink)
    picture.putalpha(stencil)
    assert read(reader, picture) == ROWS


def test_a_page_whose_file_has_its_text_is_not_read_again(reader: Embedded) -> None:
    (text,) = reader(image=Image(page(["something else"]), text="Payment within 30 days"))
    assert text == Text("Payment within 30 days")


def test_an_ordinary_page_is_read_as_before(reader: Embedded) -> None:
    with PILImage.open(EXAMPLES / "invoice.png") as invoice:
        found = read(reader, invoice.convert("RGB"))
    assert found[0] == "Fenwright Interiors INVOICE"
    assert "Oak desk, 160 x 80 cm 2 698.00 EUR" in found and "Total due 1,593.96 EUR" in found
    assert not any(UNREADABLE in line for line in found)
