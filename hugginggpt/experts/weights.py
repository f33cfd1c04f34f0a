"""The weights in a model's files, and how much memory they take as each type of number."""

import json
import struct
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

from hugginggpt.models.files import descriptions, needed_files

WIDTH = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes per number for each type that models are loaded as, by torch's names."""

_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 100 * 2**20


@dataclass(frozen=True)
class Part:
    """The weights of one folder: of a whole model, or of one part of a pipeline.

    Attributes:
        floats: how many floating-point numbers are stored as each type, by torch's names.
        others: bytes that loading does not convert: integers, and formats other than plain safetensors.
    """

    floats: Mapping[str, int]
    others: int = 0

    def bytes_as(self, dtype: str) -> int:
        """Bytes in memory when loaded as this type."""
        return sum(self.floats.values()) * WIDTH[dtype] + self.others


@dataclass(frozen=True)
class Weights:
    """The weights of a model and its companions.

    Attributes:
        parts: one for each folder of weights.
        folders: the folders with the files of these models, by model id.
    """

    parts: Sequence[Part]
    folders: Mapping[str, Path] = field(default_factory=dict)

    def bytes_as(self, dtype: str) -> int:
        """Bytes in memory when loaded as this type."""
        return sum(part.bytes_as(dtype) for part in self.parts)

    def largest_as(self, dtype: str) -> int:
        """Bytes in memory of the largest part when loaded as this type."""
        return max((part.bytes_as(dtype) for part in self.parts), default=0)

    @property
    def stored_dtype(self) -> str:
        """The type that most numbers are stored as."""
        return most_common_dtype(self.parts)


def most_common_dtype(parts: Sequence[Part]) -> str:
    """The type that most numbers are stored as."""
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.floats)
    return counts.most_common(1)[0][0] if counts else "float32"


def read_weight_parts(folder: Path, exactly: Collection[str] = ()) -> list[Part]:
    """Read the headers of a downloaded model's files.

    Args:
        folder: the model's files.
        exactly: the names of the weights, if the card gives them.

    Raises:
        ValueError: a file is damaged.
    """
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    parts: dict[PurePosixPath, list[Part]] = {}
    for name in needed_files(folder, names, exactly) or []:
        path = PurePosixPath(name)
        if name not in descriptions([name], str(path.parent) if path.parent.name else ""):
            parts.setdefault(path.parent, []).append(_read(folder / name))
    return [_joined(files) for files in parts.values()]


def _read(path: Path) -> Part:
    if path.suffix == ".skops":
        return Part({}, path.stat().st_size)
    if path.suffix != ".safetensors":
        return Part({"float32": path.stat().st_size // WIDTH["float32"]})
    floats: Counter[str] = Counter()
    others = 0
    for tensor in _header(path):
        if (dtype := _FLOATS.get(tensor["dtype"])) is not None:
            floats[dtype] += prod(tensor["shape"])
        else:
            start, end = tensor["data_offsets"]
            others += end - start
    return Part(dict(floats), others)


def _header(path: Path) -> list[dict[str, Any]]:
    """The description of each tensor in a safetensors file: JSON, preceded by its length."""
    with path.open("rb") as file:
        first = file.read(_LENGTH.size)
        length = _LENGTH.unpack(first)[0] if len(first) == _LENGTH.size else _LONGEST_HEADER + 1
        if length > _LONGEST_HEADER:
            raise ValueError(f"{path.name} is not a safetensors file")
        header = json.loads(file.read(length))
    return [tensor for name, tensor in header.items() if name != "__metadata__"]


def _joined(files: Sequence[Part]) -> Part:
    floats: Counter[str] = Counter()
    for part in files:
        floats.update(part.floats)
    return Part(dict(floats), sum(part.others for part in files))
