"""Write the trained LoRA as a GGUF adapter for llama.cpp."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFType, GGUFWriter, quantize

from training.model import GROUPS, Planner

_BLOCK = 32  # numbers that Q8_0 stores together


def write(model: Planner, file: Path, kind: GGMLQuantizationType = GGMLQuantizationType.F16) -> None:
    """Write the adapter; rows that `kind` cannot hold are float16."""
    writer = GGUFWriter(file, "llama")
    writer.add_type(GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", model.scale * model.rank)
    for name, matrix in matrices(model).items():
        fits = kind != GGMLQuantizationType.Q8_0 or matrix.shape[1] % _BLOCK == 0
        stored = kind if fits else GGMLQuantizationType.F16
        writer.add_tensor(name, quantize(matrix, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def matrices(model: Planner) -> dict[str, np.ndarray]:
    """The adapter's matrices by their names in the file."""
    found: dict[str, np.ndarray] = {}
    for number, block in enumerate(model.blocks):
        for names, adapted in zip(GROUPS, block.adapted, strict=True):
            downs, ups = adapted.down.chunk(len(names)), adapted.up.split(adapted.parts)
            for name, down, up in zip(names, downs, ups, strict=True):
                for letter, matrix in (("a", down), ("b", up)):
                    found[f"blk.{number}.{name}.weight.lora_{letter}"] = matrix.detach().float().cpu().numpy()
    return found
