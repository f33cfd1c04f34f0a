"""What BlazePose makes of its networks' guesses, whatever they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PILImage

from hugginggpt.experts.embedded import blazepose

FIRST_CELL = np.array([0.5 / 28, 0.5 / 28])
"""The middle of the detector's first cell, as a share of the side."""


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes of the new pictures that are made."""
    made: list[tuple[int, int]] = []
    new = PILImage.new

    def recorded(mode: str, size: tuple[int, int], *rest: Any) -> PILImage.Image:
        made.append(size)
        return new(mode, size, *rest)

    monkeypatch.setattr(blazepose.PILImage, "new", recorded)
    return made


def finder(monkeypatch: pytest.MonkeyPatch, hips: tuple[float, float], end: tuple[float, float]) -> blazepose.BlazePose:
    """A finder whose detector is sure of a person there, as shares of the square around the picture."""
    guesses, scores = np.zeros((1, 2254, 12), np.float32), np.full((1, 2254, 1), -9, np.float32)
    guesses[0, 0, 4:8] = ((np.array([hips, end]) - FIRST_CELL) * 224).ravel()
    scores[0, 0, 0] = 9
    square = np.full((1, 256, 256, 1), 9, np.float32)
    says = {
        "pose_detection": [guesses, scores],
        "pose_landmark_full": [np.full((1, 195), 128, np.float32), np.ones((1, 1), np.float32), square],
        "selfie_segmentation": [square],
    }
    monkeypatch.setattr(blazepose, "_network", lambda file, threads: lambda picture: says[file.stem])
    return blazepose.BlazePose(Path(), 1)


@pytest.mark.parametrize("size", [(20, 8000), (8000, 20), (1, 8000), (300, 400)])
def test_a_person_in_a_long_picture_is_where_the_detector_says(
    monkeypatch: pytest.MonkeyPatch, pages: list[tuple[int, int]], size: tuple[int, int]
) -> None:
    person = finder(monkeypatch, hips=(0.5, 0.5), end=(0.5, 0.45))(PILImage.effect_noise(size, 9).convert("RGB"))
    assert person is not None
    # The middle of the square, where these networks see all joints, is that of the hips.
    assert np.abs(person.joints[0] - np.array(size) / 2).max() <= max(size) / 224
    assert all(max(page) <= 256 for page in pages if page != size)


@pytest.mark.parametrize(
    ("hips", "end"), [((0.5, 0.5), (0.5, 0.5)), ((-3.0, 0.5), (-3.0, 0.4)), ((0.5, 5.0), (0.5, 4.9))]
)
def test_who_has_no_length_or_is_outside_the_picture_is_nobody(
    monkeypatch: pytest.MonkeyPatch, hips: tuple[float, float], end: tuple[float, float]
) -> None:
    assert finder(monkeypatch, hips, end)(PILImage.new("RGB", (300, 400))) is None


def test_a_person_at_the_edge_has_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    find, picture = finder(monkeypatch, (0.2, 0.05), (0.2, 0.2)), PILImage.new("RGB", (300, 400))
    person = find(picture)
    assert person is not None
    mask = find.mask(picture, person)
    assert mask.shape == (400, 300) and mask.any() and not mask.all()
