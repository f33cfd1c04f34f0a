"""Runs native code that cannot be interrupted in a child process, which can be killed.

The child is `python -m hugginggpt.child_process` with the name of a factory, `MODULE:FUNCTION`. The factory
takes JSON arguments and returns the handler that answers each call. Both sides exchange messages of a JSON object and
bytes over pipes of their own, so that the output of libraries does not get in between.
"""

import importlib
import json
import logging
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

from hugginggpt.deadline import POLL_SECONDS, Deadline
from hugginggpt.errors import ExpertError, ExpertUnavailableError, HuggingGPTError, error_class
from hugginggpt.redaction import redact, said

Message = tuple[Mapping[str, Any], bytes]
Handler = Callable[[Mapping[str, Any], bytes], Message]

logger = logging.getLogger(__name__)

_LENGTHS = struct.Struct("!IQ")
_OUTPUT_CHARS = 4000


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
    """A handler in a process of its own. Threads that call it take turns.

    Args:
        factory: `MODULE:FUNCTION` that returns the handler.
        arguments: keyword arguments of the factory, as JSON.
        threads: how many threads the native libraries may use.
    """

    def __init__(self, factory: str, arguments: Mapping[str, Any], *, threads: int) -> None:
        self._factory = factory
        self._arguments = arguments
        self._threads = threads
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def start(self, deadline: Deadline) -> None:
        """Start the process unless it is running, and wait for its handler.

        Raises:
            DeadlineExceededError: the handler was not ready in time.
            HuggingGPTError: the factory raised it.
            ExpertUnavailableError: the process ended.
            ExpertError: the factory raised some other error.
        """
        with deadline.holding(self._turn), self._killed_when_over(deadline):
            self._ensure_started()

    def call(self, header: Mapping[str, Any], data: bytes = b"", *, deadline: Deadline) -> Message:
        """Call the handler. Starts the process if necessary, and kills it at the deadline.

        Raises:
            DeadlineExceededError: the handler did not answer in time, or earlier calls took too long.
            HuggingGPTError: the handler raised it.
            ExpertUnavailableError: the process ended.
            ExpertError: the handler raised some other error.
        """
        with deadline.holding(self._turn), self._killed_when_over(deadline):
            process = self._ensure_started()
            assert process.stdin is not None
            write_message(process.stdin, header, data)
            return self._answer(process)

    def close(self) -> None:
        """End the process immediately."""
        self._kill()
        with self._turn:
            self._forget()

    @contextmanager
    def _killed_when_over(self, deadline: Deadline) -> Iterator[None]:
        """Kill the process if the deadline passes inside the block, and raise that instead of the broken pipe."""
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
            output = self._written()
            # The error says what the user has to know.
            logger.info("The process of %s ended unexpectedly. Its output:\n%s", self._factory, output)
            last = output.splitlines()[-1:]
            said_last = f" Its last output: {last[0][:300]}" if last else ""
            # It may have been killed for its memory, and another one may live.
            raise ExpertUnavailableError(f"The process of {self._factory} ended unexpectedly.{said_last}") from error
        finally:
            done.set()
            watcher.join()

    def _ensure_started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._forget()
        threads = str(self._threads)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            # -P: a file in the current folder must not shadow a module.
            [sys.executable, "-P", "-m", "hugginggpt.child_process", self._factory, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
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
        """Close the pipes of a process that has ended."""
        if self._process is not None:
            # Leaving the block closes the pipes; unwritten data is lost.
            with suppress(OSError), self._process:
                pass
        if self._output is not None:
            self._output.close()
        self._process = self._output = None

    def _answer(self, process: subprocess.Popen[bytes]) -> Message:
        assert process.stdout is not None
        header, data = read_message(process.stdout)
        if "error" in header:
            raise _rebuilt(header["error"], header["message"])
        return header, data

    def _written(self) -> str:
        """The end of what the process wrote."""
        if self._output is None:
            return ""
        self._output.seek(0)
        return redact(self._output.read().decode(errors="replace").strip()[-_OUTPUT_CHARS:])


def _rebuilt(name: str, message: str) -> HuggingGPTError:
    """The error that was raised in the child: of its own class if that is one of ours."""
    if (kind := error_class(name)) is not None:
        return kind(message)
    return ExpertError(f"The expert failed with {name}: {message}")


def _serve(factory_name: str, parent: int) -> None:
    """The child's side: answer calls until the parent is gone."""
    # Libraries print to descriptor 1, and C code cannot be redirected otherwise: make it the same as descriptor 2.
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=_exit_with, args=(parent,), daemon=True).start()
    arguments, _ = read_message(requests)
    module, _, function = factory_name.partition(":")
    try:
        handler: Handler = getattr(importlib.import_module(module), function)(**arguments)
    except Exception as error:
        write_message(answers, *_error(error))
        return
    write_message(answers, {})
    while True:
        try:
            # If this fails, for lack of memory, there is no way to tell where the next message begins: end.
            header, data = read_message(requests)
        except EOFError:
            return
        try:
            answer = handler(header, data)
        except Exception as error:
            answer = _error(error)
        del data
        write_message(answers, *answer)


def _error(error: Exception) -> Message:
    return {"error": type(error).__name__, "message": said(error)}, b""


def _exit_with(parent: int) -> None:
    """End this process when its parent is gone, even during native code."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
