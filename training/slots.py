"""The slots of blocks, `{doc}` or `{lang2}`, and what they are filled with."""

import random
import re

from training.fills import drawn
from training.graphs import FILE_SORTS, File
from training.phrases import Bank

SLOT = re.compile(r"\{([A-Za-z]+)(\d?)\}")


class Slots:
    """What the slots of a block, or of a whole conversation, are filled with."""

    def __init__(self, bank: Bank, rng: random.Random) -> None:
        self._bank, self._rng = bank, rng
        self.files: dict[tuple[str, str], File] = {}
        self.values: dict[tuple[str, str], list[str]] = {}

    def fill(self, text: str) -> list[File]:
        """Fill the slots of a text that are still empty; return the new files."""
        new: list[File] = []
        for name, number in sorted(dict.fromkeys(SLOT.findall(text)), key=lambda slot: slot[1]):
            key = (name.lower(), number)
            if key[0] in FILE_SORTS:
                if key not in self.files:
                    self.files[key] = File(key[0])
                    new.append(self.files[key])
            elif key not in self.values:
                self.values[key] = self._other_than(key[0])
        return new

    def _other_than(self, fill: str) -> list[str]:
        """A value that no other slot of its list has, if that can be had."""
        taken = [values for (name, _), values in self.values.items() if name == fill]
        drawn_values = [drawn(self._bank, fill, self._rng) for _ in range(1 + 9 * bool(taken))]
        return next((values for values in drawn_values if values not in taken), drawn_values[0])
