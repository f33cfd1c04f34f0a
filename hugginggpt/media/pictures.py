"""Pictures: reading any supported format into an upright 8-bit image, and writing PNG."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image as PILImage

from hugginggpt.media import jpegs
from hugginggpt.media.brightness import EIGHT_BITS, SIXTEEN_BITS, LowBytes, colours_by_scale, grey_by_scale, strips
from hugginggpt.media.problem import ContentProblem, too_much_memory
from hugginggpt.media.values import Image

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000")
_CODEC_BYTES = {"WEBP": 12, "HEIF": 6, "AVIF": 8, "JPEG2000": 12}
"""Bytes per pixel of canvases, planes of colours and copies."""

_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_MODES = ("L", "RGB", "RGBA")
_GREY = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_WIDTHS = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
"""Bytes per pixel in Pillow's memory; four in every other mode."""

_START_OF_SCAN = b"\xff\xda"
_MAX_SCANS = 64
"""A progressive JPEG has about ten scans, each over the whole picture."""

_DAMAGED = "is cut off or damaged and cannot be read as a picture; save it again"

_ORIENTATION, _COMPRESSION, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH = 274, 259, 278, 322, 323
_UNCOMPRESSED = 1
_DNG_VERSION = 50706
_TURNS = {
    2: PILImage.Transpose.FLIP_LEFT_RIGHT,
    3: PILImage.Transpose.ROTATE_180,
    4: PILImage.Transpose.FLIP_TOP_BOTTOM,
    5: PILImage.Transpose.TRANSPOSE,
    6: PILImage.Transpose.ROTATE_270,
    7: PILImage.Transpose.TRANSVERSE,
    8: PILImage.Transpose.ROTATE_90,
}
"""How to turn a picture upright, by its EXIF orientation."""


class _Damaged(ContentProblem):
    """A picture cannot be decoded."""


def take(data: bytes, max_pixels: int, max_bytes: int) -> bytes:
    """Check a picture as `check` does, and give its bytes. A JPEG that lacks nothing but its end mark gets one.

    Raises:
        ContentProblem: as for `check`.
    """
    try:
        check(data, max_pixels, max_bytes)
        if not jpegs.is_filled_up(data):
            return data
    except _Damaged:
        if not jpegs.is_jpeg(data):
            raise
    ended, continued = jpegs.with_ends(data)
    check(ended, max_pixels, max_bytes)
    if _fingerprint(ended) != _fingerprint(continued):
        raise _Damaged(_DAMAGED)
    return ended


def _fingerprint(data: bytes) -> bytes:
    """What tells the pixels of a picture from others."""
    digest = hashlib.blake2b()
    with _opened(data) as image:
        for _, values in strips(image):
            digest.update(values.tobytes())
    return digest.digest()


def check(data: bytes, max_pixels: int, max_bytes: int) -> None:
    """Decode a picture once. Its header has to keep the limits before any pixel is decoded.

    Args:
        data: PNG, JPEG, WebP, GIF, BMP, TIFF, HEIC, AVIF or JPEG 2000.
        max_pixels: limit on width times height.
        max_bytes: limit on the memory that `read` needs at its peak.

    Raises:
        ContentProblem: it is damaged, has too many pixels or takes too much memory.
    """
    with _opened(data, max_pixels) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ContentProblem(
                f"has {width} x {height} pixels, more than the {max_pixels} that "
                "HUGGINGGPT_MAX_IMAGE_PIXELS allows; make it smaller"
            )
        if image.format in ("JPEG", "MPO") and data.count(_START_OF_SCAN) > _MAX_SCANS:
            raise ContentProblem(f"is a JPEG image with more than {_MAX_SCANS} scans; save it again")
        if _DNG_VERSION in getattr(image, "tag_v2", {}):  # what Pillow reads of it is a small preview
            raise ContentProblem("is a raw photo of a camera, which cannot be used; save it as PNG or JPEG")
        _check_memory(image, max_bytes)
        image.load()
        _check_memory(image, max_bytes)  # in PNG, the orientation may come last


def frames(data: bytes) -> int:
    """How many pictures a file holds.

    Raises:
        ContentProblem: it is damaged.
    """
    with _opened(data) as image:
        return len(jpegs.photos(image)) if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def read(data: bytes) -> Image:
    """Decode a picture: its first frame, upright, with 8 bits per channel.

    Raises:
        ContentProblem: it is damaged, or has more pixels than any picture that was checked.
    """
    with _opened(data) as image:
        low_bytes = LowBytes.of(image)
        image.load()
        turn = _TURNS.get(_orientation(image))
        pixels = plain(image)
        if low_bytes is not None:
            with _opened(data) as other:
                pixels = colours_by_scale(pixels, lambda: low_bytes.loaded(other))
    del image  # frees its pixels, if `plain` copied them
    return Image(pixels if turn is None else pixels.transpose(turn))


@contextmanager
def _opened(data: bytes, max_pixels: int | None = None) -> Iterator[PILImage.Image]:
    formats: tuple[str, ...] = _FORMATS
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF and b"avif" not in data[12:64]:
        from pi_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
        formats = ("HEIF",)
    try:
        with PILImage.open(io.BytesIO(data), formats=formats) as image:
            yield image
    except ContentProblem:
        raise
    except PILImage.DecompressionBombError:
        allowed = "can be decoded safely"
        if max_pixels is not None and max_pixels < 2 * (PILImage.MAX_IMAGE_PIXELS or 0):
            allowed = f"the {max_pixels} that HUGGINGGPT_MAX_IMAGE_PIXELS allows"
        raise ContentProblem(f"has more pixels than {allowed}; make it smaller") from None
    except Exception as error:
        # Pillow's decoders raise almost any exception on hostile bytes.
        raise _Damaged(_DAMAGED) from error


def _check_memory(image: PILImage.Image, max_bytes: int) -> None:
    if (needed := _memory(image)) > max_bytes:
        raise ContentProblem(too_much_memory(needed, max_bytes))


def _memory(image: PILImage.Image) -> int:
    """Peak memory of reading a picture, in bytes: while it is decoded, converted or turned."""
    width, height = image.size
    stored = _WIDTHS.get(image.mode, 4)
    same = image.mode in _MODES and "transparency" not in image.info
    plain = stored if same else 1 if image.mode in _GREY else 4
    pixels = width * height
    decoding = pixels * (stored + _codec_memory(image)) + _chunk_memory(image)
    # Of sixteen bits per colour, the lower eight may be decoded, too.
    converting = pixels * ((stored if same else stored + plain) + (0 if LowBytes.of(image) is None else 2 * stored))
    turning = pixels * 2 * plain if _orientation(image) in _TURNS else 0
    return max(decoding, converting, turning)


def _codec_memory(image: PILImage.Image) -> int:
    """Bytes per pixel that the decoder needs in addition to the picture."""
    if image.format in _CODEC_BYTES:
        return _CODEC_BYTES[image.format]
    if image.info.get("progressive"):
        return 2 * len(image.getbands())  # the coefficients of all scans
    return 0


def _chunk_memory(image: PILImage.Image) -> int:
    """Bytes of one strip or tile of a TIFF image, which may be larger than the picture."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED:
        return 0
    width, height = image.size
    across = int(tags.get(_TILE_WIDTH, width))
    down = int(tags.get(_TILE_LENGTH, min(height, int(tags.get(_ROWS_PER_STRIP, height)))))
    return across * down * _WIDTHS.get(image.mode, 4)


def _orientation(image: PILImage.Image) -> int:
    """The EXIF orientation of a picture; 1 while it is not known."""
    if image.format == "PNG" and "exif" not in image.info and getattr(image, "tile", None):
        return 1  # asking would decode the picture
    return int(image.getexif().get(_ORIENTATION) or 1)


def write(image: Image, format: str) -> bytes:
    """The picture in a format that Pillow writes, without metadata, so that equal pixels give equal bytes."""
    buffer = io.BytesIO()
    plain(image.image).save(buffer, format)
    return buffer.getvalue()


def plain(image: PILImage.Image) -> PILImage.Image:
    """A picture of any mode as L, RGB or RGBA, without what Pillow carries along in `info`."""
    if image.mode.startswith("I;16"):
        made = grey_by_scale(image, SIXTEEN_BITS)
    elif image.mode in ("I", "F"):
        made = grey_by_scale(image, EIGHT_BITS)
    elif image.mode == "1":
        made = image.convert("L")
    elif image.mode not in _MODES:
        made = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif "transparency" in image.info:
        made = image.convert("RGBA")
    else:
        made = image._new(image.im)  # shares the pixels, which are never changed
    made.info = {}
    return made
