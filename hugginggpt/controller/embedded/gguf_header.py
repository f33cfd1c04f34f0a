"""What a GGUF file says about its model, without loading it.

The format is described in ggml's repository (github.com/ggml-org/ggml, gguf.md). The `gguf` package would read the
whole vocabulary, which takes seconds; what is wanted here stands before it.
"""

from __future__ import annotations

import math
import os
import struct
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_FIELDS = 10_000
_MOST_CHARS = 1_000_000
_MOST_WORDS = 2_000_000
_BYTES_OF_A_VALUE = 2  # keys and values are kept in half precision

Value = int | float | str


class GGUFError(ValueError):
    """The file is not a GGUF file, or is damaged."""


def context_within(path: Path, memory: int) -> int:
    """The longest context of a model, in tokens, whose keys and values fit into some memory.

    Args:
        path: its GGUF file.
        memory: bytes for weights and context.

    Raises:
        GGUFError: the file cannot be read, or does not say how long the context is.
    """
    stat = path.stat()
    fields = _fields(path, stat.st_size, stat.st_mtime_ns)
    architecture = fields.get("general.architecture")

    def number(name: str, default: int = 0) -> int:
        found = fields.get(f"{architecture}.{name}", default)
        return int(found) if isinstance(found, int | float) and math.isfinite(found) else default

    longest = number("context_length")
    if longest <= 0:
        raise GGUFError("it does not say how long its context is")
    heads = number("attention.head_count", 1)
    width = number("attention.key_length", number("embedding_length") // max(1, heads))
    values = 2 * number("block_count") * number("attention.head_count_kv", heads) * width
    room = max(0, memory - stat.st_size) // max(1, values * _BYTES_OF_A_VALUE)
    return min(longest, room) if values else longest


@lru_cache(maxsize=4)
def _fields(path: Path, size: int, changed: int) -> dict[str, Value]:
    """The fields of a file that are numbers or texts, up to the vocabulary."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC or _number(file, "I") not in _VERSIONS:
                raise GGUFError("it is no GGUF file of version 2 or 3")
            _number(file, "Q")  # tensors
            found: dict[str, Value] = {}
            for _ in range(min(_number(file, "Q"), _MOST_FIELDS)):
                name, kind = _text(file), _number(file, "I")
                if kind == _ARRAY and name.startswith("tokenizer."):
                    _pass_over(file)
                elif (value := _value(file, kind)) is not None:
                    found[name] = value
            return found
    except (struct.error, OverflowError, RecursionError, MemoryError):
        raise GGUFError("it is damaged") from None


def _value(file: BinaryIO, kind: int) -> Value | None:
    """The next value; None for a list, which is passed over, but for one number that stands for every layer."""
    if kind in _NUMBERS:
        return _number(file, _NUMBERS[kind])
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        raise GGUFError(f"it has a value of the unknown type {kind}")
    inner, count = _number(file, "I"), _number(file, "Q")
    values = [_value(file, inner) for _ in range(min(count, _MOST_CHARS))]
    numbers = [value for value in values if isinstance(value, int)]
    return max(numbers) if numbers else None


def _pass_over(file: BinaryIO) -> None:
    """Go to the end of a list, such as a vocabulary."""
    inner, count = _number(file, "I"), _number(file, "Q")
    if inner in _NUMBERS:
        file.seek(struct.calcsize(f"<{_NUMBERS[inner]}") * count, os.SEEK_CUR)
        return
    if inner != _STRING or count > _MOST_WORDS:
        raise GGUFError("it has an unknown sort of vocabulary")
    for _ in range(count):
        file.seek(_number(file, "Q"), os.SEEK_CUR)


def _number(file: BinaryIO, form: str) -> int:
    size = struct.calcsize(f"<{form}")
    (found,) = struct.unpack(f"<{form}", file.read(size))
    return found  # type: ignore[no-any-return]


def _text(file: BinaryIO) -> str:
    length = _number(file, "Q")
    if length > _MOST_CHARS:
        raise GGUFError("it is damaged")
    return file.read(length).decode("utf-8", "replace")
