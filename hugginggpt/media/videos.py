"""Videos: checking that they can be played. Their bytes are kept as they are."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from hugginggpt.deadline import NO_DEADLINE, Deadline
from hugginggpt.media.input_formats import AVI, MOV, MP4, THREE_GP, Format
from hugginggpt.media.native import output_of, written_to_file
from hugginggpt.media.problem import ContentProblem, too_much_memory

_FIRST_FRAME = Path(__file__).with_name("first_frame.py")
_PIXEL_BYTES = 9
"""Memory for each pixel of a frame: the decoder keeps a few reference frames, and the one to show."""
_DAMAGED = "is cut off or damaged and cannot be played; save it again"


def check(data: bytes, found: Format, max_pixels: int, max_bytes: int, deadline: Deadline = NO_DEADLINE) -> None:
    """Check a video's container, and decode its first frame where OpenCV or PyAV is installed.

    Args:
        data: the video.
        found: its format.
        max_pixels: limit on width times height of its frames.
        max_bytes: limit on the memory that decoding a frame takes.
        deadline: ends the decoding.

    Raises:
        ContentProblem: it is cut off or damaged, its frames are too large, or it cannot be decoded here now.
        StorageError: it cannot be written to a temporary file; DiskFullError if there is no room.
        DeadlineExceededError: the deadline has passed, or was cancelled.
    """
    if found in (MP4, MOV, THREE_GP):
        _check_boxes(data)
    elif found is AVI and int.from_bytes(data[4:8], "little") + 8 > len(data) + 1:
        raise ContentProblem(_DAMAGED)
    if any(map(find_spec, ("cv2", "av"))):
        _check_frame(data, max_pixels, max_bytes, deadline)


def _check_boxes(data: bytes) -> None:
    """Walk the top-level boxes (ISO/IEC 14496-12, 4.2): the last one ends the file, one is the index."""
    at, kinds = 0, set()
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kinds.add(data[at + 4 : at + 8])
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        elif size == 0:
            size = len(data) - at
        if size < 8 or at + size > len(data):
            raise ContentProblem(_DAMAGED)
        at += size
    if not kinds & {b"moov", b"moof"}:
        raise ContentProblem(_DAMAGED)


def _check_frame(data: bytes, max_pixels: int, max_bytes: int, deadline: Deadline) -> None:
    """Decode in a separate process, because FFmpeg can crash on hostile files and cannot be interrupted."""
    most = min(max_pixels, max_bytes // _PIXEL_BYTES)
    with written_to_file(data, "video") as path:
        command = [sys.executable, "-P", str(_FIRST_FRAME), path, str(most), str(max_bytes)]
        decoded = output_of(command, deadline, _DAMAGED)
    width, height, shown = map(int, decoded.split())
    if width * height > max_pixels:
        raise ContentProblem(
            f"has frames of {width} x {height} pixels, more than the {max_pixels} that "
            "HUGGINGGPT_MAX_IMAGE_PIXELS allows; make it smaller"
        )
    if width * height > most:
        raise ContentProblem(too_much_memory(width * height * _PIXEL_BYTES, max_bytes))
    if width * height == 0:
        raise ContentProblem(_DAMAGED)
    if not shown:
        raise ContentProblem(
            "is damaged, or in an encoding that cannot be decoded here; if it plays elsewhere, save it as MP4 "
            "with H.264"
        )
