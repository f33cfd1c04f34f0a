"""The memory of an idle `up` with one flow worker and one expert worker: the sum of proportional set sizes.

    python -m benchmarks.memory

Memory hardly depends on the machine, so it is compared with what the same parts took before anything was kept warm.
"""

import tempfile
import time
from pathlib import Path

import psutil

from apps.up.processes import running
from benchmarks.commands import seconds_of
from benchmarks.rows import Row, main
from hugginggpt import up_state
from tests.servers import free_port

BEFORE = 640.0
"""Megabytes of the same `up` when each flow run started a Python of its own."""
TARGET = 1.2
SETTLE_SECONDS = 15.0


def measure() -> list[Row]:
    """Start an `up`, let it settle, and add up its processes; takes about half a minute."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        ports = ("--port", str(free_port()), "--dask-port", str(free_port()))
        try:
            seconds_of(home, "up", "--detach", "--workers", "1", "--expert-workers", "1", *ports)
            time.sleep(SETTLE_SECONDS)
            sizes = _sizes(home / ".hugginggpt")
        finally:
            seconds_of(home, "down")
    total = sum(sizes.values())
    parts = ", ".join(f"{part} {size:.0f}" for part, size in sorted(sizes.items(), key=lambda each: -each[1]))
    return [Row("memory of an idle `up` / before", total / BEFORE, TARGET, details=f"{total:.0f} MB: {parts}")]


def _sizes(home: Path) -> dict[str, float]:
    """Megabytes of each part with all that it started, and of the supervisor."""
    up = up_state.read(home)
    assert up is not None
    sizes = {"supervisor": megabytes(psutil.Process(up.pid))}
    for part in up.parts:
        sizes[part] = sum(megabytes(process) for process in running(up.mark, part))
    return sizes


def megabytes(process: psutil.Process) -> float:
    """The proportional set size of a process."""
    size: int = process.memory_full_info().pss
    return size / 1e6


if __name__ == "__main__":
    main(measure)
