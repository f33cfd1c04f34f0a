"""Processes that begin with the flows imported: each is forked from a fork server, in milliseconds.

The fork server is `multiprocessing`'s: a process of its own that imports `apps.up.preloaded` and then does nothing but
fork. It ends when the process that started it and all forks have ended.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from hugginggpt.errors import HuggingGPTError

CONTEXT = multiprocessing.get_context("forkserver")
"""Makes the pipes and queues that are passed to a fork."""

_PRELOADED = "apps.up.preloaded"
_without_main_lock = Lock()


def start_fork_server(folder: Path) -> None:
    """Start this process's fork server, and wait until it has imported the flows.

    Args:
        folder: an existing folder.

    Raises:
        HuggingGPTError: the flows cannot be imported; the reason is on the standard error.
    """
    CONTEXT.set_forkserver_preload([_PRELOADED])
    probe = fork(_do_nothing, folder=folder, name="probe")
    probe.join()
    if probe.exitcode != 0:
        raise HuggingGPTError("The flows cannot be imported: see the error above.")


def fork(target: Callable[..., None], *args: Any, folder: Path, name: str | None = None) -> ForkServerProcess:
    """Call a function in a process of its own, and return once that process has begun.

    The process leads a session and a process group of its own, so `os.killpg` with its id reaches what it starts. It
    has the environment that this process had when the fork server started. Signals have their default handlers. Its
    exit code is 0 if the function returns, the code of a SystemExit, 1 after another exception, which is on the
    standard error, and the negative number of a signal that killed it.

    Args:
        target: a function of a module, found by its name.
        args: its arguments; they are pickled.
        folder: its working folder. It belongs to the caller, who deletes it when the process has ended.
        name: the process's name, for messages.
    """
    began, begins = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_run, args=(begins, str(folder), target, args), name=name)
    with _without_main():
        process.start()
    begins.close()
    with began:
        # Until it has a session of its own, a signal to its group would be lost.
        began.poll(None)
    return process


def _run(begins: Connection, folder: str, target: Callable[..., None], args: tuple[Any, ...]) -> None:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    begins.close()
    os.chdir(folder)
    # The fork server goes on without a module that it cannot import.
    import_module(_PRELOADED)
    target(*args)


def _do_nothing() -> None:
    pass


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep `multiprocessing` from importing this program's main module into each fork."""
    with _without_main_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
