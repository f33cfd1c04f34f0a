"""When the command was started, so that its times include the user's whole wait."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path


def process_start() -> datetime:
    """When this process started, before Python started and imported anything."""
    try:
        # psutil is up to a second off, because Linux gives its boot time in whole seconds.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        import psutil  # type: ignore[import-untyped]

        seconds = time.time() - float(psutil.Process().create_time())
    return datetime.now(UTC) - timedelta(seconds=max(0.0, seconds))
