"""Object detection at an inference provider."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.drawing import on_white
from hugginggpt.experts.remote.provider import RemoteExpert, RemoteModel, upload
from hugginggpt.experts.rendering import detections
from hugginggpt.media import Image, encode


class ObjectDetection(RemoteExpert):
    """Finds things in a picture, with their boxes."""

    kind = "object-detection"

    def prepare(self, inputs: Inputs) -> Any:
        """The picture, RGB, as PNG."""
        return upload(*encode(Image(on_white(inputs["image"].image))))

    def run(self, model: RemoteModel, prepared: Any, deadline: Deadline) -> Any:
        """What the provider finds."""
        return model.ask("object_detection", prepared, deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """`[{"label", "score", "box"}]`, and the picture with the boxes."""
        found = [
            {
                "label": element.label,
                "score": element.score,
                "box": {side: getattr(element.box, side) for side in ("xmin", "ymin", "xmax", "ymax")},
            }
            for element in raw
        ]
        return detections(found, inputs["image"].image)
