"""Commands in forks of a process that has imported the libraries, which are most of what a command costs.

A fork begins with nothing of HuggingGPT imported, so it reads its settings and checks its packages as any process does.
Prefect reads the environment when it is imported: its modules are put aside, and come back, with the settings and the
logs of the command's own environment, when the command imports them.
"""

import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
_LIBRARIES = (
    "alembic.command",
    "anyio._backends._asyncio",
    "cv2",
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
    "prefect.task_engine",
    "prefect.utilities.urls",
    "psutil",
    "rich.live",
    "soundfile",
    "sqlalchemy.orm",
    "stringprep",
)
"""What commands import. None but Prefect reads the environment for it."""


def run(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: str | None = None,
    umask: int = -1,
    module: str = "apps.cli",
) -> "subprocess.CompletedProcess[str]":
    """Run a program and wait for it.

    Args:
        words: its arguments.
        folder: where it runs.
        environment: all of its variables.
        stdin: what it reads there; None for nothing.
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
    with ours, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        said.write((stdin or "").encode("utf-8"))
        said.seek(0)
        with theirs:
            socket.send_fds(_forked(), [b"\0"], [theirs.fileno(), *(file.fileno() for file in (said, out, err))])
        ours.sendall(json.dumps(command).encode())
        ours.shutdown(socket.SHUT_WR)
        code = int(ours.recv(16))
        out.seek(0)
        err.seek(0)
        shown, complained = (file.read().decode().replace("\r\n", "\n") for file in (out, err))
    return subprocess.CompletedProcess([*words], code, shown, complained)


@cache
def _forked() -> socket.socket:
    """Start the process that is forked. It ends with this one, whose end of the socket is closed then."""
    ours, theirs = socket.socketpair()
    others = ("HUGGINGGPT_", "PREFECT_", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    # Threads cannot be forked, and NumPy would start some.
    environment["OPENBLAS_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
    with theirs:
        subprocess.Popen(command, env=environment, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    return ours


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
        from prefect.context import refresh_global_settings_context
        from prefect.logging.configuration import setup_logging

        refresh_global_settings_context()
        setup_logging(incremental=False)


def _import_libraries() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["PREFECT_HOME"] = home
        for name in _LIBRARIES:
            import_module(name)
    # A collection of garbage would touch, and so copy, what all forks share.
    gc.collect()
    gc.freeze()


def _wait_for_a_command(control: socket.socket) -> str:
    """Return the main module of each command, in a fork that is otherwise as its process has to be."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not message:
            sys.exit()
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    control.close()
    answers, *streams = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=answers) as answer:
        if process := os.fork():
            _, status = os.waitpid(process, 0)
            answer.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        with answer.makefile("rb") as asked:
            command = json.load(asked)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
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
