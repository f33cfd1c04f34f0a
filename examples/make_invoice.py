"""Draws examples/invoice.png: `python examples/make_invoice.py`."""

from decimal import Decimal
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, MARGIN = 1000, 1120, 80
INK, FAINT, ACCENT = "#1d2430", "#8a93a3", "#1f5f8b"
RIGHT = WIDTH - MARGIN

VAT_PERCENT = 20
LINES = (
    ("Oak desk, 160 x 80 cm", 2, Decimal("349.00")),
    ("Desk lamp, brass", 3, Decimal("58.50")),
    ("Office chair, grey", 2, Decimal("189.90")),
    ("Delivery and assembly", 1, Decimal("75.00")),
)


def money(amount: Decimal) -> str:
    return f"{amount:,.2f} EUR"


def draw() -> Image.Image:
    page = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(page)

    def put(text: str, x: int, y: int, size: int = 26, fill: str = INK, anchor: str = "la") -> None:
        pen.text((x, y), text, font=ImageFont.load_default(size=size), fill=fill, anchor=anchor)

    put("Fenwright Interiors", MARGIN, 70, 44, ACCENT)
    put("14 Harbour Street, Bristol", MARGIN, 130)
    put("INVOICE", RIGHT, 70, 44, INK, "ra")

    put("Invoice number: FW-2026-0417", MARGIN, 220)
    put("Date: 12 May 2026", MARGIN, 262)
    put("Bill to: Lindgren Architects, Leeds", MARGIN, 304)

    top = 390
    put("Description", MARGIN, top, fill=ACCENT)
    put("Qty", 600, top, fill=ACCENT, anchor="ra")
    put("Amount", RIGHT, top, fill=ACCENT, anchor="ra")
    pen.line((MARGIN, top + 44, RIGHT, top + 44), fill=FAINT, width=2)
    y = top + 66
    for description, quantity, price in LINES:
        put(description, MARGIN, y)
        put(str(quantity), 600, y, anchor="ra")
        put(money(quantity * price), RIGHT, y, anchor="ra")
        y += 54
    pen.line((MARGIN, y, RIGHT, y), fill=FAINT, width=2)

    subtotal = sum((quantity * price for _, quantity, price in LINES), Decimal(0))
    vat = (subtotal * VAT_PERCENT / 100).quantize(Decimal("0.01"))
    for label, amount in (("Net amount", subtotal), (f"VAT {VAT_PERCENT}%", vat)):
        y += 30
        put(label, 480, y)
        put(money(amount), RIGHT, y, anchor="ra")
        y += 30
    y += 40
    put("Total due", 480, y, 34)
    put(money(subtotal + vat), RIGHT, y, 34, anchor="ra")

    put("Payment is due within 30 days.", MARGIN, HEIGHT - 180)
    put("Bank transfer to account 4402 1189 7730.", MARGIN, HEIGHT - 138)
    put("Thank you for your order.", MARGIN, HEIGHT - 96)
    return page


if __name__ == "__main__":
    draw().save(Path(__file__).with_name("invoice.png"), optimize=True)
