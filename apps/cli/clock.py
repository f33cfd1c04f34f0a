"""When the command was given, so that what it reports is what the person waited."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path


def process_start() -> datetime:
    """When this process was started: Python's own start and the imports have passed since."""
    try:
        # What psutil makes of it is up to a second off, for Linux tells the time of its boot in whole seconds.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        import psutil  # type: ignore[import-untyped]

        seconds = time.time() - float(psutil.Process().create_time())
    return datetime.now(UTC) - timedelta(seconds=max(0.0, seconds))
