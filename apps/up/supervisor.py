"""Starts the parts of an `up`, starts again what dies, and ends them in reverse order."""

import errno
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import NoReturn

from filelock import FileLock, Timeout

from apps.up.certificate import make_certificate
from apps.up.login import login
from apps.up.parts import Part, Wishes, parts, surroundings
from apps.up.prefect_database import prefect_database
from apps.up.processes import listens, marking, stop
from hugginggpt.controller.client import Controller
from hugginggpt.controller_name import fingerprint
from hugginggpt.environment import ACCELERATOR_LIMIT, CONTROLLER_LIMIT
from hugginggpt.errors import HuggingGPTError
from hugginggpt.holder import holder_name
from hugginggpt.home import open_home
from hugginggpt.settings import Settings, data_file
from hugginggpt.up import Up, certificate_file, read, remove, write

Say = Callable[[str, str], None]
"""Tells the user of one part: its label, and where it is or what became of it."""

START_SECONDS = 180.0
"""How long a part may take to come up on a busy machine."""
GRACE = 10.0
"""Seconds that a part has to end by itself."""
_LONGEST_PAUSE = 60.0
_SETTLED = 60.0
"""A part that ran so many seconds is started again at once when it dies."""

_ACCELERATORS = "import torch; print(torch.cuda.device_count() or int(torch.backends.mps.is_available()))"


class AlreadyUpError(HuggingGPTError):
    """Another supervisor holds this home folder."""


@dataclass
class _Kept:
    """A part that is kept running."""

    part: Part
    process: "subprocess.Popen[bytes]"
    started: float
    pause: float = 0.0
    due: float | None = None


class Supervisor:
    """Everything of one `up`. `run` is the whole of its life.

    Args:
        say: is told each part as it comes up, and what dies.
    """

    def __init__(self, wishes: Wishes, settings: Settings, say: Say) -> None:
        self._wishes = wishes
        self._settings = settings
        self._say = say
        self._home = settings.home_dir
        self._mark = uuid.uuid4().hex
        self._state = Up(
            supervisor=holder_name(),
            mark=self._mark,
            api_url=wishes.api_url,
            dask_address=wishes.dask_address,
            controller=str(Controller.from_settings(settings).name),
            controller_fingerprint=fingerprint(settings),
            login=login(),
        )
        self._kept: list[_Kept] = []
        self._environment = surroundings(wishes, settings)
        self._ending = Event()

    def run(self) -> None:
        """Bring everything up and keep it so until SIGINT, SIGTERM or SIGHUP; then end all of it.

        Raises:
            AlreadyUpError: another `up` runs for this home folder.
            UsageError: a port is taken. Nothing was started, nor for the others.
            HuggingGPTError: the home folder cannot be written, or a part cannot be started; what had been started is
                ended.
        """
        make_logs(self._home)
        with self._alone(), self._told_to_end():
            if clear(self._home):
                self._say("before this", "what a killed `up` had left was ended")
            self._wishes.check()
            try:
                self._bring_up()
                self._keep_up()
            except _EndingError:
                pass
            finally:
                self._end()

    @property
    def logs(self) -> Path:
        """Where each part writes its log."""
        return logs_of(self._home)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            held = FileLock(self._home / "up.lock").acquire(timeout=0)
        except Timeout:
            raise AlreadyUpError(
                f"It is up already for {self._home}: `hugginggpt status` shows it, `hugginggpt down` ends it."
            ) from None
        with held:
            yield

    @contextmanager
    def _told_to_end(self) -> Iterator[None]:
        """Signals only say so: whatever was being started has its mark before anything is ended."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        if before[signal.SIGHUP] is signal.SIG_IGN:  # so `nohup` wants it
            del before[signal.SIGHUP]
        for number in before:
            signal.signal(number, lambda signum, frame: self._ending.set())
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _bring_up(self) -> None:
        from hugginggpt.services import get_trace
        from hugginggpt.trace.database import parse_url

        write(self._home, self._state)
        get_trace().check()
        self._say("trace", parse_url(self._settings.database).set(query={}).render_as_string())
        if self._wishes.dask_address:
            make_certificate(certificate_file(self._home))
        shown, database = prefect_database(self._settings)
        self._state = self._state.model_copy(update={"prefect_database": shown})
        # Meanwhile the server starts.
        accelerators = self._started("accelerators", [sys.executable, "-c", _ACCELERATORS], stdout=subprocess.PIPE)
        server, *others = parts(self._wishes, self._settings, database)
        self._start([server])
        self._await([server])
        self._say("Prefect server", f"{self._state.ui_url}, with {shown}")
        self._set_up_server(accelerators)
        self._start(others)
        self._deploy()
        self._await(others)
        if self._wishes.dask_address:
            self._say("expert workers", f"{self._wishes.expert_workers} at {self._wishes.dask_address}")
        workers = f"{self._wishes.workers}, up to {self._wishes.requests} requests at once in each"
        self._say("flow workers", workers)
        self._say("logs", str(self.logs))
        self._state = self._state.model_copy(update={"ready": True})
        write(self._home, self._state)

    def _set_up_server(self, accelerators: "subprocess.Popen[bytes]") -> None:
        from apps.up.prefect_api import set_up

        self._wait_for(accelerators)
        counted = accelerators.communicate()[0].strip()
        limits = {
            CONTROLLER_LIMIT: self._settings.controller_concurrency,
            ACCELERATOR_LIMIT: max(1, int(counted)) if counted.isdigit() else 1,
        }
        set_up(self._wishes.api_url, limits)
        self._say("limits", ", ".join(f"{name} {slots}" for name, slots in limits.items()))

    def _deploy(self) -> None:
        from apps.up.prefect_api import deployments

        deploy = ["--no-prompt", "deploy", "--all", "--prefect-file", str(data_file("deployments.yaml"))]
        if self._wait_for(self._started("deployments", [sys.executable, "-m", "prefect", *deploy])) != 0:
            self._give_up("deployments")
        self._say("deployments", ", ".join(each.name for each in deployments(self._wishes.api_url)))

    def _wait_for(self, process: "subprocess.Popen[bytes]") -> int:
        while (code := process.poll()) is None:
            self._pause(0.1)
        return code

    def _pause(self, seconds: float) -> None:
        if self._ending.wait(seconds):
            raise _EndingError

    def _start(self, wanted: list[Part]) -> None:
        for part in wanted:
            self._kept.append(_Kept(part, self._started(part.name, part.command, part.environment), time.monotonic()))
        self._tell_processes()

    def _await(self, wanted: list[Part]) -> None:
        deadline = time.monotonic() + START_SECONDS
        for kept in [kept for kept in self._kept if kept.part in wanted]:
            while not self._is_ready(kept.part):
                for each in self._kept:
                    if each.process.poll() is not None:
                        self._give_up(each.part.name)
                if time.monotonic() > deadline:
                    self._give_up(kept.part.name)
                self._pause(0.2)

    def _is_ready(self, part: Part) -> bool:
        return part.is_ready() and (part.port is None or listens(self._mark, part.name, part.port))

    def _started(
        self, name: str, command: list[str], environment: dict[str, str] | None = None, stdout: int | None = None
    ) -> "subprocess.Popen[bytes]":
        with self._log(name).open("ab") as log:
            return subprocess.Popen(
                command,
                env=self._environment | (environment or {}) | marking(self._mark, name),
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for the supervisor alone
            )

    def _tell_processes(self) -> None:
        known = {kept.part.name: kept.process.pid for kept in self._kept if kept.due is None}
        self._state = self._state.model_copy(update={"parts": known})
        write(self._home, self._state)

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _give_up(self, name: str) -> NoReturn:
        raise HuggingGPTError(f"The part {name} did not come up: {self._log(name)} says why.")

    def _keep_up(self) -> None:
        while not self._ending.wait(0.5):
            for kept in self._kept:
                if kept.due is None and kept.process.poll() is not None:
                    self._mourn(kept)
                elif kept.due is not None and time.monotonic() >= kept.due:
                    self._revive(kept)

    def _mourn(self, kept: _Kept) -> None:
        now = time.monotonic()
        kept.pause = 0.0 if now - kept.started > _SETTLED else min(_LONGEST_PAUSE, 2 * kept.pause or 1.0)
        kept.due = now + kept.pause
        when = f"in {kept.pause:.0f} s" if kept.pause else "now"
        ended = _ended(kept.process.returncode)
        self._say(kept.part.name, f"{ended}, is started again {when}; its log: {self._log(kept.part.name)}")
        self._tell_processes()

    def _revive(self, kept: _Kept) -> None:
        kept.process = self._started(kept.part.name, kept.part.command, kept.part.environment)
        kept.started = time.monotonic()
        kept.due = None
        self._tell_processes()

    def _end(self) -> None:
        self._ending.set()
        if self._kept:
            self._say("ending", "all parts, the last one first")
        for kept in reversed(self._kept):
            stop(self._mark, kept.part.name, grace=GRACE)
            kept.process.wait()
        stop(self._mark, grace=GRACE)
        remove(self._home)


def logs_of(home: Path) -> Path:
    """Where each part of the `up` of a home folder writes its log, and a detached `up` its own."""
    return home / "logs"


def make_logs(home: Path) -> None:
    """Make that folder, if it is not there yet, in a home that is private.

    Raises:
        ConfigurationError: the home folder cannot be kept private.
        HuggingGPTError: it cannot be made, or it or the home folder cannot be written.
    """
    open_home(home)
    logs = logs_of(home)
    try:
        logs.mkdir(parents=True, exist_ok=True)
        for folder in (home, logs):
            if not os.access(folder, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise HuggingGPTError(
            f"The folder {logs} cannot be made or written ({error.strerror}): set HUGGINGGPT_HOME to one that can."
        ) from None


class _EndingError(Exception):
    """A signal asked to end before everything had come up."""


def clear(home: Path) -> bool:
    """End what a killed supervisor left behind; whether there was one."""
    left = read(home)
    if left is None or not left.is_here or left.is_alive:
        return False
    stop(left.mark, grace=GRACE)
    remove(home)
    return True


def take_down(home: Path, seconds: float) -> bool:
    """End the `up` of a home folder and wait until nothing of it is left; whether there was one.

    Raises:
        HuggingGPTError: it did not end in time, or runs on another machine.
    """
    up = read(home)
    if up is None:
        return False
    if not up.is_here:
        raise HuggingGPTError(f"It was brought up on another machine, by {up.supervisor}: take it down there.")
    if not up.is_alive:
        return clear(home)
    os.kill(up.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while up.is_alive:
        if time.monotonic() > deadline:
            raise HuggingGPTError(f"It did not end within {seconds:.0f} seconds: `kill -9 {up.pid}` and try again.")
        time.sleep(0.1)
    clear(home)
    return True


def _ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
