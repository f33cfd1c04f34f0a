"""Write what the reader has learnt as a file beside the packaged encoder's weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from hugginggpt.controller.embedded.encoder import HEAD, SCALE, load_weights
from training.reading.model import SpanReader
from training.trainer import learning


def write(model: SpanReader, file: Path) -> None:
    """Write the heads, and what to add to the encoder's weights.

    Of a matrix each row is stored in bytes with a scale of its own, which loses less than the encoder's own bfloat16.
    """
    base = load_weights()
    written: dict[str, np.ndarray] = {}
    for name, parameter in learning(model).items():
        value = parameter.detach().float().cpu().numpy()
        own = name.removeprefix("encoder.")
        if own == name:
            written[HEAD + name] = value.astype(np.float32)
            continue
        change = value - base[own]
        if change.ndim == 1:
            written[own] = change.astype(np.float32)
            continue
        scale = np.maximum(np.abs(change).max(axis=1, keepdims=True) / 127, 1e-12)
        written[own] = np.rint(change / scale).astype(np.int8)
        written[own + SCALE] = scale.astype(np.float32)
    save_file(written, file)
