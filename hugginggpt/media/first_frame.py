"""Decodes the first frame of a video file and prints its width and height, and 1 if it could, else 0.

A program of its own: `python -P first_frame.py PATH MAX_PIXELS MAX_BYTES`. It does not decode frames with more
pixels, and it limits its memory, because a header may not tell the truth about the frames. What OpenCV cannot decode,
PyAV may, which has a decoder for AV1 for example.
"""

import os
import resource
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

with suppress(ImportError):
    import cv2


def main(path: str, max_pixels: int, max_bytes: int) -> None:
    """Print the size of the first frame of the video at `path`."""
    _limit_memory(max_bytes)
    found = (0, 0, False)
    for name, first_frame in (("cv2", _by_opencv), ("av", _by_pyav)):
        if find_spec(name) is not None and not found[2]:
            found = max(found, first_frame(path, max_pixels), key=lambda one: (one[2], one[0] * one[1]))
    print(*map(int, found))


def _by_opencv(path: str, max_pixels: int) -> tuple[int, int, bool]:
    # Each additional thread would hold frames of its own.
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    # A larger one is refused by its size.
    return width, height, width * height > max_pixels or bool(capture.read()[0])


def _by_pyav(path: str, max_pixels: int) -> tuple[int, int, bool]:
    import av

    try:
        with av.open(path, "r") as container:
            stream: Any = container.streams.video[0]
            stream.thread_count = 1
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > max_pixels:
                return width, height, True
            return width, height, next(container.decode(stream), None) is not None
    except (av.FFmpegError, IndexError, ValueError):
        return 0, 0, False


def _limit_memory(max_bytes: int) -> None:
    """Limit the memory that this process may take in addition to what it has, if the system reports that."""
    try:
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[5]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (taken + max_bytes, taken + max_bytes))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
