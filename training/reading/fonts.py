"""The fonts that pages are set in: whatever of them the machine has."""

from __future__ import annotations

import random
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import ImageFont

_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path.home() / ".fonts",
    Path(sysconfig.get_path("purelib")) / "matplotlib" / "mpl-data" / "fonts",
)
# The files of a family's regular and bold face, and how often it is drawn.
_FAMILIES = {
    ("LiberationSans-Regular", "LiberationSans-Bold"): 9,
    ("LiberationSerif-Regular", "LiberationSerif-Bold"): 7,
    ("DejaVuSans", "DejaVuSans-Bold"): 5,
    ("DejaVuSerif", "DejaVuSerif-Bold"): 3,
    ("LiberationSansNarrow-Regular", "LiberationSansNarrow-Bold"): 2,
    ("DejaVuSansCondensed", "DejaVuSansCondensed-Bold"): 2,
    ("DejaVuSerifCondensed", "DejaVuSerifCondensed-Bold"): 1,
    ("LiberationMono-Regular", "LiberationMono-Bold"): 2,
    ("DejaVuSansMono", "DejaVuSansMono-Bold"): 1,
    ("LiberationSerif-Italic", "LiberationSerif-BoldItalic"): 1,
    ("Roboto-Regular", "Roboto-Bold"): 4,
    ("OpenSans-Regular", "OpenSans-Bold"): 4,
    ("NotoSans-Regular", "NotoSans-Bold"): 4,
    ("NotoSerif-Regular", "NotoSerif-Bold"): 3,
    ("Arial", "Arial Bold"): 6,
    ("Times New Roman", "Times New Roman Bold"): 5,
    ("Georgia", "Georgia Bold"): 3,
    ("Verdana", "Verdana Bold"): 3,
}


@dataclass(frozen=True)
class Family:
    """A regular and a bold face: files, or None for the one that comes with Pillow."""

    regular: str | None
    bold: str | None

    def face(self, size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
        """A face in a size in pixels."""
        return _face(self.bold if bold else self.regular, size)


def drawn_family(rng: random.Random) -> Family:
    """One of the families that are there."""
    families = _families()
    return rng.choices(list(families), list(families.values()))[0] if families else Family(None, None)


@cache
def _families() -> dict[Family, int]:
    files = {path.stem: str(path) for folder in _FOLDERS if folder.is_dir() for path in sorted(folder.rglob("*.ttf"))}
    return {
        Family(files[regular], files[bold]): often
        for (regular, bold), often in _FAMILIES.items()
        if regular in files and bold in files
    }


@cache
def _face(file: str | None, size: int) -> ImageFont.FreeTypeFont:
    if file is not None:
        return ImageFont.truetype(file, size)
    face = ImageFont.load_default(size)
    assert isinstance(face, ImageFont.FreeTypeFont)
    return face
