"""Decides which device a model is loaded to, and as which type of number.

`placements`, `feasible` and `choose_placement` work on plain numbers, so they need no accelerator.
"""

import re
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from hugginggpt.errors import ConfigurationError
from hugginggpt.experts.weights import Weights
from hugginggpt.memory import memory_budget
from hugginggpt.settings import Settings

CPU = "cpu"

LOAD_LOCK = threading.RLock()
"""Held while transformers, or a library built on it, loads weights.

Loading changes settings of torch for the whole process: if two loads overlap, one of them ends up with weights on the
meta device. The lock is reentrant because loading a model may load a companion.
"""

_SHARES = "mps"
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_HEADROOM = 2**30
_HEADROOM_SHARE = 8  # one eighth


@dataclass(frozen=True)
class Accelerator:
    """A GPU.

    Attributes:
        name: its name in torch.
        budget: bytes that models may take in its memory.
        dtype: the type that models are loaded as.
    """

    name: str
    budget: int
    dtype: str

    @property
    def memory(self) -> str:
        """The memory that holds its models: its own, or the processor's for Apple's accelerators."""
        return CPU if self.name == _SHARES else self.name


@dataclass(frozen=True)
class Placement:
    """A way to hold a model.

    Attributes:
        device: where the model computes.
        takes: bytes in each memory; the first one holds the weights.
        offloaded: the weights stay in the processor's memory, and each part moves to the device to compute.
    """

    device: str
    takes: Mapping[str, int]
    offloaded: bool = False

    @property
    def rank(self) -> int:
        """Lower is faster: on an accelerator, offloaded, on the processor."""
        return 2 if self.device == CPU else int(self.offloaded)


@dataclass(frozen=True)
class MemoryUse:
    """How much of a memory is in use.

    Attributes:
        budget: bytes that models may take.
        used: bytes that models take.
        idle: bytes of those that idle models take.
    """

    budget: int
    used: int = 0
    idle: int = 0


def placements(
    weights: Weights, accelerators: Sequence[Accelerator], on_cpu: str, *, offloading: bool
) -> list[Placement]:
    """All ways to hold a model.

    Args:
        weights: the weights of the model.
        accelerators: the available accelerators.
        on_cpu: the type that the model is loaded as on the processor.
        offloading: the expert can move one part after the other to an accelerator.
    """
    found = [Placement(CPU, {CPU: weights.bytes_as(on_cpu)})]
    # Only floating-point weights can be computed on an accelerator.
    computable = any(part.floats for part in weights.parts)
    for one in accelerators if computable else ():
        found.append(Placement(one.name, {one.memory: weights.bytes_as(one.dtype)}))
        if offloading and one.memory != CPU:
            takes = {CPU: weights.bytes_as(one.dtype), one.memory: weights.largest_as(one.dtype)}
            found.append(Placement(one.name, takes, offloaded=True))
    return found


def feasible(found: Sequence[Placement], budgets: Mapping[str, int]) -> list[Placement]:
    """The fastest placements that would hold the model in empty memory; none if it is too big for this machine.

    A model that fits on an accelerator waits for it, because it would take longer on the processor than the wait.
    """
    fit = [placement for placement in found if all(size <= budgets[memory] for memory, size in placement.takes.items())]
    best = min((placement.rank for placement in fit), default=0)
    return [placement for placement in fit if placement.rank == best]


def choose_placement(found: Sequence[Placement], rooms: Mapping[str, MemoryUse]) -> Placement | None:
    """The placement with the most free memory, else the most after evicting idle models; None if none fits now."""

    def left(placement: Placement, *, without_idle: bool) -> int:
        free = (
            rooms[memory].budget - rooms[memory].used + (rooms[memory].idle if without_idle else 0) - size
            for memory, size in placement.takes.items()
        )
        return min(free, default=0)

    for without_idle in (False, True):
        fit = [placement for placement in found if left(placement, without_idle=without_idle) >= 0]
        if fit:
            return max(fit, key=lambda placement: left(placement, without_idle=without_idle))
    return None


def configure_torch(settings: Settings) -> str:
    """Limit torch's threads, turn off the progress bars of transformers, and choose a device.

    Returns:
        The name of the device: the first accelerator if there is one, else the processor.
    """
    import torch
    from transformers.utils import logging as transformers_logging

    torch.set_num_threads(settings.cpu_threads)
    transformers_logging.disable_progress_bar()
    return next((one.name for one in accelerators(settings)), CPU)


def accelerators(settings: Settings) -> tuple[Accelerator, ...]:
    """The accelerators that models may be loaded to. Imports torch only where there may be one.

    Raises:
        ConfigurationError: this machine does not have the device HUGGINGGPT_DEVICE.
    """
    if settings.device == CPU:
        return ()
    names = _names()
    if settings.device is not None:
        wanted = "cuda:0" if settings.device == "cuda" else settings.device
        if wanted not in names:
            here = " and ".join((*names, CPU))
            raise ConfigurationError(
                f"HUGGINGGPT_DEVICE is {settings.device}, and torch finds only {here} here: choose one of them."
            )
        names = (wanted,)
    return tuple(Accelerator(name, _budget(name, settings), settings.dtype or _half(name)) for name in names)


def may_have_accelerators() -> bool:
    """Whether torch may find an accelerator here: on Linux, only where there is a driver of one. Imports no torch."""
    return sys.platform != "linux" or any(Path(driver).exists() for driver in _DRIVERS)


def dtype_on(device: str, stored: str, settings: Settings) -> str:
    """The type that a model is loaded as, by torch's name.

    Half precision is for accelerators, because most processors compute it slowly or not at all.

    Args:
        device: the device it is loaded to.
        stored: the type that most of its weights are stored as.
        settings: `dtype` overrides the choice.
    """
    if settings.dtype is not None:
        return settings.dtype
    if device != CPU:
        return _half(device)
    return "bfloat16" if stored == "bfloat16" and has_fast_bfloat16(_flags()) else "float32"


def has_fast_bfloat16(flags: str) -> bool:
    """Whether a processor with these flags can multiply bfloat16 in hardware."""
    return re.search(r"\b(amx_bf16|avx512_bf16)\b", flags) is not None


@lru_cache(maxsize=1)
def _flags() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return next((line for line in text.splitlines() if line.startswith("flags")), "")


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    if not may_have_accelerators() or find_spec("torch") is None:
        return ()
    import torch

    if torch.cuda.is_available():
        return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    return (_SHARES,) if torch.backends.mps.is_available() else ()


def _half(name: str) -> str:
    if name == _SHARES:
        return "float16"
    import torch

    return "bfloat16" if torch.version.hip or torch.cuda.get_device_capability(name) >= (8, 0) else "float16"


def _budget(name: str, settings: Settings) -> int:
    """The setting, else the accelerator's memory minus headroom for computing."""
    if name == _SHARES:
        return memory_budget(settings)
    if settings.accelerator_memory is not None:
        return settings.accelerator_memory
    import torch

    _, total = torch.cuda.mem_get_info(name)
    return max(0, total - max(_HEADROOM, total // _HEADROOM_SHARE))
