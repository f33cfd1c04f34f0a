"""The processor's memory: how much of it models may take, and how freed memory returns to the system."""

import ctypes
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath

from hugginggpt.settings import Settings

_CGROUPS = Path("/sys/fs/cgroup")
_CGROUPS_1 = _CGROUPS / "memory" / "memory.limit_in_bytes"

# Parameters of glibc's mallopt(3), and the values that its thresholds grow to by default.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_TRIM, _LARGEST_MMAP = 64 * 2**20, 32 * 2**20
_WEIGHTS_MMAP = 2**20

_counting = threading.Lock()
_loads = 0


def memory_budget(settings: Settings) -> int:
    """Bytes that all models together may take: the setting, else half of the memory available to this process."""
    if settings.model_memory is not None:
        return settings.model_memory
    return _least_limit() // 2


@cache
def _least_limit() -> int:
    return min(_limits())


def _limits() -> Iterator[int]:
    """The memory of the machine, and the limits of this process and its containers."""
    import psutil  # type: ignore[import-untyped]

    yield int(psutil.virtual_memory().total)
    with suppress(ImportError, OSError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            yield soft
    for path in (*_cgroup_limits(), _CGROUPS_1):
        with suppress(OSError, ValueError):  # no such group, or "max"
            yield int(path.read_text())


def _cgroup_limits() -> list[Path]:
    """The files with the limits of this process's control group and its parents."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    group = PurePosixPath(own)
    return [_CGROUPS / inner / "memory.max" for inner in (group, *group.parents)]


@contextmanager
def loading_weights() -> Iterator[None]:
    """Allocate large blocks directly from the system, so that each returns to it when freed.

    Otherwise glibc keeps up to 64 MiB of freed weights for each thread that loads a model, and nothing makes it
    release them.
    """
    global _loads
    with _counting:
        _loads += 1
        _set_thresholds(_WEIGHTS_MMAP)
    try:
        yield
    finally:
        with _counting:
            _loads -= 1
            if not _loads:
                _set_thresholds(_LARGEST_MMAP)


def _set_thresholds(mmap: int) -> None:
    # Other C libraries lack the call.
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, mmap)
        library.mallopt(_TRIM_THRESHOLD, _LARGEST_TRIM)


def release_memory() -> None:
    """Return unused memory to the system."""
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()
    # glibc keeps freed memory unless told otherwise; other C libraries lack the call.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
