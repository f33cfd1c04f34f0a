"""Surface normals as a control picture, from the gradient of the estimated depth."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.runtime.depth import DepthExpert
from hugginggpt.media import Image

# The steepness and the background threshold that ControlNet 1.0 was trained with.
_STEEPNESS = 6.2831853
_BACKGROUND = 0.4


class NormalControl(DepthExpert):
    """Draws the direction of each surface of a picture, in the form that ControlNet 1.0 expects."""

    kind = "normal-control"
    packages = (*DepthExpert.packages, "cv2")

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The normals as colours: red points right, green down, blue towards the viewer."""
        import cv2
        import numpy as np
        from PIL import Image as PILImage

        # ControlNet's gradients are per pixel of a picture with a longer side of 512.
        unit = max(raw.shape) / 512
        across, down = (cv2.Sobel(raw, cv2.CV_32F, *order, ksize=3) * 255 * unit for order in ((1, 0), (0, 1)))
        flat = raw < _BACKGROUND
        across[flat], down[flat] = 0.0, 0.0
        normals = np.stack([across, down, np.full_like(across, _STEEPNESS)], axis=2)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        return [Image(PILImage.fromarray((normals * 127.5 + 127.5).clip(0, 255).astype(np.uint8)))]
