"""The areas, and how many of all cases each gets."""

from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.case import Area


@dataclass(frozen=True)
class Opening:
    """How an area is opened; its module is imported only then.

    Attributes:
        weight: its part of all cases.
    """

    module: str
    weight: int

    def open(self, folder: Path) -> Area:
        """The area, in a folder that it may write to."""
        from importlib import import_module

        area: Area = import_module(f"tests.fuzz.{self.module}").open_area(folder)
        return area


AREAS = {
    "plans": Opening("plans", 24),
    "notation": Opening("notation", 12),
    "media": Opening("media", 20),
    "sources": Opening("sources", 12),
    "urls": Opening("urls", 12),
    "names": Opening("names", 8),
    "texts": Opening("texts", 6),
    "batches": Opening("batches", 5),
    "doors": Opening("doors", 8),
    "options": Opening("options", 3),
}
