"""Soft edges with OpenCV: computed from gradients, where HED uses a network."""

from typing import Any

from hugginggpt.experts.embedded.opencv import OpenCVControl

# Fine lines and broad shapes, in pixels of a picture with a longer side of 512.
_SCALES = (1.0, 2.0, 4.0)
_USUAL_SIDE = 512

# The clearest edges are white, unless the whole picture has only weak ones.
_CLEAREST = 99.0
_WEAKEST_CLEAR = 8.0


class HedControl(OpenCVControl):
    """Draws the soft edges of a picture. The stronger an edge at several scales, the brighter."""

    kind = "hed-control"

    def draw(self, cv2: Any, pixels: Any) -> Any:
        return soft_edges(cv2, pixels)


def soft_edges(cv2: Any, pixels: Any) -> Any:
    """The combined strength of the gradients at several scales.

    Args:
        cv2: OpenCV.
        pixels: uint8, shape (height, width, 3).

    Returns:
        uint8, shape (height, width): white where the edges are clearest.
    """
    import numpy as np

    unit = max(pixels.shape[:2]) / _USUAL_SIDE
    strength = np.zeros(pixels.shape[:2], np.float32)
    for scale in _SCALES:
        smooth = cv2.GaussianBlur(pixels, (0, 0), max(0.5, scale * unit)).astype(np.float32)
        across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        # The strongest colour channel counts, because red next to equally bright green is an edge too.
        strength += np.hypot(across, down).max(axis=2) * scale
    clearest = max(float(np.percentile(strength, _CLEAREST)), _WEAKEST_CLEAR * sum(_SCALES))
    return (255.0 * np.clip(strength / clearest, 0.0, 1.0)).astype(np.uint8)
