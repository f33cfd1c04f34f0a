"""Canny edges with OpenCV."""

from typing import Any

from hugginggpt.experts.embedded.opencv import OpenCVControl


class CannyControl(OpenCVControl):
    """Draws the edges of a picture, one pixel wide."""

    kind = "canny-control"

    def draw(self, cv2: Any, pixels: Any) -> Any:
        """The thresholds lie a third below and above the median brightness, which suits any exposure."""
        import numpy as np

        grey = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (3, 3), 0)
        # The median of a white page or a night scene is at an end of the scale, where there are no edges.
        middle = min(max(float(np.median(grey)), 48.0), 160.0)
        return cv2.Canny(grey, 0.67 * middle, 1.33 * middle)
