"""Depth as a control picture, through transformers."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.runtime.depth import DepthExpert
from hugginggpt.media import Image


class DepthControl(DepthExpert):
    """Draws the depth of a picture in the form that ControlNet expects."""

    kind = "depth-control"

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """A grey picture in RGB; brighter is nearer."""
        from PIL import Image as PILImage

        return [Image(PILImage.fromarray((255 * raw).round().astype("uint8")).convert("RGB"))]
