"""The planner's base model, read from the GGUF file that serves it.

Training starts from exactly the weights that serve: the quantised weights, dequantised. They keep the
layout of the file, in which the two numbers that RoPE rotates together are neighbours, so the trained
adapter fits the file without rearranging.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from torch import Tensor

from hugginggpt.controller.embedded.model import FILE, PACKAGE


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama model."""

    blocks: int
    width: int
    heads: int
    kv_heads: int
    rope_base: float
    norm_epsilon: float

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.width // self.heads


@dataclass(frozen=True)
class Base:
    """The shape of a model, and its weights in float32 by their names in the file."""

    shape: Shape
    weights: dict[str, Tensor]


def packaged() -> Path:
    """The path of the packaged GGUF file, found without importing its package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the base model is not installed; run `make install`, or name a GGUF file with --base")
    return Path(spec.submodule_search_locations[0]) / FILE


def load(file: Path) -> Base:
    """Read and dequantise a Llama model whose output matrix is its embedding."""
    reader = GGUFReader(file)

    def value(key: str) -> float:
        field = reader.get_field(key)
        if field is None:
            raise ValueError(f"{file.name} has no {key}")
        return float(field.contents())

    shape = Shape(
        blocks=int(value("llama.block_count")),
        width=int(value("llama.embedding_length")),
        heads=int(value("llama.attention.head_count")),
        kv_heads=int(value("llama.attention.head_count_kv")),
        rope_base=value("llama.rope.freq_base"),
        norm_epsilon=value("llama.attention.layer_norm_rms_epsilon"),
    )
    weights = {
        tensor.name.removesuffix(".weight"): torch.from_numpy(
            np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        )
        for tensor in reader.tensors
    }
    return Base(shape, weights)


def template(file: Path) -> str:
    """The chat template of a GGUF file."""
    field = GGUFReader(file).get_field("tokenizer.chat_template")
    if field is None:
        raise ValueError(f"{file.name} has no chat template")
    return str(field.contents())
