"""Poses drawn in the style of OpenPose (arXiv 1812.08008)."""

from collections.abc import Sequence

from PIL import Image as PILImage
from PIL import ImageDraw

Joint = tuple[float, float] | None
"""Where a joint is, in pixels; None if it is not visible."""

_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
_LIMB_SHADE = 0.6


def openpose_joints(found: Sequence[Joint], order: Sequence[int | None], shoulders: tuple[int, int]) -> list[Joint]:
    """OpenPose's 18 joints.

    Args:
        found: the joints that a model finds.
        order: the index in `found` of each joint of OpenPose. The neck, its second, is None.
        shoulders: the indices in `found` between which the neck is.
    """
    left, right = (found[at] for at in shoulders)
    neck = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2) if left and right else None
    return [neck if at is None else found[at] for at in order]


def drawn_people(people: Sequence[Sequence[Joint]], size: tuple[int, int]) -> PILImage.Image:
    """People on black.

    Args:
        people: the 18 joints of each.
        size: width and height of the picture.
    """
    picture = PILImage.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    radius = max(2, round(max(size) / 128))
    for joints in people:
        for (start, end), colour in zip(_LIMBS, _COLOURS, strict=False):
            if (first := joints[start]) and (second := joints[end]):
                shade = tuple(int(part * _LIMB_SHADE) for part in colour)
                draw.line((*first, *second), fill=shade, width=2 * radius)
        for joint, colour in zip(joints, _COLOURS, strict=True):
            if joint:
                x, y = joint
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return picture
