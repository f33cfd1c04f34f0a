"""Pictures of phones, cameras, scanners, browsers, painters and microscopes."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from pillow_heif import register_heif_opener

from tests.documents.test_frames import frame
from tests.documents.test_frames import saved as frames
from tests.files.input import Input
from tests.files.outcomes import Picture

register_heif_opener()

RED, BLUE, WHITE, _BLACK = (255, 0, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
_ORIENTATION = 274


def halves(
    kind: str, size: tuple[int, int] = (32, 24), mode: str = "RGB", *, orientation: int = 0, **options: Any
) -> bytes:
    """A picture that is red on the left and blue on the right."""
    image = PILImage.new("RGB", size, BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    if orientation:
        exif = PILImage.Exif()
        exif[_ORIENTATION] = orientation
        options["exif"] = exif
    return saved(image.convert(mode), kind, **options)


def saved(image: PILImage.Image, kind: str, **options: Any) -> bytes:
    """A picture as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def measured(values: npt.ArrayLike, dtype: type[Any], kind: str = "TIFF") -> bytes:
    """A row of values that are no colours, 4 pixels each way for each."""
    array = np.kron(np.asarray(values, dtype).reshape(1, -1), np.ones((4, 4), dtype))
    return saved(PILImage.fromarray(array), kind)


def see_through(colour: tuple[int, int, int], kind: str = "PNG") -> bytes:
    """A square of a colour in the middle of nothing."""
    image = PILImage.new("RGBA", (24, 24), (0, 0, 0, 0))
    image.paste((*colour, 255), (8, 8, 16, 16))
    return saved(image, kind, **({"lossless": True} if kind == "WEBP" else {}))


def scanned(pages: Sequence[PILImage.Image], **options: Any) -> bytes:
    """A TIFF of several pages."""
    return frames("TIFF", list(pages), **options)


def palette() -> bytes:
    """A GIF of colours from a palette, one of which is transparent."""
    image = PILImage.new("P", (24, 24), 0)
    image.putpalette([255, 0, 255, 255, 0, 0])
    image.paste(1, (8, 8, 16, 16))
    return saved(image, "GIF", transparency=0)


def _bmp_with_unused_bytes() -> bytes:
    """A BMP of 32 bits whose fourth byte is unused and 0, as a screen shot of Windows is."""
    pixels = bytes((0, 0, 255, 0)) * 64
    header = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 32, 0, len(pixels), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels


LEFT_RED = {(2, 2): RED, (29, 2): BLUE}
_TOP_RED = {(2, 2): RED, (2, 29): BLUE}

PHOTOS = (
    Input("photo.jpg", partial(halves, "JPEG", quality=95), "a photo", Picture((32, 24), LEFT_RED, "image/jpeg")),
    Input(
        "IMG_0001.JPG",
        partial(halves, "JPEG", orientation=6, quality=95),
        "a phone that was held upright (EXIF 6)",
        Picture((24, 32), _TOP_RED, "image/jpeg"),
    ),
    Input(
        "IMG_0002.jpg",
        partial(halves, "JPEG", orientation=3, quality=95),
        "a phone upside down (EXIF 3)",
        Picture((32, 24), {(2, 2): BLUE, (29, 2): RED}, "image/jpeg"),
    ),
    Input(
        "IMG_0003.jpg",
        partial(halves, "JPEG", orientation=8, quality=95),
        "a phone that was turned the other way (EXIF 8)",
        Picture((24, 32), {(2, 2): BLUE, (2, 29): RED}, "image/jpeg"),
    ),
    Input(
        "selfie.jpg",
        partial(halves, "JPEG", orientation=2, quality=95),
        "a mirrored selfie (EXIF 2)",
        Picture((32, 24), {(2, 2): BLUE, (29, 2): RED}, "image/jpeg"),
    ),
    Input(
        "IMG_0004.HEIC",
        partial(halves, "HEIF", (64, 48), quality=95),
        "an iPhone's photo",
        Picture((64, 48), {(5, 5): RED, (58, 5): BLUE}, "image/heic"),
    ),
    Input(
        "IMG_0006.jpg",
        partial(halves, "HEIF", (64, 48), quality=95),
        "an iPhone's photo that a chat renamed to .jpg",
        Picture((64, 48), {(5, 5): RED, (58, 5): BLUE}, "image/heic", notes=("is a HEIC image; its ending says JPG",)),
    ),
    Input(
        "exported.png",
        partial(halves, "PNG", orientation=6),
        "a phone's photo that was exported as PNG with its EXIF",
        Picture((24, 32), _TOP_RED, "image/png"),
    ),
    Input(
        "exported.webp",
        partial(halves, "WEBP", orientation=8, lossless=True),
        "a phone's photo that was exported as WebP with its EXIF",
        Picture((24, 32), {(2, 2): BLUE, (2, 29): RED}, "image/webp"),
    ),
    Input(
        "web.jpg",
        partial(halves, "JPEG", progressive=True, quality=95),
        "a web page's progressive JPEG",
        Picture((32, 24), LEFT_RED, "image/jpeg"),
    ),
    Input(
        "print.jpg",
        partial(halves, "JPEG", mode="CMYK", quality=95),
        "a printer's photo in CMYK",
        Picture((32, 24), LEFT_RED, "image/jpeg"),
    ),
    Input(
        "grey.jpg",
        partial(halves, "JPEG", mode="L", quality=95),
        "a photo in grey",
        Picture((32, 24), {(2, 2): 76, (29, 2): 29}, "image/jpeg", "L"),
    ),
    Input(
        "photo.jfif", partial(halves, "JPEG", quality=95), "Windows' .jfif", Picture((32, 24), LEFT_RED, "image/jpeg")
    ),
    Input(
        "photo",
        partial(halves, "JPEG", quality=95),
        "a photo without an ending",
        Picture((32, 24), LEFT_RED, "image/jpeg"),
        renamed="photo.jpg",
    ),
    Input("scan.jp2", partial(halves, "JPEG2000"), "an archive's JPEG 2000", Picture((32, 24), LEFT_RED, "image/jp2")),
    Input(
        "chat.webp", partial(halves, "WEBP", lossless=True), "a chat's WebP", Picture((32, 24), LEFT_RED, "image/webp")
    ),
    Input(
        "news.avif",
        partial(halves, "AVIF", (64, 48), quality=95),
        "a news page's AVIF",
        Picture((64, 48), {(5, 5): RED, (58, 5): BLUE}, "image/avif"),
    ),
)

WRONG_NAMES = (
    Input(
        "served-as-jpeg.jpg",
        partial(halves, "PNG"),
        "a PNG that a server calls a JPEG",
        Picture((32, 24), LEFT_RED, "image/png", notes=("is a PNG image; it is declared as image/jpeg",)),
        served="image/jpeg",
    ),
    Input(
        "from-the-shop.jpg",
        partial(halves, "WEBP", lossless=True),
        "a shop's WebP named .jpg",
        Picture((32, 24), LEFT_RED, "image/webp", notes=("is a WebP image; its ending says JPG",)),
    ),
    Input(
        "from-the-cdn.jpg",
        partial(halves, "WEBP", lossless=True),
        "a CDN that converts pictures and says so",
        Picture((32, 24), LEFT_RED, "image/webp"),
        served="image/webp",
    ),
    Input(
        "download.png",
        partial(halves, "PNG"),
        "a picture that is declared as any bytes",
        Picture((32, 24), LEFT_RED, "image/png"),
        served="binary/octet-stream",
    ),
    Input(
        "clipboard.png",
        partial(halves, "PNG"),
        "a picture in a data URI",
        Picture((32, 24), LEFT_RED, "image/png"),
        uri="data:image/png;base64",
        renamed="data.png",
    ),
    Input(
        "untyped.png",
        partial(halves, "PNG"),
        "a picture in a data URI without a type",
        Picture((32, 24), LEFT_RED, "image/png"),
        uri="data:;base64",
        renamed="data.png",
    ),
)

SEVERAL = (
    Input(
        "fax.tif",
        lambda: scanned([frame(1).convert("1"), frame(2).convert("1")], compression="group4"),
        "a fax of two pages",
        Picture(
            (60, 40),
            {(1, 1): 255, (12, 12): 0},
            "image/tiff",
            "L",
            pages=2,
            notes=("holds 2 pictures; where one is wanted, it is number 1",),
        ),
    ),
    Input(
        "scanner.tiff",
        lambda: scanned([frame(1), frame(2), frame(3)], compression="tiff_lzw"),
        "an office scanner's three pages",
        Picture(
            (60, 40),
            {(1, 1): WHITE, (12, 12): RED},
            "image/tiff",
            pages=3,
            notes=("holds 3 pictures; where one is wanted, it is number 1",),
        ),
    ),
    Input(
        "fades-in.gif",
        lambda: frames("GIF", [frame(0), frame(1), frame(2)], duration=100),
        "an animation whose first frame is blank",
        Picture(
            (60, 40),
            {(50, 35): WHITE, (12, 12): RED},
            "image/gif",
            pages=3,
            best=2,
            notes=("holds 3 pictures; where one is wanted, it is number 2",),
        ),
    ),
    Input(
        "sticker.webp",
        lambda: frames("WEBP", [frame(1), frame(2)], lossless=True),
        "a chat's moving sticker",
        Picture(
            (60, 40),
            {(50, 35): (*WHITE, 255), (12, 12): (*RED, 255)},
            "image/webp",
            "RGBA",
            pages=2,
            notes=("holds 2 pictures; where one is wanted, it is number 1",),
        ),
    ),
    Input(
        "spinner.apng",
        lambda: frames("PNG", [frame(0), frame(1)], duration=100),
        "a moving PNG whose first frame is blank",
        Picture(
            (60, 40),
            {(50, 35): WHITE, (12, 12): RED},
            "image/png",
            pages=2,
            best=2,
            notes=("holds 2 pictures; where one is wanted, it is number 2",),
        ),
    ),
)

VALUES = (
    Input(
        "logo.png",
        partial(see_through, BLUE),
        "a logo on nothing",
        Picture((24, 24), {(1, 1): (0, 0, 0, 0), (12, 12): (0, 0, 255, 255)}, "image/png", "RGBA"),
    ),
    Input(
        "white-logo.webp",
        partial(see_through, WHITE, "WEBP"),
        "white writing on nothing, whose background is chosen later",
        Picture((24, 24), {(1, 1): (0, 0, 0, 0), (12, 12): (255, 255, 255, 255)}, "image/webp", "RGBA"),
    ),
    Input(
        "button.gif",
        palette,
        "an old page's button: one colour of its palette is transparent",
        Picture((24, 24), {(1, 1): (255, 0, 255, 0), (12, 12): (255, 0, 0, 255)}, "image/gif", "RGBA"),
    ),
    Input(
        "grey-alpha.png",
        lambda: saved(PILImage.new("LA", (8, 8), (200, 128)), "PNG"),
        "grey with transparency",
        Picture((8, 8), {(1, 1): (200, 200, 200, 128)}, "image/png", "RGBA"),
    ),
    Input("paint.bmp", partial(halves, "BMP"), "Paint's bitmap", Picture((32, 24), LEFT_RED, "image/bmp")),
    Input(
        "screen.bmp",
        _bmp_with_unused_bytes,
        "Windows' screen shot in 32 bits, whose fourth byte says nothing",
        Picture((8, 8), {(1, 1): RED}, "image/bmp"),
    ),
    Input(
        "long.png",
        lambda: saved(PILImage.new("RGB", (60, 6000), BLUE), "PNG"),
        "a long screen shot of a phone, which is not shrunk",
        Picture((60, 6000), {(1, 5999): BLUE}, "image/png"),
    ),
    Input(
        "dot.gif",
        lambda: saved(PILImage.new("RGB", (1, 1), RED), "GIF"),
        "a page's counting pixel",
        Picture((1, 1), {(0, 0): RED}, "image/gif"),
    ),
    Input(
        "line-art.png",
        lambda: saved(PILImage.new("1", (8, 8), 1), "PNG"),
        "a drawing of one bit",
        Picture((8, 8), {(1, 1): 255}, "image/png", "L"),
    ),
    Input(
        "depth.png",
        partial(measured, [0, 25700, 65535], np.uint16, "PNG"),
        "a depth map in sixteen bits",
        Picture((12, 4), {(1, 1): 0, (5, 1): 100, (9, 1): 255}, "image/png", "L"),
    ),
    Input(
        "mask-16.png",
        partial(measured, [0, 1, 1], np.uint16, "PNG"),
        "a mask of 0 and 1 in sixteen bits",
        Picture((12, 4), {(1, 1): 0, (5, 1): 255}, "image/png", "L"),
    ),
    Input(
        "mask-float.tif",
        partial(measured, [0, 1, 1], np.float32),
        "a mask of 0 and 1 in floats (ImageJ)",
        Picture((12, 4), {(1, 1): 0, (5, 1): 255}, "image/tiff", "L"),
    ),
    Input(
        "probability.tif",
        partial(measured, [0, 0.5, 1], np.float32),
        "probabilities in floats",
        Picture((12, 4), {(1, 1): 0, (5, 1): 128, (9, 1): 255}, "image/tiff", "L"),
    ),
    Input(
        "heights.tif",
        partial(measured, [-100, 450, 1000], np.float32),
        "a map of heights",
        Picture((12, 4), {(1, 1): 0, (5, 1): 128, (9, 1): 255}, "image/tiff", "L"),
    ),
    Input(
        "xray-12.tif",
        partial(measured, [0, 2048, 4095], np.uint16),
        "twelve bits of an X-ray or a microscope in sixteen",
        Picture((12, 4), {(1, 1): 0, (5, 1): 128, (9, 1): 255}, "image/tiff", "L"),
    ),
    Input(
        "labels-32.tif",
        partial(measured, [0, 1, 1], np.int32),
        "a mask of 0 and 1 in thirty-two bits",
        Picture((12, 4), {(1, 1): 0, (5, 1): 255}, "image/tiff", "L"),
    ),
    Input(
        "print.tif",
        partial(halves, "TIFF", mode="CMYK"),
        "a print shop's TIFF in CMYK",
        Picture((32, 24), LEFT_RED, "image/tiff"),
    ),
    Input(
        "lab.tif",
        lambda: saved(PILImage.new("LAB", (8, 8), (255, 128, 128)), "TIFF"),
        "Photoshop's Lab colours",
        Picture((8, 8), {(1, 1): WHITE}, "image/tiff"),
    ),
    Input(
        "turned.tif",
        partial(halves, "TIFF", orientation=6),
        "a scanner's TIFF that says how to turn it",
        Picture((24, 32), _TOP_RED, "image/tiff"),
    ),
    Input(
        "microscope.tif",
        partial(halves, "TIFF", big_tiff=True),
        "a microscope's TIFF for more than 4 GB (BigTIFF)",
        Picture((32, 24), LEFT_RED, "image/tiff"),
    ),
    Input(
        "palette.png",
        lambda: saved(PILImage.open(io.BytesIO(palette())), "PNG"),
        "a PNG of few colours, one of which is transparent",
        Picture((24, 24), {(1, 1): (255, 0, 255, 0), (12, 12): (255, 0, 0, 255)}, "image/png", "RGBA"),
    ),
)

PICTURES = (*PHOTOS, *WRONG_NAMES, *SEVERAL, *VALUES)
