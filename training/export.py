"""Write the trained LoRA as a GGUF adapter for llama.cpp."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFType, GGUFWriter

from training.model import Llama


def write(model: Llama, file: Path) -> None:
    """Write the adapter, in float16."""
    writer = GGUFWriter(file, "llama")
    writer.add_type(GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", model.scale * model.rank)
    for adapted in model.adapted():
        for name, down, up in adapted.lora():
            for letter, tensor in (("a", down), ("b", up)):
                matrix = tensor.detach().float().cpu().numpy()
                writer.add_tensor(f"{name}.weight.lora_{letter}", matrix.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
