"""JPEG files: one that may lack nothing but its end, and the photos in one that holds several pictures."""

from __future__ import annotations

from typing import Any

from PIL import Image as PILImage

_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"
_NOISE = bytes(range(0x5A, 0xAA)) * 16
_FEWEST_ZEROS = 8  # at the end of a file that are no part of a picture
_ENTRIES, _ONE_OF_SEVERAL, _THUMBNAIL = 0xB002, "Multi-Frame", "Large Thumbnail"
_BRIGHTNESS = (b"hdrgm", b"hdr-gain-map", b"hdrgainmap", b"urn:iso:std:iso:ts:21496")
"""Signs of a picture that only says how bright the other one is."""


def is_jpeg(data: bytes) -> bool:
    """Whether a file begins as a JPEG file does."""
    return data.startswith(_BEGIN)


def is_filled_up(data: bytes) -> bool:
    """Whether a JPEG file ends with zeros that are no part of a picture, instead of the mark of its end.

    Decoders take them for the rest of a picture that was cut off.
    """
    filled = data.rstrip(b"\x00")
    return is_jpeg(data) and len(data) - len(filled) >= _FEWEST_ZEROS and not filled.endswith(_END)


def with_ends(data: bytes) -> tuple[bytes, bytes]:
    """A JPEG file with the mark of its end, and with noise before that.

    Both show the same picture if the file lacks nothing but the mark: the noise is in the place of what is missing.
    """
    body = data.rstrip(b"\xff")
    if is_filled_up(data):
        body = data.rstrip(b"\x00")
        body += b"\x00" if body.endswith(b"\xff") else b""
    return body + _END, body + _NOISE + _END


def photos(image: PILImage.Image) -> tuple[int, ...]:
    """The positions of the photos in an MPO file.

    Cameras and phones use the same format for a photo with a preview of it, or with a map of its brightness or of its
    depth. These are no photos, and neither is what was cut off.
    """
    found = [0]
    first = image.size, image.mode
    mpo: Any = image
    for position, entry in enumerate(mpo.mpinfo[_ENTRIES][1:], start=1):
        kind = str(entry["Attribute"]["MPType"])
        if kind.startswith(_THUMBNAIL):
            continue
        try:
            image.seek(position)
        except (OSError, SyntaxError, ValueError, EOFError):
            continue
        if kind.startswith(_ONE_OF_SEVERAL) or ((image.size, image.mode) == first and not _is_map(image)):
            found.append(position)
    image.seek(0)
    return tuple(found)


def _is_map(image: PILImage.Image) -> bool:
    segments: Any = getattr(image, "applist", ())
    return any(sign in content.lower() for _, content in segments for sign in _BRIGHTNESS)
