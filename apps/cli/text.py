"""Render texts, sizes, times and prices for a terminal."""

from datetime import datetime

from hugginggpt.text import visible

SHORT_ID = 8

STARTING = "Starting"
"""What is shown of a request on which nothing works yet."""

LINE_CHARS = 200
"""Most characters of a text that shares its line with others."""


def printable(given: object) -> str:
    """A text or path from outside without characters that a terminal would act on or display misleadingly."""
    return visible(str(given))


def size(count: int) -> str:
    """A number of bytes."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def moment(at: datetime) -> str:
    """A time, in the user's time zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def duration(seconds: float) -> str:
    """A number of seconds."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def dollars(microdollars: int) -> str:
    """A price in millionths of a US dollar."""
    return f"${microdollars / 1_000_000:.6f}".rstrip("0").rstrip(".")


def short(identifier: str) -> str:
    """The beginning of an id, as commands accept it."""
    return identifier[:SHORT_ID]
