"""The process that works on a request.

A process holds a request under a lease that it renews. If the lease runs out, or the process is gone, it counts as dead
and another may take over.
"""

import socket
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_SAME_START = 10.0
"""Seconds by which two readings of a process's start time may differ, because the system clock may be set in
between."""


class Hold(StrEnum):
    """Whether a process still holds a request, or why not."""

    HELD = "held"
    ENDED = "ended"
    CANCELLED = "cancelled"
    LOST = "lost"
    """Another process works on it, or may do so."""


class Holder(NamedTuple):
    """A process, wherever it runs: host, process id, and start time in seconds since 1970."""

    host: str
    pid: int
    started: float

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started:.2f}"

    @classmethod
    def parse(cls, name: str) -> "Holder | None":
        """Parse a name that `holder_name` made; None for any other text."""
        host, _, rest = name.rpartition(":")
        host, _, pid = host.rpartition(":")
        try:
            return cls(host, int(pid), float(rest)) if host else None
        except ValueError:
            return None


def holder_name() -> str:
    """The name of this process as the holder of a request: "host:pid:process start time"."""
    import psutil  # type: ignore[import-untyped]

    process = psutil.Process()
    return str(Holder(this_host(), process.pid, process.create_time()))


def is_dead(holder: str) -> bool:
    """Whether a holder is certainly gone: a process of this host that no longer runs.

    False for a process of another host: only its lease can tell.
    """
    known = Holder.parse(holder)
    if known is None or known.host != this_host():
        return False
    import psutil

    try:
        process = psutil.Process(known.pid)
        is_another = abs(process.create_time() - known.started) > _SAME_START
        return is_another or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


@lru_cache(maxsize=1)
def this_host() -> str:
    """The host's name and, on Linux, the namespace of its process ids.

    Containers can share a name, and the processes of one are invisible in another.
    """
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{namespace.partition('[')[2].rstrip(']')}"
