"""Pictures whose values have more than eight bits, as pictures of eight.

Values fill their usual scale, or only a small part of it: cameras give twelve bits in sixteen, masks only 0 and 1, and
heights have no scale at all. Then the lowest is shown black and the highest white.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

EIGHT_BITS, SIXTEEN_BITS = 255, 65535
_SMALL_SHARE = 0.25
"""Values within a smaller part of their usual scale are shown on a scale of their own."""

_STRIP_PIXELS = 1 << 18
_NO_VALUE = 1e30
_OPPOSITE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_LOW_BYTES = {
    f"{colours};16{order}": (f"{colours};16{opposite}", (0, 1, 2))
    for colours in ("RGB", "RGBA", "RGBX")
    for order, opposite in _OPPOSITE.items()
} | {"LA;16B": ("RGBA", (1, 1, 1))}
"""Layouts of sixteen bits per channel, of which Pillow keeps the upper eight: those that give the lower ones, and the
bands for red, green and blue that these are in.
"""


@dataclass(frozen=True)
class LowBytes:
    """How to decode the lower eight of sixteen bits per channel.

    Attributes:
        tiles: what Pillow decodes.
        bands: where red, green and blue are then.
    """

    tiles: tuple[Any, ...]
    bands: tuple[int, int, int]

    @classmethod
    def of(cls, image: PILImage.Image) -> LowBytes | None:
        """How to decode those of a picture that is not loaded yet; None if it does not have sixteen bits."""
        tiles: list[Any] = []
        bands: set[tuple[int, int, int]] = set()
        for tile in getattr(image, "tile", ()):
            layout, *rest = (tile.args,) if isinstance(tile.args, str) else tile.args or ("",)
            if layout not in _LOW_BYTES:
                return None
            other, band = _LOW_BYTES[layout]
            tiles.append(tile._replace(args=other if isinstance(tile.args, str) else (other, *rest)))
            bands.add(band)
        return cls(tuple(tiles), bands.pop()) if len(bands) == 1 else None

    def loaded(self, image: PILImage.Image) -> PILImage.Image:
        """The lower bits of red, green and blue, from the same picture opened once more."""
        image.tile = list(self.tiles)  # type: ignore[attr-defined]
        image.load()
        return PILImage.merge("RGB", [image.getchannel(band) for band in self.bands])


def colours_by_scale(image: PILImage.Image, low_bytes: Callable[[], PILImage.Image]) -> PILImage.Image:
    """A picture whose colours had sixteen bits: as it is if they fill their usual scale, else on their own.

    Args:
        image: the upper eight bits, as RGB or RGBA.
        low_bytes: gives the lower ones as RGB.
    """
    ranges = [(int(low), int(high)) for low, high in image.getextrema()[:3]]  # type: ignore[misc]
    share = _SMALL_SHARE * (EIGHT_BITS + 1)
    if max(high for _, high in ranges) - min(low for low, _ in ranges) > share:
        return image
    below = low_bytes()
    lows, highs = np.full(3, SIXTEEN_BITS), np.zeros(3, int)
    for _, values in _deep_strips(image, below):
        lows, highs = np.minimum(lows, values.min((0, 1))), np.maximum(highs, values.max((0, 1)))
    low, high = int(lows.min()), int(highs.max())
    # One colour has no range of its own.
    if (lows == highs).all() or high - low >= _SMALL_SHARE * (SIXTEEN_BITS + 1):
        return image
    made = image.copy()
    for top, values in _deep_strips(image, below):
        colours = np.rint((values - low) * 255 / (high - low)).astype(np.uint8)
        strip = PILImage.fromarray(colours)
        if image.mode == "RGBA":
            strip.putalpha(image.crop((0, top, image.width, top + strip.height)).getchannel("A"))
        made.paste(strip, (0, top))
    return made


def _deep_strips(image: PILImage.Image, below: PILImage.Image) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    for (top, upper), (_, lower) in zip(strips(image), strips(below), strict=True):
        yield top, upper[..., :3].astype(np.int64) * 256 + lower


def grey_by_scale(image: PILImage.Image, usual: int) -> PILImage.Image:
    """Values as grey: on their usual scale if they fill it, else the lowest black and the highest white.

    Args:
        image: in a mode with one channel.
        usual: the highest value of the usual scale.
    """
    low, high, whole = math.inf, -math.inf, True
    for _, values in strips(image):
        known = values[_are_known(values)].astype(np.float64)
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
            whole = whole and np.array_equal(known, np.rint(known))
    fits = whole and low >= 0 and high <= usual
    if not low < high:
        # One value has no range of its own: between 0 and 1, or on the usual scale, it is a level.
        low, high = (0.0, 1.0) if 0 <= low <= 1 and not fits else (0.0, float(usual))
    elif fits and high - low >= _SMALL_SHARE * (usual + 1):
        low, high = 0.0, float(usual)

    def grey(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        known = np.where(_are_known(values), values, low).astype(np.float64)
        return np.rint(np.clip((known - low) * 255 / (high - low), 0, 255)).astype(np.uint8)

    return _by_strips(image, grey)


def _are_known(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where there are values: not infinite, not a number, and not the largest float, which maps use for nothing."""
    return np.abs(values.astype(np.float64)) < _NO_VALUE  # false for not a number, too


def _by_strips(image: PILImage.Image, grey: Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]) -> PILImage.Image:
    """A grey picture put together from `grey` of each strip."""
    plain = PILImage.new("L", image.size)
    for top, values in strips(image):
        plain.paste(PILImage.fromarray(grey(values)), (0, top))
    return plain


def strips(image: PILImage.Image) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """The strips of a picture from top to bottom: the row each begins at, and its values."""
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield top, np.asarray(image.crop((0, top, width, min(height, top + rows))))
