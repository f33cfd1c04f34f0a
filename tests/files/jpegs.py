"""JPEG files without their end, and with more than one picture in them."""

from __future__ import annotations

import struct
from functools import partial

import numpy as np
from PIL import Image as PILImage

from tests.documents.test_frames import frame
from tests.documents.test_frames import saved as frames
from tests.files.input import Input
from tests.files.outcomes import Picture, Refused
from tests.files.pictures import BLUE, LEFT_RED, RED, WHITE, halves, saved
from tests.test_sounds import recorded

_CUT = Refused("is cut off or damaged and cannot be read as a picture; save it again")
_UNDEFINED, _DISPARITY, _PREVIEW = 0x000000, 0x020002, 0x010002


def scene() -> PILImage.Image:
    """A picture of many colours, red at the top and blue at the bottom."""
    rows, columns = np.mgrid[0:96, 0:128]
    noise = np.random.default_rng(1).integers(0, 60, (96, 128))
    image = PILImage.fromarray(np.stack([noise + 90, rows, columns], axis=2).astype(np.uint8))
    image.paste(RED, (0, 0, 128, 16))
    image.paste(BLUE, (0, 80, 128, 96))
    return image


def shot(share: float = 1.0, behind: bytes = b"", **options: object) -> bytes:
    """The beginning of a JPEG without its end, and something behind that."""
    whole = saved(scene(), "JPEG", quality=90, **options)
    return whole[: int((len(whole) - 2) * share)] + behind


def several(kind: int, second: PILImage.Image | None = None, mark: bytes = b"") -> bytes:
    """A JPEG with a second picture of a kind, of which only the beginning may be left."""
    first = frame(1, (60, 40))
    data = bytearray(frames("MPO", [first, second if second is not None else frame(2, (60, 40))]))
    at = data.index(b"\xff\xd8\xff\xe0", 4)
    entry = data.index(struct.pack("<LL", 0x030000, at)) + 16
    data[entry : entry + 4] = struct.pack("<L", kind)
    (size,) = struct.unpack_from("<L", data, entry + 4)
    if mark:
        segment = b"\xff\xe1" + struct.pack(">H", len(mark) + 2) + mark
        data[at + 2 : at + 2] = segment
        data[entry + 4 : entry + 8] = struct.pack("<L", size + len(segment))
    return bytes(data)


_SCENE = Picture((128, 96), {(60, 4): RED, (60, 90): BLUE}, "image/jpeg")
_ONE = Picture((60, 40), {(8, 12): RED, (50, 35): WHITE}, "image/jpeg")
_TWO = Picture(
    (60, 40),
    {(8, 12): RED, (50, 35): WHITE},
    "image/jpeg",
    pages=2,
    notes=("holds 2 pictures; where one is wanted, it is number 1",),
)

JPEGS = (
    Input(
        "webcam.jpg",
        lambda: halves("JPEG", quality=95)[:-2],
        "a webcam's JPEG without its last two bytes",
        Picture((32, 24), LEFT_RED, "image/jpeg"),
    ),
    Input("endless.jpg", shot, "a picture of many colours without its last two bytes", _SCENE),
    Input(
        "endless-progressive.jpg",
        partial(shot, progressive=True),
        "a progressive JPEG without its last two bytes",
        _SCENE,
    ),
    Input("half-an-end.jpg", partial(shot, behind=b"\xff"), "a JPEG without its last byte", _SCENE),
    Input("block.jpg", partial(shot, behind=bytes(700)), "a webcam's JPEG that is filled up with zeros", _SCENE),
    Input("restarts.jpg", partial(shot, restart_marker_rows=1), "an IP camera's JPEG with marks in each row", _SCENE),
    Input("cut.jpg", partial(shot, 0.5), "a photo of which the lower half is missing", _CUT),
    Input("cut-late.jpg", partial(shot, 0.97), "a photo of which the last rows are missing", _CUT),
    Input("cut-block.jpg", partial(shot, 0.9, bytes(4096)), "a photo whose last block is zeros", _CUT),
    Input("cut-restarts.jpg", partial(shot, 0.7, restart_marker_rows=1), "an IP camera's JPEG that was cut", _CUT),
    Input("cut-progressive.jpg", partial(shot, 0.8, progressive=True), "a progressive JPEG that was cut", _CUT),
    Input(
        "PXL_motion.jpg",
        lambda: halves("JPEG", quality=95) + recorded("mp4", "aac", pictures="libx264"),
        "an Android motion photo: a video behind the picture",
        Picture((32, 24), LEFT_RED, "image/jpeg"),
    ),
    Input("3d.mpo", partial(frames, "MPO", [frame(1), frame(2)]), "a 3D camera's two pictures", _TWO),
    Input("3d-renamed.jpg", partial(several, _DISPARITY), "a 3D camera's two pictures, named .jpg", _TWO),
    Input("with-preview.jpg", partial(several, _PREVIEW), "a camera's photo with a large preview of it", _ONE),
    Input(
        "hdr.jpg",
        partial(several, _UNDEFINED, mark=b'http://ns.adobe.com/xap/1.0/\x00<a hdrgm:Version="1.0"/>'),
        "a phone's photo with a map of its brightness (Ultra HDR)",
        _ONE,
    ),
    Input(
        "portrait.jpg",
        partial(several, _UNDEFINED, PILImage.new("L", (30, 20), 90)),
        "a phone's portrait with a map of its depth",
        _ONE,
    ),
    Input(
        "3d-cut.mpo",
        lambda: several(_DISPARITY)[: -len(saved(frame(2), "JPEG"))],
        "a 3D camera's pictures, of which a chat kept the first",
        _ONE,
    ),
)
