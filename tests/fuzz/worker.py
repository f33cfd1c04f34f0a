"""The process that runs cases: one call at a time, measured, and stopped where it does not end."""

import faulthandler
import gc
import io
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple, NoReturn

from tests.fuzz.case import Area, Case, Finding, Measured

MAX_SECONDS, MAX_MEGABYTES = 1.0, 500.0

_READER_MEGABYTES = 100.0
"""What a process holds that reads media and plans, generously. This one has imported more, which is no case's doing."""

_ADDRESS_SPACE = 4 << 30  # more than a case may take by far, less than a machine has
_WORN_MEGABYTES = 150.0  # what a case may leave behind before its process is replaced
_SHOWN_CHARS = 400
_ROOT = Path(__file__).parents[2]
_OURS = tuple(f"{_ROOT / name}{os.sep}" for name in ("hugginggpt", "apps", "flows", "tasks"))
_KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR")


class Reply(NamedTuple):
    """How a case went, and whether the process is fit for another."""

    measured: Measured
    worn: bool


class _NoEndError(BaseException):
    """The patience with a call is over. No `except Exception` stops it."""


def serve(connection: Connection, folder: Path, said: Path) -> None:
    """Run the cases that are asked for until None comes.

    Args:
        connection: gives `(area, seed, number)`, and takes the replies.
        folder: an empty folder for what the areas write.
        said: takes what the process says, above all when it dies.
    """
    _settle(folder, said)
    from tests.fuzz.areas import AREAS

    areas: dict[str, Area] = {}
    base = _megabytes("VmRSS")
    while (asked := connection.recv()) is not None:
        name, seed, number = asked
        if name not in areas:
            place = folder / name
            place.mkdir()
            areas[name] = AREAS[name].open(place)
            gc.collect()
            gc.freeze()
            base = _megabytes("VmRSS")
        measured = _measured(areas[name], name, seed, number, base)
        gc.collect()
        # A call that was stopped in the middle may have left anything behind.
        stopped = any(finding.what.startswith("no end") for finding in measured.findings)
        connection.send(Reply(measured, stopped or _megabytes("VmRSS") > base + _WORN_MEGABYTES))


def _settle(folder: Path, said: Path) -> None:
    """Nothing of the machine's settings, an own home, bounded memory, and no terminal."""
    for name in [name for name in os.environ if name not in _KEPT_VARIABLES]:
        del os.environ[name]
    os.environ |= {
        "HUGGINGGPT_HOME": str(folder / "home"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "RES_OPTIONS": "timeout:1 attempts:1",
    }
    os.chdir(folder)
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, sys.__stdout__.fileno() if sys.__stdout__ else 1)
    os.dup2(out, sys.__stderr__.fileno() if sys.__stderr__ else 2)
    sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO(out, "w"), errors="backslashreplace", write_through=True)
    faulthandler.enable(out)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    signal.signal(signal.SIGALRM, _give_up)


def _give_up(signum: int, frame: FrameType | None) -> NoReturn:
    raise _NoEndError


def made(area: Area, name: str, seed: int, number: int) -> Case:
    """The case of that number."""
    return area.case(random.Random(f"{name}/{seed}/{number}"))


def _measured(area: Area, name: str, seed: int, number: int, base: float) -> Measured:
    try:
        case = made(area, name, seed, number)
    except Exception as error:
        broken = Finding(f"the fuzzer cannot make it: {_place(error)}", name, "", _told(error))
        return Measured(name, number, "not made", 0.0, 0.0, (broken,))
    findings: list[Finding] = []

    def found(what: str, detail: str = "") -> None:
        findings.append(Finding(what, case.label, shown(case.given), detail))

    outcome = "accepted"
    with _Meter(base) as meter:
        try:
            with _patience(case.patience):
                case.run()
        except _NoEndError as error:
            outcome = "no end"
            found(f"no end within {case.patience:g} s, at {_place(error)}", _told(error))
        except case.refusals as error:
            outcome = type(error).__name__
            if problem := _unwritable(error):
                found(problem, _told(error))
        except BaseException as error:
            outcome = type(error).__name__
            said = next(iter(str(error).splitlines()), "")[:120] if isinstance(error, AssertionError) else ""
            found(f"{outcome}{': ' + said if said else ''} at {_place(error)}", _told(error))
    if meter.seconds > MAX_SECONDS and outcome != "no end":
        found(f"over {MAX_SECONDS:g} s: {case.label}", f"{meter.seconds:.1f} s, {outcome}")
    if meter.megabytes > MAX_MEGABYTES:
        found(f"over {MAX_MEGABYTES:g} MB: {case.label}", f"{meter.megabytes:.0f} MB, {outcome}")
    return Measured(name, number, outcome, meter.seconds, meter.megabytes, tuple(findings))


def _unwritable(error: BaseException) -> str | None:
    """Why the message can neither be printed nor kept; None where it can."""
    message = getattr(error, "message", "")
    if not message:
        return f"{type(error).__name__} without a message, from {_place(error)}"
    try:
        message.encode()
    except UnicodeEncodeError:
        return f"{type(error).__name__} whose message is not UTF-8, from {_place(error)}"
    return f"{type(error).__name__} whose message holds NUL, from {_place(error)}" if "\x00" in message else None


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Meter:
    """Processor time of this process and its children, and the most memory that one of them held.

    Args:
        base: megabytes that this process held before its first case.
    """

    def __init__(self, base: float) -> None:
        self._base = base

    def __enter__(self) -> "_Meter":
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
        self._children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._began = time.process_time()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        children, before = resource.getrusage(resource.RUSAGE_CHILDREN), self._children
        spent = children.ru_utime + children.ru_stime - before.ru_utime - before.ru_stime
        self.seconds = time.process_time() - self._began + spent
        self.megabytes = _megabytes("VmHWM") - self._base + _READER_MEGABYTES
        if children.ru_maxrss > before.ru_maxrss:
            self.megabytes = max(self.megabytes, children.ru_maxrss / 1000)


def _megabytes(field: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024 / 1e6


def _place(error: BaseException) -> str:
    """The last line of this project that the error passed, or of the fuzzer if there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_OURS)] or frames
    return f"{ours[-1].filename.removeprefix(f'{_ROOT}{os.sep}')}:{ours[-1].lineno}" if ours else "nowhere"


def _told(error: BaseException) -> str:
    lines = traceback.format_exception(error, limit=-12)
    return "".join(c if c == "\n" or c.isprintable() else ascii(c)[1:-1] for c in "".join(lines)[-4000:])


def shown(given: Any, most: int = _SHOWN_CHARS) -> str:
    """The input, short enough to read."""
    text = ascii(given[:100_000] if isinstance(given, str | bytes) else given)
    if len(text) <= most:
        return text
    return f"{text[: most * 2 // 3]} […] {text[-most // 3 :]} ({len(given) if hasattr(given, '__len__') else '?'} long)"
