"""Drawing on pictures: boxes, regions and a background."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image as PILImage
from PIL import ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont

# Colours that most kinds of colour vision can tell apart (Okabe and Ito), readable under black letters.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")


# Backgrounds for transparent parts, the most usual first, and how much better the others have to be.
_BACKGROUNDS = ((255, 0.0), (0, 0.15), (128, 0.2))

# Levels of grey between two things that can be told apart.
_DISTINCT = 64

_EDGE = 5  # pixels; writing is all edge


def opaque(picture: PILImage.Image) -> PILImage.Image:
    """The picture in RGB. Transparent parts get a background on which what adjoins them can be seen.

    That is white for most pictures, black for white writing, and grey where white and black things are beside each
    other.
    """
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    background = _background(layer)
    ground = PILImage.new("RGBA", layer.size, (background, background, background, 255))
    return PILImage.alpha_composite(ground, layer).convert("RGB")


def _background(layer: PILImage.Image) -> int:
    """The level of grey for the transparent parts of a picture in RGBA."""
    alpha = layer.getchannel("A")
    visible = max(1, alpha.getextrema()[1] // 2)  # type: ignore[operator]
    solid = alpha.point(lambda level: 255 if level >= visible else 0)
    edge = ImageChops.subtract(solid, solid.filter(ImageFilter.MinFilter(_EDGE)))
    levels = layer.convert("RGB").convert("L").histogram(edge)
    total = sum(levels)
    if not total:
        return _BACKGROUNDS[0][0]

    def seen(background: int) -> float:
        return sum(count for level, count in enumerate(levels) if abs(level - background) >= _DISTINCT) / total

    return max(_BACKGROUNDS, key=lambda ground: seen(ground[0]) - ground[1])[0]


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def with_boxes(picture: PILImage.Image, found: Sequence[dict[str, Any]]) -> PILImage.Image:
    """A copy of a picture, RGB, with a box, label and score for each object.

    Args:
        picture: in any mode.
        found: `[{"label", "score", "box": {"xmin", "ymin", "xmax", "ymax"}}]`, boxes in pixels.
    """
    drawn = opaque(picture)
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

    pixels = np.asarray(opaque(picture)).astype(np.float32)
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
