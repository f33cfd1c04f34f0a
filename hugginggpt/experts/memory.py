"""The processor's memory: how much of it models may take, and giving it back."""

import ctypes
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from hugginggpt.settings import Settings

_CGROUPS = Path("/sys/fs/cgroup")
_CGROUPS_1 = _CGROUPS / "memory" / "memory.limit_in_bytes"

# Of glibc, see mallopt(3): its parameters, and what its own thresholds grow to by themselves.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_TRIM, _LARGEST_MMAP = 64 * 2**20, 32 * 2**20
_WEIGHTS_MMAP = 2**20

_counting = threading.Lock()
_loads = 0


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


@contextmanager
def loading_weights() -> Iterator[None]:
    """Have large blocks that are allocated inside the block asked of the system one by one.

    Each of them goes back to it when it is freed. glibc would otherwise come to keep up to 64 MiB of
    freed weights for each thread that loads, which nothing can make it give back.
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
