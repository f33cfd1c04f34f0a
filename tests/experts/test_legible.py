"""Words that the OCR model left out, found by their ink."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from hugginggpt.experts.embedded.legible import UNREADABLE, Line, line_of, read_page

FONT = ImageFont.load_default(32)


def line(drawn: str, read: str, *, sure: float = 0.99, ink: str = "black", paper: str = "white") -> Line:
    """A line of which only the letters of `read` were read; a dot in it stands for each letter that was left out."""
    width = round(FONT.getlength(drawn)) + 16
    picture = PILImage.new("RGB", (width, 48), paper)
    ImageDraw.Draw(picture).text((8, 4), drawn, fill=ink, font=FONT)
    places = [8 + FONT.getlength(drawn[:n]) + FONT.getlength(sign) / 2 for n, sign in enumerate(drawn)]
    text = read.replace(".", "")
    kept = [n for n, sign in enumerate(read) if sign != "."]
    cols = [[int(places[n] / 8)] for n in kept if read[n] != " "]
    info = SimpleNamespace(word_cols=cols, confs=[sure] * len(kept), line_txt_len=width / 8)
    return line_of(np.asarray(picture), text, info)


@pytest.mark.parametrize(("ink", "paper"), [("black", "white"), ("white", "black"), ("#555555", "#dddddd")])
def test_a_line_of_which_everything_was_read_is_passed_on(ink: str, paper: str) -> None:
    assert read_page([line("Total due 118 EUR", "Total due 118 EUR", ink=ink, paper=paper)]) == ["Total due 118 EUR"]


def test_numbers_of_a_line_in_a_foreign_script_are_kept() -> None:
    assert read_page([line("Gesamt wert 2041", "...... .... 2041")]) == [f"{UNREADABLE} 2041"]


def test_a_word_that_lacks_a_letter_is_marked_and_the_others_stay() -> None:
    good = [line("The total amount", "The total amount")] * 4
    found = read_page([*good, line("The amount of it matters", "The a.ount of it .atters")])
    assert found[4] == f"The {UNREADABLE} of it {UNREADABLE}"


def test_similar_letters_on_a_page_in_a_foreign_script_are_not_taken_for_known_ones() -> None:
    foreign = [line("Gesamt wert", "...... ....")] * 2
    found = read_page([*foreign, line("HOPE", "HOPE", sure=0.9), line("PARK 17", "PARK 17", sure=0.92)])
    assert found == [UNREADABLE] * 3 + [f"{UNREADABLE} 17"]


@pytest.mark.parametrize(("sure", "passed"), [(0.99, True), (0.75, False), (0.6, False)])
def test_lines_of_low_probability_are_marked(sure: float, passed: bool) -> None:
    (text,) = read_page([line("Total due today", "Total due today", sure=sure)])
    assert text == ("Total due today" if passed else UNREADABLE)


def test_a_stain_is_neither_text_nor_marked() -> None:
    blot = np.full((30, 30, 3), 255, np.uint8)
    blot[8:22, 8:22] = 0
    nothing = line_of(blot, "", SimpleNamespace(word_cols=[], confs=[0.0], line_txt_len=4))
    assert read_page([line("Total", "Total"), nothing]) == ["Total", ""]
