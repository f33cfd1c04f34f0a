"""Commands in forks of a process that has imported the libraries, which are most of what a command costs.

A fork begins with nothing of HuggingGPT imported, so it reads its settings and checks its packages as any process does.
Prefect reads the environment when it is imported: its modules are put aside, and come back, with the settings and the
logs of the command's own environment, when the command imports them.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
SHARED: Path | None = None
"""A folder of processes that fork the same one; None for one of this process's own."""
_LIBRARIES = (
    "alembic.command",
    "anyio._backends._asyncio",
    "cv2",
    "distributed",
    "encodings.idna",
    "fastapi.encoders",
    "fsspec.implementations.local",
    "jinja2",
    "numpy",
    "openai.resources.chat.completions",
    "PIL.ImageDraw",
    "PIL.ImageFile",
    "PIL.PngImagePlugin",
    "prefect.cli",
    "prefect.cli.deploy",
    "prefect.concurrency.sync",
    "prefect.deployments",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.server.api.server",
    "prefect.task_engine",
    "prefect.utilities.urls",
    "psutil",
    "rich.live",
    "soundfile",
    "sqlalchemy.orm",
    "stringprep",
)
"""What commands import. None but Prefect reads the environment for it."""


class Fork:
    """A program that was started in a fork.

    Attributes:
        pid: its process.
    """

    def __init__(self, told: socket.socket) -> None:
        self._told = told.makefile("r")
        self._code: int | None = None
        self.pid = int(self._told.readline())

    def wait(self) -> int:
        """Wait until it has ended; its exit code, or the negative number of the signal that ended it."""
        if self._code is None:
            with self._told:
                self._code = int(self._told.readline())
        return self._code

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        if self._code is None and not select.select([self._told], [], [], 0)[0]:
            return None
        return self.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end, if it still runs."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, if it still runs."""
        self.send_signal(signal.SIGKILL)


def start(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    streams: Sequence[int] = (0, 1, 2),
    umask: int = -1,
    module: str = "apps.cli",
) -> Fork:
    """Start a program.

    Args:
        words: its arguments.
        folder: where it runs.
        environment: all of its variables.
        streams: the descriptors of what it reads, writes and complains to, this process's own unless others are given.
        umask: its umask; -1 for that of this process.
        module: its main module, `hugginggpt`'s unless another is given.
    """
    command = {
        "module": module,
        "words": [*words],
        "folder": str(folder),
        "environment": dict(environment),
        "umask": umask,
    }
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            socket.send_fds(_forked(), [b"\0"], [theirs.fileno(), *streams])
        ours.sendall(json.dumps(command).encode())
        ours.shutdown(socket.SHUT_WR)
        return Fork(ours)


def run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: str | None = None, **more: Any
) -> "subprocess.CompletedProcess[str]":
    """Run a program and wait for it.

    Args:
        words: its arguments.
        folder: where it runs.
        environment: all of its variables.
        stdin: what it reads there; None for nothing.
        more: more of what `start` takes.
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        asked.write((stdin or "").encode("utf-8"))
        asked.seek(0)
        streams = [stream.fileno() for stream in (asked, said, complained)]
        code = start(words, folder, environment, streams, **more).wait()
        shown = []
        for stream in (said, complained):
            stream.seek(0)
            shown.append(stream.read().decode())
    return subprocess.CompletedProcess([*words], code, *shown)


@cache
def _forked() -> socket.socket:
    """Connect to the process that is forked, started if need be. It ends when nobody is connected any more."""
    ours = socket.socket(socket.AF_UNIX)
    with tempfile.TemporaryDirectory() as own, FileLock((SHARED or Path(own)) / "forks.lock"):
        path = (SHARED or Path(own)) / "forks"
        try:
            ours.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(str(path))
                door.listen()
                _start(door)
            ours.connect(str(path))
    return ours


def _start(door: socket.socket) -> None:
    others = ("HUGGINGGPT_", "PREFECT_", "PYTHONPATH", "SSL_CERT_FILE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    # Threads cannot be forked, and NumPy would start some.
    environment["OPENBLAS_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "tests.forked", str(door.fileno())]
    subprocess.Popen(command, env=environment, cwd=ROOT, pass_fds=[door.fileno()], stdin=subprocess.DEVNULL)


class _PutAside(MetaPathFinder, Loader):
    """Prefect's modules until somebody imports one of them."""

    def __init__(self) -> None:
        names = [name for name in sys.modules if name.partition(".")[0] == "prefect"]
        self._modules = {name: sys.modules.pop(name) for name in names}
        self._spec = self._modules["prefect"].__spec__

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return spec_from_loader(name, self, is_package=True) if name == "prefect" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._modules["prefect"]

    def exec_module(self, module: ModuleType) -> None:
        sys.meta_path.remove(self)
        sys.modules.update(self._modules)
        module.__spec__ = self._spec
        from prefect import context
        from prefect.logging.configuration import setup_logging

        del context.GLOBAL_SETTINGS_CONTEXT  # otherwise the profiles would be looked for where they were before
        context.refresh_global_settings_context()
        setup_logging(incremental=False)


def _import_libraries() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["PREFECT_HOME"] = home
        for name in _LIBRARIES:
            import_module(name)
    # A collection of garbage would touch, and so copy, what all forks share.
    gc.collect()
    gc.freeze()


def _messages(door: socket.socket) -> Generator[list[int]]:
    """The descriptors that each message brings, from all who are connected, until nobody is."""
    with ExitStack() as stack:
        stack.enter_context(door)
        connected = {stack.enter_context(door.accept()[0])}
        while connected:
            for ready in select.select([door, *connected], [], [])[0]:
                if ready is door:
                    connected.add(stack.enter_context(door.accept()[0]))
                    continue
                message, descriptors, _, _ = socket.recv_fds(ready, 1, 4)
                if message:
                    yield descriptors
                else:
                    connected.remove(ready)


def _wait_for_a_command(door: socket.socket) -> str:
    """Return the main module of each command, in a fork that is otherwise as its process has to be."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end this process
    messages = _messages(door)
    for descriptors in messages:
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    else:
        sys.exit()
    messages.close()
    answers, *streams = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=answers) as answer:
        if process := os.fork():
            answer.sendall(f"{process}\n".encode())
            _, status = os.waitpid(process, 0)
            answer.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)
        with answer.makefile("rb") as asked:
            command = json.load(asked)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # Those that are there know what kind of file they were opened on.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stdin.buffer.raw.name = "<stdin>"  # type: ignore[attr-defined]
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    if command["umask"] != -1:
        os.umask(command["umask"])
    packages = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:1] = [command["folder"], *packages]
    sys.argv[1:] = command["words"]
    module: str = command["module"]
    return module


def _main() -> None:
    _import_libraries()
    module = _wait_for_a_command(socket.socket(fileno=int(sys.argv[1])))
    sys.meta_path.insert(0, _PutAside())
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
