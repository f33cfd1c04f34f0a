"""Draws the pictures of docs/embedded-planner-examples.md: `python examples/make_pictures.py`."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

INK, ACCENT = "#1d2430", "#8b3a1f"

LETTER = """Harbour Housing Ltd
3 Quay Road, Bristol

2 November 2026

Dear Mrs Okafor,

The boiler in your building will be replaced on
Thursday, 19 November 2026. The heating and the
hot water will be off from 8:00 to 16:00.

Our engineer needs to enter your flat for about
one hour. If you cannot be at home, please call
0117 496 0142 before 12 November.

We are sorry for the trouble.

Martin Hale
Property Manager"""

NOTICE = """MUSEUM OF THE SEA

Open Tuesday to Sunday
10:00 to 18:00

Adults 9.00 EUR
Children 4.50 EUR

Please leave large bags
in the cloakroom."""


def page(text: str, size: int, width: int, background: str = "white") -> Image.Image:
    """A page of text whose first line is its heading."""
    lines = text.splitlines()
    drawn = Image.new("RGB", (width, 160 + len(lines) * size * 3 // 2), background)
    pen = ImageDraw.Draw(drawn)
    for n, line in enumerate(lines):
        font = ImageFont.load_default(size=size + (8 if n == 0 else 0))
        pen.text((80, 70 + n * size * 3 // 2), line, font=font, fill=ACCENT if n == 0 else INK)
    return drawn


def house() -> Image.Image:
    """A house by the sea."""
    drawn = Image.new("RGB", (640, 480), "#bcdcf0")
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((0, 320, 640, 480), fill="#3b7ea1")
    pen.polygon([(0, 320), (0, 400), (460, 400), (560, 320)], fill="#5d8a4a")
    pen.rectangle((140, 200, 360, 340), fill="#f2e3c6", outline=INK, width=3)
    pen.polygon([(120, 200), (250, 100), (380, 200)], fill=ACCENT, outline=INK)
    pen.rectangle((225, 260, 275, 340), fill="#5b3a24", outline=INK, width=3)
    for left in (160, 300):
        pen.rectangle((left, 230, left + 40, 270), fill="#d9ecf7", outline=INK, width=3)
    pen.ellipse((500, 50, 570, 120), fill="#f6d55c")
    return drawn


if __name__ == "__main__":
    pictures = {"letter": page(LETTER, 28, 820), "notice": page(NOTICE, 34, 640, "#f7f3e8"), "house": house()}
    for name, picture in pictures.items():
        picture.save(Path(__file__).with_name(f"{name}.png"), optimize=True)
