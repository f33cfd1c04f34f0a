"""Decodes the first frame of a video file and prints its width and height, or 0 0 when there is none.

A program of its own: `python -P first_frame.py PATH MAX_PIXELS MAX_BYTES`. It does not decode frames with more
pixels, and it limits its memory, because a header may not tell the truth about the frames.
"""

import os
import resource
import sys

import cv2


def main(path: str, max_pixels: int, max_bytes: int) -> None:
    """Print the size of the first frame of the video at `path`."""
    _limit_memory(max_bytes)
    # Each additional thread would hold frames of its own.
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height <= max_pixels and not capture.read()[0]:
        width = height = 0
    print(width, height)


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
