import io

import pytest
from PIL import Image as PILImage
from PIL import ImageDraw

from hugginggpt.deadline import Deadline
from hugginggpt.documents import picture
from hugginggpt.documents.model import GIF, JPEG, PNG, TIFF, WEBP
from hugginggpt.media.problem import ContentProblem
from tests.documents.builders import LIMITS, contents


def frame(number: int, size: tuple[int, int] = (60, 40)) -> PILImage.Image:
    """A blank frame, or one with a box."""
    image = PILImage.new("RGB", size, "white")
    if number:
        ImageDraw.Draw(image).rectangle((5 * number, 5, 5 * number + 20, 30), fill=(255, 0, 0))
    return image


def saved(kind: str, frames: list[PILImage.Image], **options: object) -> bytes:
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("mime", "kind", "options"),
    [(GIF, "GIF", {"duration": 100}), (WEBP, "WEBP", {"lossless": True}), (PNG, "PNG", {"duration": 100})],
)
def test_every_frame_of_an_animation_can_be_had_and_the_blank_first_is_not_the_best(
    mime: str, kind: str, options: dict[str, object]
) -> None:
    data = saved(kind, [frame(0), frame(1), frame(2)], **options)
    read = contents(data, mime)
    assert [(page.text, page.is_picture) for page in read.pages] == [("", True)] * 3
    assert read.has_pictures and read.best == 2
    third = picture(data, mime, 3, LIMITS, Deadline(60)).image.convert("RGB")
    assert third.size == (60, 40) and third.getpixel((25, 10)) == (255, 0, 0) and third.getpixel((7, 10)) == (255,) * 3
    first = picture(data, mime, 1, LIMITS, Deadline(60)).image.convert("RGB")
    assert first.getpixel((25, 10)) == (255, 255, 255)


def test_pages_of_a_tiff_have_sizes_of_their_own() -> None:
    data = saved("TIFF", [frame(1), frame(2, (80, 50)), PILImage.new("I;16", (10, 10), 40000)])
    assert [page.mark for page in contents(data, TIFF).pages] == ["", "[page 2]", "[page 3]"]
    assert picture(data, TIFF, 2, LIMITS, Deadline(60)).image.size == (80, 50)
    assert picture(data, TIFF, 3, LIMITS, Deadline(60)).image.mode == "L"
    with pytest.raises(ContentProblem, match="has no page 4; its pages are 1 to 3"):
        picture(data, TIFF, 4, LIMITS, Deadline(60))


def test_both_pictures_of_an_mpo_can_be_had() -> None:
    data = saved("MPO", [frame(1), frame(2)])
    assert len(contents(data, JPEG).pages) == 2
    assert picture(data, JPEG, 2, LIMITS, Deadline(60)).image.mode == "RGB"


def test_a_damaged_animation_is_named_so() -> None:
    with pytest.raises(ContentProblem, match="damaged"):
        contents(b"GIF89a" + bytes(100), GIF)
