"""The processes of an `up`, found by a mark in their environment.

Prefect's workers start each flow run in a session of its own and Dask's start processes too, so
neither a process group nor the tree of processes holds all of them; what they inherit does.
"""

import time
from collections.abc import Iterator

import psutil  # type: ignore[import-untyped]

MARK = "HUGGINGGPT_UP_PART"


def marking(mark: str, part: str) -> dict[str, str]:
    """What the environment of a part gets."""
    # Without the second, a library that renames its process would write over the first.
    return {MARK: f"{mark}/{part}", "SPT_NOENV": "1"}


def running(mark: str, part: str = "") -> Iterator[psutil.Process]:
    """The processes of an `up`, or of one part of it."""
    for process in psutil.process_iter():
        try:
            marked: str = process.environ().get(MARK, "")
        except (psutil.Error, OSError):
            continue  # it ended, or is another user's
        if marked == f"{mark}/{part}" if part else marked.startswith(f"{mark}/"):
            yield process


def listens(mark: str, part: str, port: int) -> bool:
    """Whether a process of a part listens on a port; another's that does says nothing of it."""
    for process in running(mark, part):
        try:
            connections = process.net_connections("tcp")
        except psutil.Error:
            continue
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections):
            return True
    return False


def stop(mark: str, part: str = "", *, grace: float) -> None:
    """End these processes and wait until they are gone.

    Args:
        grace: seconds after which those that did not end when asked are killed.
    """
    deadline = time.monotonic() + grace
    asked: set[psutil.Process] = set()
    while alive := list(running(mark, part)):
        for process in alive:
            try:
                if time.monotonic() > deadline:
                    process.kill()
                elif process not in asked:  # asked twice, Prefect's worker leaves its runs behind
                    process.terminate()
                    asked.add(process)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.1)
