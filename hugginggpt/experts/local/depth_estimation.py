"""Depth estimation through transformers."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.runtime.depth import DepthExpert
from hugginggpt.media import Image


class DepthEstimation(DepthExpert):
    """Estimates how far away each part of a picture is."""

    kind = "depth-estimation"

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """A grey picture; brighter is nearer."""
        from PIL import Image as PILImage

        return [Image(PILImage.fromarray((255 * raw).round().astype("uint8")))]
