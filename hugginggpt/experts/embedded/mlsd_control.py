"""Straight lines with OpenCV's line segment detector (LSD, doi 10.5201/ipol.2012.gjmr-lsd)."""

from typing import Any

from hugginggpt.experts.embedded.opencv import OpenCVControl

_SHORTEST = 0.04
"""As a share of the picture's diagonal. Shorter lines are texture."""


class MlsdControl(OpenCVControl):
    """Draws the straight lines of a picture, for which M-LSD uses a network."""

    kind = "mlsd-control"

    def draw(self, cv2: Any, pixels: Any) -> Any:
        import numpy as np

        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        drawn = np.zeros_like(grey)
        lines = cv2.createLineSegmentDetector().detect(grey)[0]
        shortest = _SHORTEST * np.hypot(*grey.shape)
        for left, top, right, bottom in [] if lines is None else lines.reshape(-1, 4):
            if np.hypot(right - left, bottom - top) >= shortest:
                ends = ((round(left), round(top)), (round(right), round(bottom)))
                cv2.line(drawn, *ends, 255, max(1, round(max(grey.shape) / 512)), cv2.LINE_AA)
        return drawn
