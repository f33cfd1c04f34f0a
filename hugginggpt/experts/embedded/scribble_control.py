"""A scribble with OpenCV: the clear edges of a picture, as if drawn with a thick pen."""

from typing import Any

from hugginggpt.experts.embedded.hed_control import soft_edges
from hugginggpt.experts.embedded.opencv import OpenCVControl

# In pixels of a picture with a longer side of 512.
_PEN, _SHORTEST_STROKE, _USUAL_SIDE = 4.0, 24.0, 512

_CLEAR = 96
"""How bright, out of 255, a soft edge must be to be drawn."""


class ScribbleControl(OpenCVControl):
    """Draws a picture's clear edges as strokes of one width, without the small ones."""

    kind = "scribble-control"

    def draw(self, cv2: Any, pixels: Any) -> Any:
        import numpy as np

        unit = max(pixels.shape[:2]) / _USUAL_SIDE
        clear = (soft_edges(cv2, pixels) >= _CLEAR).astype(np.uint8)
        _, labels, facts, _ = cv2.connectedComponentsWithStats(clear, connectivity=8)
        length = np.maximum(facts[:, cv2.CC_STAT_WIDTH], facts[:, cv2.CC_STAT_HEIGHT])
        long = length >= _SHORTEST_STROKE * unit
        long[0] = False  # the background
        width = max(1, round(_PEN * unit)) | 1
        pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
        return 255 * cv2.morphologyEx(long[labels].astype(np.uint8), cv2.MORPH_CLOSE, pen)
