"""Finds the lines of a picture with RapidOCR's detector, window by window.

The detector's memory grows with what it sees at once: for a whole page it takes 300 MB, or 600 MB once the blocks that
it frees no longer fit what it needs next.
"""

from typing import Any

from hugginggpt.experts.embedded.page_tiles import (
    LONGEST_SIDE,
    Size,
    cut_lines,
    put_together,
    seen_whole,
    windows,
)
from hugginggpt.experts.embedded.reading_order import Box

SHORTEST_SIDE = 736
"""Pictures with a shorter side are enlarged before text is looked for in them."""
_MOST_ENLARGED = 8

WINDOW_PIXELS = 770_000
"""The most that the detector sees at once."""

# The detector takes sides that are multiples of this.
_STEP = 32


class LineFinder:
    """RapidOCR's detector.

    Args:
        detector: a `TextDetector` that changes no sizes.
    """

    def __init__(self, detector: Any) -> None:
        self._detector = detector

    def boxes(self, picture: Any, turns: int = 0) -> list[Box]:
        """The boxes of the lines of a picture, in its pixels after the turns.

        Args:
            picture: uint8, shape (height, width, 3), BGR.
            turns: quarter turns to the left before text is looked for.
        """
        import numpy as np

        size = _size_for_detector((picture.shape[1], picture.shape[0]))
        seen = np.rot90(_resized(picture, size), turns)
        height, width = seen.shape[:2]
        parts = windows(width, height, WINDOW_PIXELS)
        found = []
        for part in parts:
            window = np.ascontiguousarray(seen[part.top : part.bottom, part.left : part.right])
            found.append(_moved(self._look(window), (1.0, 1.0), (part.left, part.top)))
        if len(parts) > 1 and (cut := cut_lines([box for boxes in found for box in boxes])):
            found.append(seen_whole(cut, self._seen_at_once(seen)))
        turned = np.rot90(picture, turns)
        return _moved(put_together(found), (turned.shape[1] / width, turned.shape[0] / height))

    def _seen_at_once(self, seen: Any) -> list[Box]:
        """The boxes of a picture that is shrunk so that it fits into one window."""
        import numpy as np

        height, width = seen.shape[:2]
        scale = (WINDOW_PIXELS / (width * height)) ** 0.5
        size = max(_STEP, int(width * scale) // _STEP * _STEP), max(_STEP, int(height * scale) // _STEP * _STEP)
        return _moved(self._look(_resized(np.ascontiguousarray(seen), size)), (width / size[0], height / size[1]))

    def _look(self, window: Any) -> list[Box]:
        boxes = self._detector(window).boxes
        return [] if boxes is None else boxes.tolist()


def _size_for_detector(size: Size) -> Size:
    """The width and height in which the detector sees a picture."""
    scale = min(1.0, LONGEST_SIDE / max(size))
    scale = max(scale, min(_MOST_ENLARGED, SHORTEST_SIDE / min(size)))
    width, height = (max(_STEP, round(side * scale / _STEP) * _STEP) for side in size)
    return width, height


def _resized(picture: Any, size: Size) -> Any:
    import cv2

    return picture if (picture.shape[1], picture.shape[0]) == size else cv2.resize(picture, size)


def _moved(boxes: list[Box], scale: tuple[float, float], offset: tuple[float, float] = (0.0, 0.0)) -> list[Box]:
    return [[[x * scale[0] + offset[0], y * scale[1] + offset[1]] for x, y in box] for box in boxes]
