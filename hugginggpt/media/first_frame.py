"""Decodes the first frame of a video file and prints its width and height, 0 0 when there is none.

A program of its own: `python -P first_frame.py PATH MAX_PIXELS`. Frames with more pixels are not decoded.
"""

import sys

import cv2


def main(path: str, max_pixels: int) -> None:
    """Print the size of the first frame of the video at `path`."""
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height <= max_pixels and not capture.read()[0]:
        width = height = 0
    print(width, height)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
