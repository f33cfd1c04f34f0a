"""Models in ONNX Runtime."""

from functools import cache
from pathlib import Path
from typing import Any


def onnx_session(model: Path | bytes, threads: int, *, shares_memory: bool = False) -> Any:
    """An inference session on the processor.

    Args:
        model: the file, or its content.
        threads: how many the model may use.
        shares_memory: with all such sessions of this process, of which one runs at a time. It takes less memory, also
            for inputs of many different sizes, which would each have a plan of their own.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    if shares_memory:
        _register_shared_memory()
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@cache
def _register_shared_memory() -> None:
    import onnxruntime

    kind, where = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    onnxruntime.create_and_register_allocator(onnxruntime.OrtMemoryInfo("Cpu", kind, 0, where), None)
