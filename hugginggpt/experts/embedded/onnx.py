"""Models in ONNX Runtime."""

from pathlib import Path
from typing import Any


def onnx_session(model: Path | bytes, threads: int) -> Any:
    """An inference session on the processor.

    Args:
        model: the file, or its content.
        threads: how many the model may use.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
