import io
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pypdfium2
import pytest
from PIL import Image as PILImage
from PIL import ImageDraw

from hugginggpt.deadline import Deadline
from hugginggpt.documents import picture, reading
from hugginggpt.documents.model import PDF
from hugginggpt.media.problem import ContentProblem
from tests.documents.builders import LIMITS, contents, pdf, scan, words

LEFT = (
    "The quick brown fox jumps over the lazy",
    "dog and then it goes home to sleep until",
    "the morning comes and the sun rises up",
    "over the hills where it all began once",
)
RIGHT = (
    "Another column tells a different story of",
    "a small bird that sings in the old tree",
    "and nobody knows why it sings so loudly",
    "every single day from dawn until dusk",
)


def lines(*texts: str, x: int = 72, y: int = 700) -> bytes:
    return b"".join(words(text, x, y - 14 * number) for number, text in enumerate(texts))


def test_pages_are_marked_and_read_in_order() -> None:
    read = contents(pdf([lines("First page."), lines("Second page."), b""]), PDF)
    assert read.text == "First page.\n[page 2]\nSecond page.\n[page 3]"
    assert [page.is_picture for page in read.pages] == [False] * 3 and read.has_pictures


def test_divided_words_are_put_together_and_compounds_stay() -> None:
    text = lines("A long-term exam-", "ple of well-known and long-", "term words from 1990-", "2000 by Jean-", "Paul.")
    assert contents(pdf(text), PDF).text == (
        "A long-term example\nof well-known and long-term\nwords from 1990-\n2000 by Jean-\nPaul."
    )


def test_paragraphs_are_apart() -> None:
    content = lines("One line", "and the next.", y=700) + lines("Another paragraph", "goes on.", y=650)
    assert contents(pdf(content), PDF).text == "One line\nand the next.\n\nAnother paragraph\ngoes on."


def test_columns_that_the_file_mixes_are_read_one_after_the_other() -> None:
    head = words("A title across the whole of the page, over both of its columns", 72, 740)
    mixed = b"".join(
        words(left, 72, 700 - 14 * row, 10) + words(right, 320, 700 - 14 * row, 10)
        for row, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True))
    )
    text = contents(pdf(head + mixed), PDF).text
    assert text.split("\n\n", 1)[1] == "\n".join(LEFT) + "\n\n" + "\n".join(RIGHT)


def test_headings_do_not_close_a_narrow_gutter() -> None:
    # An article by LaTeX: 10 points between the columns, and a heading in one of them beside a line of the other.
    left = words("1", 60, 728, 15) + words("Introduction", 84, 728, 15)
    left += b"".join(words(text, 60, 712 - 12 * row, 10) for row, text in enumerate(LEFT))
    right = words("3", 252, 728, 15) + words("Results", 276, 728, 15)
    right += b"".join(words(text, 252, 712 - 12 * row, 10) for row, text in enumerate(RIGHT))
    expected = ["1", "Introduction", *" ".join(LEFT).split(), "3", "Results", *" ".join(RIGHT).split()]
    assert contents(pdf(left + right), PDF).text.split() == expected


def test_words_are_apart_where_the_file_has_no_space() -> None:
    moved = (rb"[(received) -372 (from)]", rb"[(treasurer,) -200 (Henry)]")
    content = b"".join(b"BT /F1 12 Tf 72 %d Td %s TJ ET\n" % (700 - 20 * row, text) for row, text in enumerate(moved))
    content += b"BT /F1 12 Tf 3 Tc 72 660 Td (TOTAL) Tj 0 Tc ET\n"
    assert contents(pdf(content), PDF).text == "received from\ntreasurer, Henry\nTOTAL"


def test_accents_drawn_over_letters_go_with_them() -> None:
    content = b"BT /F1 12 Tf 72 700 Td [(Fl\250) 444 (ogel)] TJ 0 -20 Td (5\264 o) Tj ET\n"
    assert contents(pdf(content), PDF).text == "Flögel\n5\u00b4 o"


def test_two_lines_beside_a_tall_word_stay_two() -> None:
    content = words("Smith & Sons Limited", 72, 712, 10) + words("14 Mill Lane", 90, 700, 10)
    tall = words("INVOICE", 400, 703, 28)
    assert contents(pdf(content + tall), PDF).text == "Smith & Sons Limited\tINVOICE\n14 Mill Lane"


def test_tables_stay_rows() -> None:
    rows = (("Item", "Pieces", "Price"), ("A rather long name of a thing", "2", "12.50"), ("Tea", "10", "1,200.00"))
    content = b"".join(
        words(cell, x, 700 - 16 * number)
        for number, row in enumerate(rows)
        for x, cell in zip((72, 320, 420), row, strict=True)
    )
    by_column = b"".join(
        words(row[column], x, 700 - 16 * number)
        for column, x in enumerate((72, 320, 420))
        for number, row in enumerate(rows)
    )
    expected = "\n".join(" | ".join(row) for row in rows)
    for drawn in (content, by_column):
        read = contents(pdf(drawn), PDF)
        assert read.text == expected
        assert [(table.columns, table.rows) for table in read.tables] == [(rows[0], rows[1:])]


def test_long_labels_and_values_stay_rows() -> None:
    rows = (
        ("Description of the service delivered", "Consulting and planning of the kitchen"),
        ("Place where the service was delivered", "Hamburg in Germany, and partly in Kiel"),
        ("Person who has ordered the service", "Ms Erika Mustermann, head of the sales"),
    )
    content = b"".join(
        words(cell, x, 700 - 16 * n) for n, row in enumerate(rows) for x, cell in zip((72, 340), row, strict=True)
    )
    assert contents(pdf(content), PDF).text == "\n".join("\t".join(row) for row in rows)


@pytest.mark.parametrize(
    ("matrix", "step"),
    [("0 1 -1 0", (14, 0)), ("0 -1 1 0", (-14, 0)), ("-1 0 0 -1", (0, 14))],
    ids=["up", "down", "over"],
)
def test_turned_text_is_read_in_its_own_direction(matrix: str, step: tuple[int, int]) -> None:
    content = words("First line here", 300, 400, matrix=matrix) + words(
        "Second line here", 300 + step[0], 400 + step[1], matrix=matrix
    )
    assert contents(pdf(content), PDF).text == "First line here\nSecond line here"


def test_pictures_are_upright_and_at_200_dots_per_inch() -> None:
    box = b"1 0 0 rg 0 0 100 100 re f"  # the lower left corner
    upright = picture(pdf(box), PDF, 1, LIMITS, Deadline(60)).image
    assert upright.mode == "RGB" and upright.size == (1700, 2200)
    assert upright.getpixel((10, 2190)) == (255, 0, 0) and upright.getpixel((10, 10)) == (255, 255, 255)
    turned = picture(pdf(box, b"/Rotate 90"), PDF, 1, LIMITS, Deadline(60)).image
    assert turned.size == (2200, 1700) and turned.getpixel((10, 10)) == (255, 0, 0)


def test_a_huge_page_has_fewer_dots() -> None:
    limits = LIMITS.__class__(**{**LIMITS.__dict__, "pixels": 1_000_000})
    image = picture(pdf(b"", box=(0, 0, 14400, 14400)), PDF, 1, limits, Deadline(60)).image
    assert 900_000 < image.width * image.height <= 1_000_000
    image = picture(pdf(b"", box=(0, 0, 2_000_000_000, 1)), PDF, 1, LIMITS, Deadline(60)).image
    assert image.width * image.height <= LIMITS.pixels


def test_scans_are_pictures_unless_a_layer_of_text_lies_over_them() -> None:
    read = contents(scan(2, (400, 600)), PDF)
    assert [page.is_picture for page in read.pages] == [True, True] and read.text == "[page 2]"
    image = (
        b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>"
    )
    objects = [image + b"\nstream\n\x80\nendstream"]
    resources = b"/XObject << /I 4 0 R >>"
    shown = b"q 612 0 0 792 0 0 cm /I Do Q "
    layered = pdf(shown + b"3 Tr " + lines("Recognised words here"), objects=objects, resources=resources)
    read = contents(layered, PDF)
    assert read.text == "Recognised words here" and not read.pages[0].is_picture
    numbered = contents(pdf(shown + words("7", 300, 30), objects=objects, resources=resources), PDF)
    assert numbered.pages[0].is_picture and numbered.text == "7"


def test_drawings_of_letters_are_pictures_and_an_empty_page_is_none() -> None:
    assert contents(pdf(b"0 0 100 100 re f"), PDF).pages[0].is_picture
    assert not contents(pdf(b""), PDF).pages[0].is_picture


def test_fields_that_are_filled_in_are_read() -> None:
    field = (
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (Name) /V (Ann Smith) /Rect [100 600 300 620] "
        b"/DA (/F1 12 Tf 0 g) /F 4 >>"
    )
    form = b"/AcroForm << /Fields [4 0 R] /DR << /Font << /F1 3 0 R >> >> /DA (/F1 12 Tf 0 g) >>"
    data = pdf(lines("A form"), b"/Annots [4 0 R]", objects=[field], catalog=form)
    assert contents(data, PDF).text == "A form\nName: Ann Smith"


def test_a_damaged_table_of_objects_is_repaired() -> None:
    data = pdf(lines("Still here."))
    assert contents(data[: data.rindex(b"xref\n")], PDF).text == "Still here."


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnothing", b"%PDF-1.4", bytes(1000)])
def test_what_cannot_be_repaired_is_named_so(data: bytes) -> None:
    with pytest.raises(ContentProblem, match="damaged and cannot be read as a PDF file"):
        contents(data, PDF)
    with pytest.raises(ContentProblem, match="damaged and cannot be read as a PDF file"):
        picture(data, PDF, 1, LIMITS, Deadline(60))


def test_pages_that_are_not_there_are_refused() -> None:
    for page in (0, 2, -1):
        with pytest.raises(ContentProblem, match=rf"has no page {page}; its pages are 1 to 1"):
            picture(pdf(b""), PDF, page, LIMITS, Deadline(60))


def test_one_process_shows_all_pages_and_ends_when_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_IDLE_SECONDS", 0.5)
    data = scan(3, (300, 400))
    contents(data, PDF)
    child = next(iter(reading._processes._children.values()))
    assert child._process is not None
    pid = child._process.pid
    for page in (1, 2, 3):
        picture(data, PDF, page, LIMITS, Deadline(60))
        assert child._process.pid == pid
    # A process that was killed is started again, with the document.
    child._process.kill()
    child._process.wait()
    picture(data, PDF, 1, LIMITS, Deadline(60))
    pid = child._process.pid
    until = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")


def test_threads_may_ask_at_once() -> None:
    documents = [pdf([lines(f"Page {page} of {name}.") for page in range(4)]) for name in "ab"]

    def ask(number: int) -> bool:
        data = documents[number % 2]
        size = picture(data, PDF, number // 2 % 4 + 1, LIMITS, Deadline(60)).image.size
        return size == (1700, 2200) and contents(data, PDF).text.startswith(f"Page 0 of {'ab'[number % 2]}.")

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(16)))


def test_a_file_made_by_another_program_is_read() -> None:
    document = pypdfium2.PdfDocument.new()
    page = document.new_page(400, 400)
    image = PILImage.new("RGB", (400, 400), "white")
    ImageDraw.Draw(image).text((100, 100), "drawn", fill=0)
    bitmap = pypdfium2.PdfBitmap.from_pil(image)
    shown = pypdfium2.PdfImage.new(document)
    shown.set_bitmap(bitmap)
    shown.set_matrix(pypdfium2.PdfMatrix().scale(400, 400))
    page.insert_obj(shown)
    page.gen_content()
    buffer = io.BytesIO()
    document.save(buffer)
    assert contents(buffer.getvalue(), PDF).pages[0].is_picture
