"""Drawing on pictures: boxes, regions and a white background."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image as PILImage
from PIL import ImageColor, ImageDraw, ImageFont

# Colours that most kinds of colour vision can tell apart (Okabe and Ito), readable under black letters.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")


def on_white(picture: PILImage.Image) -> PILImage.Image:
    """The picture in RGB, with transparent parts on white."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return PILImage.alpha_composite(PILImage.new("RGBA", layer.size, "white"), layer).convert("RGB")


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def with_boxes(picture: PILImage.Image, found: Sequence[dict[str, Any]]) -> PILImage.Image:
    """A copy of a picture, RGB, with a box, label and score for each object.

    Args:
        picture: in any mode.
        found: `[{"label", "score", "box": {"xmin", "ymin", "xmax", "ymax"}}]`, boxes in pixels.
    """
    drawn = on_white(picture)
    if drawn is picture:
        drawn = picture.copy()
    draw = ImageDraw.Draw(drawn)
    width = max(2, round(max(drawn.size) / 300))
    font = _font(max(10, round(max(drawn.size) / 50)))
    labels = list(dict.fromkeys(entry["label"] for entry in found))
    for entry in found:
        colour = _COLOURS[labels.index(entry["label"]) % len(_COLOURS)]
        box = entry["box"]
        left, right = sorted((box["xmin"], box["xmax"]))
        top, bottom = sorted((box["ymin"], box["ymax"]))
        draw.rectangle((left, top, right, bottom), outline=colour, width=width)
        caption = f"{entry['label']} {entry['score']:.2f}"
        # The caption is above its box, or inside it if there is no room above.
        _, _, wide, high = draw.textbbox((0, 0), caption, font=font)
        x = max(0, min(left, drawn.width - wide - 2 * width))
        y = top - high - width if top >= high + width else top + width
        draw.rectangle((x, y, x + wide + 2 * width, y + high + width), fill=colour)
        draw.text((x + width, y), caption, fill="black", font=font)
    return drawn


def with_regions(picture: PILImage.Image, regions: Sequence[tuple[str, Any]]) -> PILImage.Image:
    """A copy of a picture, RGB, with each region in its own colour, labelled near its middle.

    Args:
        picture: in any mode.
        regions: names, and boolean masks of the picture's size, shape (height, width). An empty name is not
            written.
    """
    import numpy as np

    pixels = np.asarray(on_white(picture)).astype(np.float32)
    names = list(dict.fromkeys(name for name, _ in regions))
    for number, (name, mask) in enumerate(regions):
        at = names.index(name) if name else number
        colour = np.array(ImageColor.getrgb(_COLOURS[at % len(_COLOURS)]), np.float32)
        pixels[mask] = 0.5 * pixels[mask] + 0.5 * colour
    drawn = PILImage.fromarray(pixels.round().astype(np.uint8))
    draw, font = ImageDraw.Draw(drawn), _font(max(10, round(max(drawn.size) / 50)))
    for name, mask in regions:
        if name and mask.any():
            rows, columns = np.nonzero(mask)
            row = int(np.median(rows))
            in_row = columns[rows == row]
            centre = (int(np.median(in_row if len(in_row) else columns)), row)
            draw.text(centre, name, fill="black", font=font, anchor="mm", stroke_width=2, stroke_fill="white")
    return drawn
