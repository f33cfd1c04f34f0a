"""What the experts that draw control pictures with OpenCV share."""

from abc import abstractmethod
from typing import Any

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.media import Image
from hugginggpt.models.card import Endpoint, ModelCard


class OpenCVControl(Expert):
    """Draws a control picture for ControlNet, white on black."""

    endpoint = Endpoint.EMBEDDED
    packages = ("cv2", "numpy")
    requirement = "hugginggpt[embedded]"
    pool_key = "opencv"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        """OpenCV, limited to the configured number of threads."""
        import cv2

        cv2.setNumThreads(context.settings.cpu_threads)
        return cv2

    def prepare(self, inputs: Inputs) -> Any:
        import numpy as np

        return np.asarray(opaque(inputs["image"].image))

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        with computing(deadline):
            return self.draw(model, prepared)

    @abstractmethod
    def draw(self, cv2: Any, pixels: Any) -> Any:
        """Draw the control picture.

        Args:
            cv2: OpenCV.
            pixels: uint8, shape (height, width, 3), RGB.

        Returns:
            uint8, shape (height, width).
        """

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        from PIL import Image as PILImage

        return [Image(PILImage.fromarray(raw).convert("RGB"))]
