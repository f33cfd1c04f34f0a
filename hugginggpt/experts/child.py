"""Native code that cannot be interrupted runs in a child process, which can be killed.

The child is `python -m hugginggpt.experts.child` with a factory named `MODULE:FUNCTION`. The factory
gets its arguments, all JSON, and gives the handler that answers each call. Both sides exchange
messages of a JSON object and bytes, over pipes of their own: what a library prints goes elsewhere.
"""

import importlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

import hugginggpt.errors
from hugginggpt.deadline import POLL_SECONDS, Deadline
from hugginggpt.errors import ExpertError, HuggingGPTError
from hugginggpt.redaction import said

Message = tuple[Mapping[str, Any], bytes]
Handler = Callable[[Mapping[str, Any], bytes], Message]

_LENGTHS = struct.Struct("!IQ")


def write_message(stream: IO[bytes], header: Mapping[str, Any], data: bytes = b"") -> None:
    """Write one message and flush it."""
    encoded = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(encoded), len(data)) + encoded)
    stream.write(data)
    stream.flush()


def read_message(stream: IO[bytes]) -> Message:
    """Read one message.

    Raises:
        EOFError: the other side is gone.
    """
    header_length, data_length = _LENGTHS.unpack(_read(stream, _LENGTHS.size))
    return json.loads(_read(stream, header_length)), _read(stream, data_length)


def _read(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


class Child:
    """A handler in a process of its own. Many threads may call it: they take turns.

    Args:
        factory: `MODULE:FUNCTION` that makes the handler there.
        arguments: keyword arguments of the factory, JSON.
        threads: how many threads its native libraries may use.
    """

    def __init__(self, factory: str, arguments: Mapping[str, Any], *, threads: int) -> None:
        self._factory = factory
        self._arguments = arguments
        self._threads = threads
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._last_words: IO[bytes] | None = None

    def start(self, deadline: Deadline) -> None:
        """Start the process, unless it runs, and wait for its handler.

        Raises:
            DeadlineExceededError: it was not ready in time.
            HuggingGPTError: what the factory raised.
            ExpertError: the process ended, or what else the factory raised.
        """
        with deadline.holding(self._turn), self._killed_when_over(deadline):
            self._ensure_started()

    def call(self, header: Mapping[str, Any], data: bytes = b"", *, deadline: Deadline) -> Message:
        """Have the handler answer, in a process that is started if need be and killed at the deadline.

        Raises:
            DeadlineExceededError: it did not answer in time, or other calls took too long.
            HuggingGPTError: what the handler raised.
            ExpertError: the process ended, or what else the handler raised.
        """
        with deadline.holding(self._turn), self._killed_when_over(deadline):
            process = self._ensure_started()
            assert process.stdin is not None
            write_message(process.stdin, header, data)
            return self._answer(process)

    def close(self) -> None:
        """End the process, now."""
        self._kill()
        with self._turn:
            self._forget()

    @contextmanager
    def _killed_when_over(self, deadline: Deadline) -> Iterator[None]:
        """Kill the process if the deadline passes inside the block, and say so instead of what that caused there."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(min(POLL_SECONDS, max(deadline.remaining(), 0.01))):
                if deadline.expired():
                    self._kill()

        watcher = threading.Thread(target=watch, name="deadline of a child", daemon=True)
        watcher.start()
        try:
            yield
        except (EOFError, OSError) as error:
            self._kill()
            deadline.check()
            raise ExpertError(f"The process of {self._factory} ended unexpectedly. {self._what_it_said()}") from error
        finally:
            done.set()
            watcher.join()

    def _ensure_started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._forget()
        threads = str(self._threads)
        self._last_words = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            # -P: a file in the current folder must not stand in for a module.
            [sys.executable, "-P", "-m", "hugginggpt.experts.child", self._factory, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._last_words,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "ORT_DISABLE_TELEMETRY": "1"}
            | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads),
        )
        try:
            assert self._process.stdin is not None
            write_message(self._process.stdin, self._arguments)
            self._answer(self._process)
        except BaseException:
            self._kill()
            raise
        return self._process

    def _kill(self) -> None:
        if (process := self._process) is not None:
            process.kill()
            process.wait()

    def _forget(self) -> None:
        """Close what is left of a process that has ended."""
        if self._process is not None:
            # Leaving the block closes its pipes; what could not be written any more is lost.
            with suppress(OSError), self._process:
                pass
        if self._last_words is not None:
            self._last_words.close()
        self._process = self._last_words = None

    def _answer(self, process: subprocess.Popen[bytes]) -> Message:
        assert process.stdout is not None
        header, data = read_message(process.stdout)
        if "error" in header:
            raise _rebuilt(header["error"], header["message"])
        return header, data

    def _what_it_said(self) -> str:
        if self._last_words is None:
            return ""
        self._last_words.seek(0)
        lines = self._last_words.read().decode(errors="replace").strip().splitlines()
        return f"Its last words: {lines[-1][:300]}" if lines else ""


def _rebuilt(name: str, message: str) -> HuggingGPTError:
    """The error that was raised in the child: its own class if that is one of ours."""
    error_class = getattr(hugginggpt.errors, name, None)
    if isinstance(error_class, type) and issubclass(error_class, HuggingGPTError):
        return error_class(message)
    return ExpertError(f"The expert failed with {name}: {message}")


def _serve(factory_name: str, parent: int) -> None:
    """The child's side: answer until the parent is gone."""
    # Libraries print to descriptor 1, and C code cannot be told otherwise: it now leads where descriptor 2 does.
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    arguments, _ = read_message(requests)
    module, _, function = factory_name.partition(":")
    handler: Handler | None = None
    while True:
        try:
            if handler is None:
                handler = getattr(importlib.import_module(module), function)(**arguments)
                answer: Message = ({}, b"")
            else:
                answer = handler(*read_message(requests))
        except EOFError:
            return
        except Exception as error:
            message = said(error)
            answer = ({"error": type(error).__name__, "message": message}, b"")
        write_message(answers, *answer)
        if handler is None:
            return


def _die_with(parent: int) -> None:
    """End this process when its parent is gone, even in the middle of native code."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
