"""Write the trained LoRA as a GGUF adapter for llama.cpp."""

from __future__ import annotations

from pathlib import Path

from gguf import GGMLQuantizationType, GGUFType, GGUFWriter, quantize

from training.model import Planner

_BLOCK = 32  # numbers that Q8_0 stores together


def write(model: Planner, file: Path, kind: GGMLQuantizationType = GGMLQuantizationType.F16) -> None:
    """Write the adapter; rows that `kind` cannot hold are float16."""
    writer = GGUFWriter(file, "llama")
    writer.add_type(GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", model.scale * model.rank)
    for adapted in model.adapted():
        for name, down, up in adapted.lora():
            for letter, tensor in (("a", down), ("b", up)):
                matrix = tensor.detach().float().cpu().numpy()
                fits = kind != GGMLQuantizationType.Q8_0 or matrix.shape[1] % _BLOCK == 0
                stored = kind if fits else GGMLQuantizationType.F16
                writer.add_tensor(f"{name}.weight.lora_{letter}", quantize(matrix, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
