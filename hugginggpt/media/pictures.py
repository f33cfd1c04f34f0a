"""Pictures: reading any supported format into an upright 8-bit image, and writing PNG."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL import ImageOps

from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Image

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF")
_MODES = ("L", "RGB", "RGBA")


def read(data: bytes, max_pixels: int | None = None) -> Image:
    """A picture from its encoded bytes: first frame, EXIF orientation applied, 8 bits a channel.

    Args:
        data: PNG, JPEG, WebP, GIF, BMP or TIFF.
        max_pixels: limit on width times height, checked before any pixel is decoded.

    Raises:
        ContentProblem: it is damaged, or has too many pixels.
    """
    try:
        with PILImage.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if max_pixels is not None and width * height > max_pixels:
                raise ContentProblem(
                    f"has {width} x {height} pixels, more than the {max_pixels} that "
                    "HUGGINGGPT_MAX_IMAGE_PIXELS allows; make it smaller"
                )
            image.load()
            return Image(_plain(ImageOps.exif_transpose(image)))
    except ContentProblem:
        raise
    except PILImage.DecompressionBombError:
        allowed = "can be decoded safely"
        if max_pixels is not None and max_pixels < 2 * (PILImage.MAX_IMAGE_PIXELS or 0):
            allowed = f"the {max_pixels} that HUGGINGGPT_MAX_IMAGE_PIXELS allows"
        raise ContentProblem(f"has more pixels than {allowed}; make it smaller") from None
    except Exception as error:
        # Pillow's decoders raise almost anything on hostile bytes.
        raise ContentProblem("is cut off or damaged and cannot be read as a picture; save it again") from error


def write(image: Image) -> bytes:
    """PNG without metadata, so that equal pixels give equal bytes."""
    buffer = io.BytesIO()
    _plain(image.image).save(buffer, "PNG")
    return buffer.getvalue()


def _plain(image: PILImage.Image) -> PILImage.Image:
    """The picture as L, RGB or RGBA, without what Pillow carries along in `info`."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)
        plain = PILImage.fromarray(np.rint(values / 257).astype(np.uint8))
    elif image.mode in ("I", "F"):
        plain = PILImage.fromarray(_stretched(np.asarray(image, dtype=np.float64)))
    elif image.mode == "1":
        plain = image.convert("L")
    elif image.mode not in _MODES:
        plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif "transparency" in image.info:
        plain = image.convert("RGBA")
    else:
        plain = image.copy()
    plain.info = {}
    return plain


def _stretched(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Heights or distances without a fixed scale as grey: the least black, the greatest white."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    if low >= 0 and high <= 255 and np.array_equal(finite, np.rint(finite)):
        return finite.astype(np.uint8)
    grey: npt.NDArray[np.uint8] = np.rint((finite - low) * (255 / (high - low or 1))).astype(np.uint8)
    return grey
