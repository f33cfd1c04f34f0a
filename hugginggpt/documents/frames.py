"""Images of several pages or frames: TIFF, GIF, WebP, animated PNG, and JPEG of several photos (MPO)."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image as PILImage
from PIL import ImageOps, ImageStat

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.model import Contents, Limits, Page
from hugginggpt.media import jpegs
from hugginggpt.media.problem import ContentProblem

_FORMATS = ("TIFF", "GIF", "WEBP", "PNG", "JPEG")
_DAMAGED = "is cut off or damaged and cannot be read as a picture; save it again"
_BYTES_PER_PIXEL = 16
_THUMBNAIL = (64, 64)
_ENOUGH = 0.5
"""A frame with this share of the most detail that any has is the picture, if none before it has."""
_MOST_COMPARED = 100


def read(data: bytes, budget: Budget) -> Contents:
    """Which frames there are, and which of them shows most.

    Raises:
        ContentProblem: it is damaged or too large.
    """
    image = _opened(data, budget.limits)
    count = len(_frames(image))
    notes: tuple[str, ...] = ()
    if image.format == "TIFF":
        budget.pages(count)
    elif count > budget.limits.pages:
        notes = (f"has {count} frames, of which the first {budget.limits.pages} are looked at",)
        count = budget.limits.pages
    part = "page" if image.format == "TIFF" else "frame"
    pages = tuple(
        Page("", is_picture=True, mark=f"[{part} {number}]" if number > 1 else "") for number in range(1, count + 1)
    )
    best = 1 if image.format in ("TIFF", "MPO") else _best(image, count)
    return Contents(pages, has_pictures=True, notes=notes, best=best)


def opened(data: bytes, limits: Limits) -> OpenFrames:
    """An image whose frames can be had.

    Raises:
        ContentProblem: it is damaged or too large.
    """
    return OpenFrames(_opened(data, limits))


class OpenFrames:
    """An image that stays open."""

    def __init__(self, image: PILImage.Image) -> None:
        self._image = image
        self._frames = _frames(image)

    def picture(self, page: int, limits: Limits) -> tuple[str, tuple[int, int], bytes]:
        """A frame, counted from 0, as the mode, the size and the pixels of a picture.

        Raises:
            ContentProblem: there is no such frame, or it is damaged.
        """
        if not 0 <= page < len(self._frames):
            raise ContentProblem(f"has no page {page + 1}; its pages are 1 to {len(self._frames)}")
        try:
            self._image.seek(self._frames[page])
            _check_size(self._image, limits)
            plain = _plain(self._image)
        except (OSError, SyntaxError, ValueError, EOFError):
            raise ContentProblem(_DAMAGED) from None
        return plain.mode, plain.size, plain.tobytes()


def _opened(data: bytes, limits: Limits) -> PILImage.Image:
    try:
        image = PILImage.open(io.BytesIO(data), formats=_FORMATS)
    except PILImage.DecompressionBombError:
        raise ContentProblem(f"has more than the {limits.pixels} pixels allowed; make it smaller") from None
    except Exception:
        # Pillow's decoders raise almost any exception on hostile bytes.
        raise ContentProblem(_DAMAGED) from None
    _check_size(image, limits)
    return image


def _check_size(image: PILImage.Image, limits: Limits) -> None:
    width, height = image.size
    most = min(limits.pixels, limits.memory // _BYTES_PER_PIXEL)
    if width * height > most:
        raise ContentProblem(f"has {width} x {height} pixels, more than the {most} allowed; make it smaller")


def _frames(image: PILImage.Image) -> Sequence[int]:
    """The positions of the frames that count."""
    try:
        return jpegs.photos(image) if image.format == "MPO" else range(max(1, int(getattr(image, "n_frames", 1))))
    except (OSError, SyntaxError, ValueError, EOFError):
        raise ContentProblem(_DAMAGED) from None


def _best(image: PILImage.Image, count: int) -> int:
    """The number of the first frame that shows about as much as any."""
    details: list[float] = []
    step = max(1, count // _MOST_COMPARED)
    numbers = range(0, count, step)
    for number in numbers:
        try:
            image.seek(number)
            details.append(_detail(image))
        except (OSError, SyntaxError, ValueError, EOFError):
            break
    most = max(details, default=0.0)
    return next((number + 1 for number, detail in zip(numbers, details, strict=False) if detail >= _ENOUGH * most), 1)


def _detail(frame: PILImage.Image) -> float:
    """How much differs in a frame, as it looks on white."""
    small = frame.convert("RGBA").resize(_THUMBNAIL)
    seen = PILImage.alpha_composite(PILImage.new("RGBA", _THUMBNAIL, "white"), small).convert("RGB")
    return sum(ImageStat.Stat(seen).stddev)


def _plain(frame: PILImage.Image) -> PILImage.Image:
    """A frame upright, in mode L, RGB or RGBA."""
    upright = ImageOps.exif_transpose(frame)
    if upright.mode.startswith("I") or upright.mode == "F":
        values = upright.convert("F")
        low, high = (float(str(bound)) for bound in values.getextrema())
        scale = 255 / ((high - low) or 1)
        return values.point(lambda value: value * scale - low * scale).convert("L")
    if upright.mode in ("1", "L"):
        return upright.convert("L")
    return upright.convert("RGBA" if upright.has_transparency_data else "RGB")
