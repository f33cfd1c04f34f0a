"""The processor's memory: how much of it models may take, and giving it back."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from hugginggpt.settings import Settings

_CGROUPS = Path("/sys/fs/cgroup")
_CGROUPS_1 = _CGROUPS / "memory" / "memory.limit_in_bytes"


def memory_budget(settings: Settings) -> int:
    """Bytes that all models in it may take: the setting, else half of the memory this process may have."""
    if settings.model_memory is not None:
        return settings.model_memory
    return min(_limits()) // 2


def _limits() -> Iterator[int]:
    """What the machine has, and what the process and the containers around it may take of it."""
    import psutil  # type: ignore[import-untyped]

    yield int(psutil.virtual_memory().total)
    with suppress(ImportError, OSError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            yield soft
    for path in (*_cgroup_limits(), _CGROUPS_1):
        with suppress(OSError, ValueError):  # no such group; "max"
            yield int(path.read_text())


def _cgroup_limits() -> list[Path]:
    """Where the limits of this process's control group and of those around it are written."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    group = PurePosixPath(own)
    return [_CGROUPS / inner / "memory.max" for inner in (group, *group.parents)]


def give_back() -> None:
    """Give the memory of what nobody holds any more back to the system."""
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()
    # glibc keeps freed memory for itself unless told; other C libraries lack the call.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
