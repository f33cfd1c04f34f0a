"""The cells of tables as models take them."""


def number_or_text(cell: str) -> float | str | None:
    """A number where it is one, with a decimal point or comma; nothing where it is empty; else the text."""
    text = cell.strip()
    for written in (text, text.replace(",", ".") if text.count(",") == 1 and "." not in text else text):
        try:
            return float(written)
        except ValueError:
            continue
    return text or None
