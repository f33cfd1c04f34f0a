"""The outline of a person, with MediaPipe's models."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.embedded.people import PersonExpert
from hugginggpt.experts.rendering import regions


class ImageSegmentation(PersonExpert):
    """Divides a picture into the person in the foreground, and the rest."""

    kind = "image-segmentation"
    masks = True

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        import numpy as np

        person, pixels = raw
        picture = inputs["image"].image
        mask = np.frombuffer(pixels, bool).reshape(picture.height, picture.width)
        return regions([{"label": "person", "score": person["score"], "mask": mask}], picture)
