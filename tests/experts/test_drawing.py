"""The background of transparent pictures."""

import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from hugginggpt.deadline import Deadline
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.remote import parsing
from hugginggpt.media import Image
from tests.experts.embedded import embedded


def writing(ink: str, *, mode: str = "RGBA", alpha: int = 255) -> PILImage.Image:
    stencil = PILImage.new("L", (300, 80), 0)
    ImageDraw.Draw(stencil).text((20, 10), "Sesame", fill=alpha, font=ImageFont.load_default(48))
    picture = PILImage.new("RGBA", stencil.size, ink)
    picture.putalpha(stencil)
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("ink", "background"),
    [
        ("black", 255),
        ("navy", 255),
        ("red", 255),
        ("grey", 255),
        ("white", 0),
        ("yellow", 0),
        ("#e0e0e0", 0),
    ],
)
def test_writing_gets_a_background_on_which_it_can_be_seen(ink: str, background: int) -> None:
    flat = opaque(writing(ink))
    assert (flat.mode, flat.getpixel((0, 0))) == ("RGB", (background,) * 3)
    assert np.ptp(np.asarray(flat.convert("L")).astype(int)) >= 64


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBa"])
def test_every_mode_with_transparency_counts(mode: str) -> None:
    assert opaque(writing("white", mode=mode)).getpixel((0, 0)) == (0, 0, 0)


def test_one_transparent_colour_counts() -> None:
    picture = PILImage.new("RGB", (60, 60), "magenta")
    picture.paste("white", (20, 20, 40, 40))
    picture.info["transparency"] = (255, 0, 255)
    assert opaque(picture).getpixel((0, 0)) == (0, 0, 0)


def test_faint_white_writing_is_seen() -> None:
    flat = np.asarray(opaque(writing("white", alpha=100)).convert("L")).astype(int)
    assert np.ptp(flat) >= 64


def test_white_beside_black_is_put_on_grey() -> None:
    picture = PILImage.new("RGBA", (600, 80))
    picture.paste(writing("white"), (0, 0))
    picture.paste(writing("black"), (300, 0))
    assert opaque(picture).getpixel((0, 0)) == (128, 128, 128)


def test_what_is_not_transparent_stays_as_it_is() -> None:
    noise = PILImage.effect_noise((50, 40), 60).convert("RGB")
    assert np.array_equal(np.asarray(opaque(noise)), np.asarray(noise))
    solid = noise.convert("RGBA")
    assert np.array_equal(np.asarray(opaque(solid)), np.asarray(noise))
    assert opaque(PILImage.new("RGBA", (5, 5))).getpixel((0, 0)) == (255, 255, 255)


def test_a_sixteen_bit_answer_of_a_provider_keeps_its_scale() -> None:
    answer = PILImage.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16))
    assert np.asarray(parsing.picture(answer)).tolist() == [[0, 100, 255]]


@pytest.mark.parametrize("kind", ["canny-control", "hed-control", "mlsd-control", "scribble-control"])
@pytest.mark.parametrize("ink", ["white", "black"])
def test_control_pictures_show_what_is_drawn_on_nothing(kind: str, ink: str) -> None:
    picture = PILImage.new("RGBA", (200, 200))
    ImageDraw.Draw(picture).rectangle((50, 50, 150, 150), fill=ink)
    with embedded(kind) as expert:
        raw = expert.expert.run(expert.model, expert.expert.prepare({"image": Image(picture)}), Deadline(60))
    assert np.asarray(raw).max() > 128
