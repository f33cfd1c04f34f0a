"""Programs that decode files with native code: they can crash on hostile files, and only a process can be killed."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hugginggpt.deadline import POLL_SECONDS, Deadline
from hugginggpt.errors import NO_SPACE, DiskFullError, StorageError
from hugginggpt.media.problem import ContentProblem

TEMPORARY = "hugginggpt-media-"
"""Prefix of the temporary files that hold videos and recordings while they are decoded."""

_SECONDS = 60


def output_of(command: Sequence[str], deadline: Deadline, damaged: str) -> str:
    """What a program prints, if it succeeds in time. It is killed once nothing waits for it any more.

    Args:
        command: the program with its arguments.
        deadline: until when to wait.
        damaged: the end of the sentence if it fails.

    Raises:
        ContentProblem: it failed, or could not be started.
        DeadlineExceededError: the deadline has passed, or was cancelled.
    """
    deadline.check()
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError as error:
        raise ContentProblem(
            f"cannot be checked, because no process could be started ({error.strerror or error}); try again when "
            "this machine is less busy"
        ) from error
    until = time.monotonic() + _SECONDS
    with process:
        try:
            while True:
                try:
                    printed, _ = process.communicate(timeout=min(POLL_SECONDS, deadline.remaining()))
                    break
                except subprocess.TimeoutExpired:
                    deadline.check()
                    if time.monotonic() > until:
                        raise ContentProblem(damaged) from None
        finally:
            process.kill()
    if process.returncode != 0:
        raise ContentProblem(damaged)
    return printed


@contextmanager
def written_to_file(data: bytes, what: str) -> Iterator[str]:
    """The path of a temporary file with these bytes, inside the block.

    Args:
        data: the bytes.
        what: what they are, in one word.

    Raises:
        StorageError: they cannot be written; DiskFullError if there is no room.
    """
    path = ""
    try:
        try:
            descriptor, path = tempfile.mkstemp(prefix=TEMPORARY)
            with open(descriptor, "wb") as file:
                file.write(data)
        except OSError as error:
            kind = DiskFullError if error.errno in NO_SPACE else StorageError
            raise kind(
                f"The {what} cannot be written to {tempfile.gettempdir()} for checking ({error.strerror}): make room "
                "there, or set TMPDIR to another folder."
            ) from error
        yield path
    finally:
        if path:
            os.unlink(path)
