"""The outline of a person, with MediaPipe's models."""

from typing import Any

from PIL import Image as PILImage

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.embedded.blazepose import BlazePose
from hugginggpt.experts.embedded.people import PersonExpert
from hugginggpt.experts.rendering import regions


class ImageSegmentation(PersonExpert):
    """Divides a picture into the person in the foreground, and the rest."""

    kind = "image-segmentation"

    def run(self, model: BlazePose, prepared: PILImage.Image, deadline: Deadline) -> Any:
        with computing(deadline):
            person = super().run(model, prepared, deadline)
            return {"label": "person", "score": person.score, "mask": model.mask(prepared, person)}

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return regions([raw], inputs["image"].image)
