"""Videos: checking that they can be played. Their bytes are kept as they are."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from hugginggpt.deadline import NO_DEADLINE, POLL_SECONDS, Deadline
from hugginggpt.errors import NO_SPACE, DiskFullError, StorageError
from hugginggpt.media.input_formats import AVI, MOV, MP4, Format
from hugginggpt.media.problem import ContentProblem, too_much_memory

TEMPORARY = "hugginggpt-video-"
"""Prefix of the temporary files that hold videos while they are checked."""

_FIRST_FRAME = Path(__file__).with_name("first_frame.py")
_SECONDS = 60
_PIXEL_BYTES = 9
"""Memory for each pixel of a frame: the decoder keeps a few reference frames, and the one to show."""
_DAMAGED = "is cut off or damaged and cannot be played; save it again"


def check(data: bytes, found: Format, max_pixels: int, max_bytes: int, deadline: Deadline = NO_DEADLINE) -> None:
    """Check a video's container, and decode its first frame where OpenCV is installed.

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
    if found in (MP4, MOV):
        _check_boxes(data)
    elif found is AVI and int.from_bytes(data[4:8], "little") + 8 > len(data) + 1:
        raise ContentProblem(_DAMAGED)
    if find_spec("cv2") is not None:
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
    with _in_file(data) as path:
        command = [sys.executable, "-P", str(_FIRST_FRAME), path, str(most), str(max_bytes)]
        decoded = _output(command, deadline)
    width, height = map(int, decoded.split())
    if width * height > max_pixels:
        raise ContentProblem(
            f"has frames of {width} x {height} pixels, more than the {max_pixels} that "
            "HUGGINGGPT_MAX_IMAGE_PIXELS allows; make it smaller"
        )
    if width * height > most:
        raise ContentProblem(too_much_memory(width * height * _PIXEL_BYTES, max_bytes))
    if width * height == 0:
        raise ContentProblem(_DAMAGED)


def _output(command: Sequence[str], deadline: Deadline) -> str:
    """What a program prints, if it succeeds in time. It is killed once nothing waits for it any more."""
    deadline.check()
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError as error:
        raise ContentProblem(
            f"cannot be checked, because no process could be started ({error.strerror or error}); try again when "
            "this machine is less busy"
        ) from error
    until = time.monotonic() + _SECONDS
    with process:
        try:
            while True:
                try:
                    printed, _ = process.communicate(timeout=min(POLL_SECONDS, deadline.remaining()))
                    break
                except subprocess.TimeoutExpired:
                    deadline.check()
                    if time.monotonic() > until:
                        raise ContentProblem(_DAMAGED) from None
        finally:
            process.kill()
    if process.returncode != 0:
        raise ContentProblem(_DAMAGED)
    return printed


@contextmanager
def _in_file(data: bytes) -> Iterator[str]:
    """The path of a temporary file with these bytes, inside the block."""
    path = ""
    try:
        try:
            descriptor, path = tempfile.mkstemp(prefix=TEMPORARY)
            with open(descriptor, "wb") as file:
                file.write(data)
        except OSError as error:
            kind = DiskFullError if error.errno in NO_SPACE else StorageError
            raise kind(
                f"The video cannot be written to {tempfile.gettempdir()} for checking ({error.strerror}): make room "
                "there, or set TMPDIR to another folder."
            ) from error
        yield path
    finally:
        if path:
            os.unlink(path)
