"""Inputs that stay in the store until an expert needs them, so that a long list is never in memory all at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hugginggpt.artifacts import Artifact, ArtifactStore
from hugginggpt.media import Audio, Image, Table, Text, Value, Video, text_of

_CELL_BYTES = 64
_CHARACTER_BYTES = 4
_PIXEL_BYTES = {"L": 1}
"""Bytes per pixel in Pillow by mode; 4 in every other mode."""


@dataclass(frozen=True)
class StoredInput:
    """Stands for a value in the store.

    Attributes:
        as_text: read it as text, for a text input.
    """

    artifact: Artifact
    as_text: bool


class InputReader:
    """Reads the inputs of one element after another, and keeps the values until they are released.

    Args:
        store: where the values are.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._values: dict[StoredInput, Value] = {}
        self._taken: dict[StoredInput, int] = {}

    @property
    def bytes_held(self) -> int:
        """About how much memory the kept values take."""
        return sum(self._taken.values())

    def read(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs with every value read. A kept value is not read again.

        Raises:
            StorageError: a value is missing or damaged, or the store cannot be read.
            MediaError: a value has another type than it was stored as.
        """
        return {name: self._value(value) if isinstance(value, StoredInput) else value for name, value in inputs.items()}

    def release(self, following: Mapping[str, Any] | None = None) -> None:
        """Forget every value that the next element does not use."""
        kept = set(stored_inputs(following or {}))
        self._values = {key: value for key, value in self._values.items() if key in kept}
        self._taken = {key: taken for key, taken in self._taken.items() if key in kept}

    def _value(self, key: StoredInput) -> Value:
        if key not in self._values:
            value = self._store.get(key.artifact)
            if key.as_text and not isinstance(value, Text):
                value = Text(text_of(value) or "")
            self._values[key] = value
            self._taken[key] = _memory_of(value, key.artifact.bytes)
        return self._values[key]


def stored_inputs(inputs: Mapping[str, Any]) -> Iterator[StoredInput]:
    """The inputs of an element that are not read yet."""
    return (value for value in inputs.values() if isinstance(value, StoredInput))


def _memory_of(value: Value, encoded: int) -> int:
    match value:
        case Image(image):
            return image.width * image.height * _PIXEL_BYTES.get(image.mode, 4)
        case Audio(samples):
            return int(samples.nbytes)
        case Text(text):
            return len(text) * _CHARACTER_BYTES
        case Table(columns, rows):
            return encoded + _CELL_BYTES * (len(columns) + 1) * (len(rows) + 1)
        case Video(data):
            return len(data)
        case _:
            return encoded * _CELL_BYTES
