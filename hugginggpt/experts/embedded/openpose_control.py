"""The pose of a person as a control picture, with BlazePose."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.embedded.people import PersonExpert
from hugginggpt.experts.openpose import Joint, drawn_people, openpose_joints
from hugginggpt.media import Image

_VISIBLE = 0.5

# The index in BlazePose's 33 joints of each of OpenPose's 18.
_FROM_BLAZEPOSE = (0, None, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
_SHOULDERS = (11, 12)


class OpenposeControl(PersonExpert):
    """Draws the pose of the person in the foreground."""

    kind = "openpose-control"

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        person, _ = raw
        size = inputs["image"].image.size
        seen = [_seen(x, y, visible, size) for x, y, visible in person["joints"]]
        return [Image(drawn_people([openpose_joints(seen, _FROM_BLAZEPOSE, _SHOULDERS)], size))]


def _seen(x: float, y: float, visible: float, size: tuple[int, int]) -> Joint:
    inside = 0 <= x < size[0] and 0 <= y < size[1]
    return (x, y) if inside and visible >= _VISIBLE else None
