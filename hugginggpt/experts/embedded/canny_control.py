"""Canny edges by OpenCV."""

from typing import Any

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, Inputs, Outputs, Surroundings
from hugginggpt.experts.drawing import on_white
from hugginggpt.media import Image


class CannyControl(Expert):
    """Draws the edges of a picture in white on black, as ControlNet wants them."""

    kind = "canny-control"
    endpoint = Endpoint.EMBEDDED
    packages = ("cv2", "numpy")
    install = "hugginggpt[embedded]"
    loads = "opencv"

    def load(self, card: ModelCard, surroundings: Surroundings) -> Any:
        """OpenCV, told how many threads it may use."""
        import cv2

        cv2.setNumThreads(surroundings.settings.cpu_threads)
        return cv2

    def prepare(self, inputs: Inputs) -> Any:
        """The picture's pixels, RGB."""
        import numpy as np

        return np.asarray(on_white(inputs["image"].image))

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        """Find the edges. The thresholds stand a third below and above the median, so any exposure works."""
        import numpy as np

        with computing(deadline):
            grey = model.GaussianBlur(model.cvtColor(prepared, model.COLOR_RGB2GRAY), (3, 3), 0)
            # A white page or a night scene has its median at an end of the scale: stay where edges are.
            middle = min(max(float(np.median(grey)), 48.0), 160.0)
            return model.Canny(grey, 0.67 * middle, 1.33 * middle)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The edges as a picture, RGB."""
        from PIL import Image as PILImage

        return [Image(PILImage.fromarray(raw).convert("RGB"))]
