"""The processes of an `up`, found by a mark in their environment.

Prefect's workers start each flow run in a session of its own, and Dask's workers start processes too. So neither a
process group nor the process tree holds all of them, but all of them inherit the environment.
"""

import time
from collections.abc import Iterator

import psutil  # type: ignore[import-untyped]

MARK = "HUGGINGGPT_UP_PART"


def marking(mark: str, part: str) -> dict[str, str]:
    """The variables that mark the processes of a part."""
    # SPT_NOENV keeps a library that renames its process from overwriting the environment.
    return {MARK: f"{mark}/{part}", "SPT_NOENV": "1"}


def running(mark: str, part: str = "") -> Iterator[psutil.Process]:
    """The running processes of an `up` or of one of its parts."""
    for process in psutil.process_iter():
        try:
            marked: str = process.environ().get(MARK, "")
        except (psutil.Error, OSError):
            continue  # it ended, or belongs to another user
        if marked == f"{mark}/{part}" if part else marked.startswith(f"{mark}/"):
            yield process


def listens(mark: str, part: str, port: int) -> bool:
    """Whether a process of the part listens on the port, rather than some other program."""
    for process in running(mark, part):
        try:
            connections = process.net_connections("tcp")
        except psutil.Error:
            continue
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections):
            return True
    return False


def stop(mark: str, part: str = "", *, grace: float) -> None:
    """Stop the processes of an `up`, or of one of its parts, and wait until they are gone.

    Args:
        grace: seconds after which processes that are still there are killed.
    """
    deadline = time.monotonic() + grace
    asked: set[psutil.Process] = set()
    while alive := list(running(mark, part)):
        for process in alive:
            try:
                if time.monotonic() > deadline:
                    process.kill()
                elif process not in asked:  # a second SIGTERM makes Prefect's worker abandon its runs
                    process.terminate()
                    asked.add(process)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.1)
