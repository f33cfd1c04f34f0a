"""The embedded experts for people, on photographs that come with scikit-image."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from hugginggpt.errors import ExpertError
from hugginggpt.media import Image, Structured
from tests.experts.embedded import Embedded, embedded

PEOPLE = ("astronaut.png", "camera.png")
NOBODY = ("coffee.png", "chelsea.png", "rocket.jpg", "page.png", "retina.jpg", "coins.png", "brick.png")

# Read from the photograph by eye.
NOSE, LEFT_SHOULDER, RIGHT_SHOULDER = (211, 121), (303, 240), (117, 217)
RED, GREEN, ORANGE = (255, 0, 0), (85, 255, 0), (255, 170, 0)
"""The colours of OpenPose's nose, left shoulder and right shoulder."""


def photograph(name: str) -> PILImage.Image:
    spec = find_spec("skimage")
    assert spec is not None and spec.origin is not None
    with PILImage.open(Path(spec.origin).parent / "data" / name) as picture:
        return picture.convert("RGB")


def middle(drawn: PILImage.Image, colour: tuple[int, int, int]) -> tuple[float, float]:
    rows, columns = np.nonzero((np.asarray(drawn) == colour).all(axis=2))
    assert len(rows), f"nothing has the colour {colour}"
    return float(columns.mean()), float(rows.mean())


@pytest.fixture(scope="module")
def pose() -> Iterator[Embedded]:
    with embedded("openpose-control") as pose:
        yield pose


@pytest.fixture(scope="module")
def segment() -> Iterator[Embedded]:
    with embedded("image-segmentation") as segment:
        yield segment


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_joints_are_drawn_where_they_are(pose: Embedded, scale: float) -> None:
    given = photograph("astronaut.png")
    size = (round(given.width * scale), round(given.height * scale))
    (drawn,) = pose(image=Image(given.resize(size)))
    assert isinstance(drawn, Image) and drawn.image.size == size
    for colour, place in ((RED, NOSE), (GREEN, LEFT_SHOULDER), (ORANGE, RIGHT_SHOULDER)):
        x, y = middle(drawn.image, colour)
        assert np.hypot(x / scale - place[0], y / scale - place[1]) < 25


def test_a_person_beside_much_else_is_found_too(pose: Embedded) -> None:
    page = PILImage.new("RGB", (1200, 600), "grey")
    page.paste(photograph("astronaut.png"), (600, 60))
    (drawn,) = pose(image=Image(page))
    x, y = middle(drawn.image, RED)
    assert np.hypot(x - 600 - NOSE[0], y - 60 - NOSE[1]) < 25


@pytest.mark.parametrize("name", PEOPLE)
def test_the_outline_is_that_of_the_person(segment: Embedded, name: str) -> None:
    inside = {"astronaut.png": [(215, 60), (215, 115), (200, 350)], "camera.png": [(215, 95), (120, 250), (60, 400)]}
    outside = {"astronaut.png": [(430, 100), (350, 60), (30, 60)], "camera.png": [(60, 60), (430, 350), (400, 100)]}
    given = photograph(name)
    found, drawn = segment(image=Image(given))
    assert isinstance(found, Structured) and isinstance(drawn, Image)
    (region,) = found.data
    assert region["label"] == "person" and region["score"] > 0.81
    assert found.text == f"1 region found: person ({region['share']:.0%})."
    changed = np.any(np.asarray(drawn.image) != np.asarray(given), axis=2)
    assert all(changed[y - 3 : y + 4, x - 3 : x + 4].all() for x, y in inside[name])
    assert not any(changed[y - 3 : y + 4, x - 3 : x + 4].any() for x, y in outside[name])


@pytest.mark.parametrize("name", NOBODY)
def test_where_there_is_nobody_nobody_is_invented(pose: Embedded, segment: Embedded, name: str) -> None:
    for expert in (pose, segment):
        with pytest.raises(ExpertError, match="No person was found"):
            expert(image=Image(photograph(name)))


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000)])
def test_a_plain_picture_of_any_size_shows_nobody(pose: Embedded, size: tuple[int, int]) -> None:
    with pytest.raises(ExpertError, match="No person was found"):
        pose(image=Image(PILImage.new("RGB", size, "white")))
