"""Pictures of pages: as a screen shows them, or as they come out of a scanner or a camera."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.reading.page import Box, Page

_CLEAN = 0.5  # of the pictures are as on a screen
_SMALLEST = 500  # pixels: narrower pictures do not get smaller


@dataclass(frozen=True)
class Picture:
    """A picture, and the boxes of the page's pieces in it."""

    image: Image.Image
    boxes: Sequence[Box]


def draw(page: Page, rng: random.Random) -> Picture:
    """A picture of the page, at times turned a little, small, blurred, noisy or pale."""
    paper = rng.choice((255, 255, 255, 250, 240))
    image = Image.new("L", (page.width, page.height), paper)
    canvas = ImageDraw.Draw(image)
    for rule in page.rules:
        canvas.line(rule, fill=rng.choice((0, 90, 160)))
    for piece in page.pieces:
        canvas.text((piece.left, piece.top), piece.text.text, font=piece.face, fill=piece.grey)
    boxes = [piece.box for piece in page.pieces]
    if rng.random() < _CLEAN:
        return Picture(image.convert("RGB"), boxes)
    if rng.random() < 0.35:
        image, boxes = _turned(image, boxes, rng.gauss(0, 0.8), paper)
    if page.width > _SMALLEST and rng.random() < 0.3:
        factor = rng.uniform(0.75, 1.0)
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BILINEAR)
        boxes = [(a * factor, b * factor, c * factor, d * factor) for a, b, c, d in boxes]
    if rng.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8)))
    pixels = np.asarray(image, float)
    if rng.random() < 0.3:
        pixels = 255 - (255 - pixels) * rng.uniform(0.45, 0.8)
    if rng.random() < 0.4:
        pixels = pixels + np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(3, 12), pixels.shape)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        image = _compressed(image, rng.randint(30, 75))
    return Picture(image.convert("RGB"), boxes)


def _turned(image: Image.Image, boxes: Sequence[Box], degrees: float, paper: int) -> tuple[Image.Image, list[Box]]:
    """The picture, turned about its centre, and the boxes around what was in them."""
    turned = image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=paper)
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    middle_x, middle_y = image.width / 2, image.height / 2

    def moved(box: Box) -> Box:
        x, y = (box[0] + box[2]) / 2 - middle_x, (box[1] + box[3]) / 2 - middle_y
        right, down = x * cos + y * sin + middle_x, y * cos - x * sin + middle_y
        half_width, half_height = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
        return right - half_width, down - half_height, right + half_width, down + half_height

    return turned, [moved(box) for box in boxes]


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("L")
