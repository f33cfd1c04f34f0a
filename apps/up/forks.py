"""Processes that begin with the flows imported: a fork server (`fork_server`) forks each, in milliseconds.

All parts of an `up` ask the same one. A request reaches it over a pair of connected sockets, of which no other process
has an end, so that it needs neither an address nor a key. The supervisor keeps both ends open: what is asked of a fork
server that has died waits for the next one.
"""

import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

from hugginggpt.errors import HuggingGPTError

NUMBER = struct.Struct("!i")
"""How a process id and an exit code are told over the channel of a fork."""

_TRIES = 2


class Fork:
    """A process that was forked.

    Attributes:
        pid: its id.
        exitcode: None until `join` sets it: 0 if the function returned, the code of a SystemExit, 1 after another
            exception, and the negative number of a signal that killed it. It stays None if nobody knows, because the
            fork server died before.
    """

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.exitcode: int | None = None
        self._channel = channel

    def fileno(self) -> int:
        """A descriptor that can be read from when the process has ended."""
        return self._channel.fileno()

    def join(self) -> None:
        """Wait until the process has ended."""
        if self._channel.fileno() >= 0:
            with self._channel:
                self.exitcode = _number(self._channel)


class Forks:
    """A fork server to ask.

    Args:
        requests: gives the socket over which it is asked.
    """

    def __init__(self, requests: Callable[[], socket.socket]) -> None:
        self._requests = requests

    @classmethod
    def inherited(cls, descriptor: int) -> "Forks":
        """The fork server of an `up`, which keeps it running: it is asked over a socket that this process inherited."""
        requests = socket.socket(fileno=descriptor)
        requests.set_inheritable(False)
        return cls(lambda: requests)

    @classmethod
    def own(cls) -> "Forks":
        """A fork server of this process: started, and started again, when it is asked. It ends with this process."""
        return cls(_OwnServer().requests)

    def check(self, folder: Path) -> None:
        """Wait until the fork server has imported the flows.

        Args:
            folder: an existing folder.

        Raises:
            HuggingGPTError: it cannot.
        """
        self.fork(_do_nothing, folder=folder).join()

    def fork(self, target: Callable[..., None], *args: Any, folder: Path, connection: Connection | None = None) -> Fork:
        """Call a function in a process of its own, and return once that process has begun.

        The process leads a session and a process group of its own, so `os.killpg` with its id reaches what it starts.
        It has the standard output and error of this process, and the environment with which the fork server started.
        Signals have their default handlers.

        Args:
            target: a function of a module, found by its name.
            args: its arguments; they are pickled.
            folder: its working folder. It belongs to the caller, who deletes it when the process has ended.
            connection: the function's first argument, if there is one. This process keeps its own end.

        Raises:
            HuggingGPTError: the fork server ended twice before it could.
        """
        for _ in range(_TRIES):
            channel = self.ask(target, *args, folder=folder, connection=connection)
            try:
                pid = _number(channel)
            except OSError:
                pid = None
            if pid is not None:
                return Fork(pid, channel)
            channel.close()  # the fork server died, and took the request along
        raise HuggingGPTError("The fork server ended before it could start a process: its output says why.")

    def ask(
        self,
        target: Callable[..., None],
        *args: Any,
        folder: Path,
        connection: Connection | None = None,
        streams: tuple[int, int] = (1, 2),
    ) -> socket.socket:
        """Ask for what `fork` does, without waiting until the process has begun.

        Args:
            streams: the descriptors of its standard output and error.

        Returns:
            the channel of the process, to be kept open until it has ended.
        """
        passed = [*streams] if connection is None else [*streams, connection.fileno()]
        channel, theirs = socket.socketpair()
        with theirs, suppress(OSError):  # of a fork server that has died, the channel tells
            socket.send_fds(self._requests(), [b"f"], [theirs.fileno(), *passed])
            channel.sendall(pickle.dumps((str(folder), target, args)))
        return channel


class _OwnServer:
    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def requests(self) -> socket.socket:
        """The socket over which it is asked."""
        with self._lock:
            if self._requests is None or self._process is None or self._process.poll() is not None:
                self._requests = self._start()
            return self._requests

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            # It finds modules where this process does.
            program = f"import sys; sys.path = {sys.path!r}; from apps.up.fork_server import main; main()"
            command = [sys.executable, "-P", "-c", program, "--requests", str(theirs.fileno())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        return ours


def _number(channel: socket.socket) -> int | None:
    """The next number over a channel; None if whoever would tell it has died."""
    told = b""
    while len(told) < NUMBER.size:
        more = channel.recv(NUMBER.size - len(told))
        if not more:
            return None
        told += more
    return int(NUMBER.unpack(told)[0])


def _do_nothing() -> None:
    pass
