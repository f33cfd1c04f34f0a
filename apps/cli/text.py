"""Small renderings that several commands share."""

from datetime import datetime

from hugginggpt.text import visible

SHORT_ID = 8

LINE_CHARS = 200
"""Characters of a text that is shown in one line among others."""


def printable(given: object) -> str:
    """A text or path from outside without what a terminal takes for commands, or shows as something else."""
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
    """As much of an id as a person needs: commands take any unique beginning."""
    return identifier[:SHORT_ID]
