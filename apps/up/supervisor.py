"""Starts the parts of an `up`, restarts those that die, and stops all of them in reverse order."""

import errno
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event
from typing import NoReturn

from filelock import FileLock, Timeout

from apps.http.paths import ENTER
from apps.http.sessions import make_link_token
from apps.up.certificate import make_certificate
from apps.up.forks import Forks
from apps.up.login import login
from apps.up.parts import LOOPBACK, Part, UpOptions, part_environment, parts
from apps.up.prefect_database import prefect_database
from apps.up.processes import listens, marking, stop
from apps.up.set_up import Ready, set_up
from hugginggpt.addresses import bracketed
from hugginggpt.controller.client import Controller
from hugginggpt.controller_name import fingerprint
from hugginggpt.environment import POOL
from hugginggpt.errors import ConfigurationError, HuggingGPTError, rebuilt
from hugginggpt.holder import holder_name
from hugginggpt.home import open_home
from hugginggpt.redaction import said
from hugginggpt.service_key import make_key
from hugginggpt.settings import Settings
from hugginggpt.settings_fingerprint import settings_fingerprint
from hugginggpt.up_state import Up, certificate_file, read, remove, write

Report = Callable[[str, str], None]
"""Tells the user about a part: its label, and where it runs or what happened to it."""

START_SECONDS = 180.0
"""How long a part may take to start on a busy machine."""
GRACE = 10.0
"""Seconds that a part gets to stop by itself."""
_LONGEST_PAUSE = 60.0
_STABLE_SECONDS = 60.0
"""A part that ran for at least this long restarts without a pause when it dies."""

_LOOK_SECONDS = 0.05
"""Pause between two looks at whether a part is ready."""


class AlreadyUpError(HuggingGPTError):
    """Another supervisor already runs for this home folder."""


@dataclass
class _Supervised:
    """A part and its current process.

    Attributes:
        pause: seconds before the latest restart.
        restart_at: when to restart it; None while it runs.
    """

    part: Part
    process: "subprocess.Popen[bytes]"
    started: float
    pause: float = 0.0
    restart_at: float | None = None


class Supervisor:
    """Runs one `up`, from the first part's start to the last part's end.

    Args:
        report: called for each part that starts or dies.
    """

    def __init__(self, options: UpOptions, settings: Settings, report: Report) -> None:
        self._options = options
        self._settings = settings
        self._report = report
        self._home = settings.home_dir
        self._mark = uuid.uuid4().hex
        self._state = Up(
            supervisor=holder_name(),
            mark=self._mark,
            api_url=options.api_url,
            dask_address=options.dask_address,
            controller=str(Controller.from_settings(settings).name),
            controller_fingerprint=fingerprint(settings),
            login=login(),
        )
        self._supervised: list[_Supervised] = []
        self._environment = part_environment(options, settings)
        self._stopping = Event()

    def run(self) -> None:
        """Start everything and keep it running until SIGINT, SIGTERM or SIGHUP; then stop all of it.

        Raises:
            AlreadyUpError: another `up` runs for this home folder.
            UsageError: a port is taken. Nothing was started.
            ConfigurationError: the home folder cannot be written, or a package is missing. Nothing was started.
            HuggingGPTError: a part cannot be started. Parts that had started are stopped.
        """
        make_logs(self._home)
        with self._locked_home(), self._stopped_by_signals():
            if clean_up(self._home):
                self._report("cleanup", "stopped the parts that a killed `up` had left running")
            self._options.check()
            try:
                self._start_all()
                self._watch()
            except _StopRequested:
                pass
            finally:
                self._stop_all()

    @contextmanager
    def _locked_home(self) -> Iterator[None]:
        try:
            lock = FileLock(self._home / "up.lock").acquire(timeout=0)
        except Timeout:
            raise AlreadyUpError(
                f"HuggingGPT is already up for {self._home}: `hugginggpt status` shows it, `hugginggpt down` stops it."
            ) from None
        with lock:
            yield

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Signals only set a flag, so that a part that is just being started has its mark before anything stops."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        if before[signal.SIGHUP] is signal.SIG_IGN:  # started by `nohup`
            del before[signal.SIGHUP]
        for number in before:
            signal.signal(number, lambda signum, frame: self._stopping.set())
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start_all(self) -> None:
        same = settings_fingerprint(os.environ, self._home, make_key(self._home))
        self._state = self._state.model_copy(update={"settings_fingerprint": same})
        write(self._home, self._state)
        if self._options.dask_address:
            make_certificate(certificate_file(self._home))
        shown, database = ("", {}) if self._options.alone else prefect_database(self._settings)
        self._state = self._state.model_copy(update={"prefect_database": shown})
        service = self._options.service_sockets()
        url = f"http://{LOOPBACK}:{service[0].getsockname()[1]}"
        self._state = self._state.model_copy(update={"service_url": url})
        sockets = socket.socketpair()
        wanted = parts(self._options, self._settings, database, service, sockets)
        if self._options.alone:
            _check_trace()
            self._start(wanted)
        else:
            self._start_server_first(wanted, sockets[1])
        self._wait_until_ready(wanted)
        self._report("logs", str(logs_of(self._home)))
        host = self._options.service_host
        if self._options.is_open:
            has_tls = self._settings.service_tls_cert is not None
            url = f"http{'s' if has_tls else ''}://{bracketed(host)}:{service[1].getsockname()[1]}"
        self._report("page", f"{url}{ENTER}?token={make_link_token(self._home)}")
        self._state = self._state.model_copy(update={"ready": True, "page_url": url})
        write(self._home, self._state)

    def _start_server_first(self, wanted: list[Part], asks: socket.socket) -> None:
        from hugginggpt.trace.database import parse_url

        server, *others = wanted
        # The server takes longest. What needs it waits for it while everything else starts.
        self._start([server])
        _check_trace()
        self._report("trace", parse_url(self._settings.database).set(query={}).render_as_string())
        since = datetime.now(UTC)
        self._start(others)
        with self._setting_up(Forks(lambda: asks), since) as told:
            self._wait_until_ready([server])
            self._report("Prefect server", f"{self._state.ui_url}, with {self._state.prefect_database}")
            self._wait_until(told.poll, "set-up")
            try:
                ready: Ready = told.recv()
            except EOFError:
                self._fail("set-up")
        if ready.replaced:
            self._report(
                "work pool", f"replaced {POOL}, which was of the type {ready.replaced}, with one of our own type"
            )
        self._report("limits", ", ".join(f"{name} {slots}" for name, slots in ready.limits.items()))
        self._report("deployments", ", ".join(ready.deployments))
        self._wait_until_ready(others)
        if self._options.dask_address:
            self._report("expert workers", f"{self._options.expert_workers} at {self._options.dask_address}")
        workers = f"{self._options.workers}, each for up to {self._options.requests} requests at once"
        self._report("flow workers", workers)

    @contextmanager
    def _setting_up(self, forks: Forks, since: datetime) -> Iterator[Connection]:
        """Have a fork set up Prefect's server, and wait for the workers, which were started since then.

        Yields:
            what gets a `Ready`, or is closed if the fork fails.
        """
        told, tells = Pipe(duplex=False)
        options = self._options
        with told:
            with tells, self._log("set-up").open("ab") as log:
                workers = (options.flow_workers, options.expert_workers)
                streams = (log.fileno(), log.fileno())
                asked = forks.ask(set_up, since, *workers, folder=self._home, connection=tells, streams=streams)
            with asked:
                yield told

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _StopRequested

    def _start(self, wanted: list[Part]) -> None:
        for part in wanted:
            process = self._spawn(part)
            self._supervised.append(_Supervised(part, process, time.monotonic()))
        self._write_state()

    def _wait_until_ready(self, wanted: list[Part]) -> None:
        for part in wanted:
            self._wait_until(partial(self._is_ready, part), part.name)

    def _wait_until(self, is_so: Callable[[], bool], name: str) -> None:
        """Wait for something, as long as all parts run.

        Raises:
            HuggingGPTError: a part has ended, or, by that name, it took too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not is_so():
            for each in self._supervised:
                if each.process.poll() is not None:
                    self._fail(each.part.name)
            if time.monotonic() > deadline:
                self._fail(name)
            self._pause(_LOOK_SECONDS)

    def _is_ready(self, part: Part) -> bool:
        return (part.is_ready is None or part.is_ready()) and (
            part.port is None or listens(self._mark, part.name, part.port)
        )

    def _spawn(self, part: Part) -> "subprocess.Popen[bytes]":
        with self._log(part.name).open("ab") as log:
            return subprocess.Popen(
                part.command,
                env=self._environment | part.environment | marking(self._mark, part.name),
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=tuple(each.fileno() for each in part.sockets),
                start_new_session=True,  # Ctrl-C in a terminal goes to the supervisor alone
            )

    def _write_state(self) -> None:
        running = {one.part.name: one.process.pid for one in self._supervised if one.restart_at is None}
        self._state = self._state.model_copy(update={"parts": running})
        write(self._home, self._state)

    def _log(self, name: str) -> Path:
        return logs_of(self._home) / f"{name}.log"

    def _fail(self, name: str) -> NoReturn:
        raise HuggingGPTError(f"The part {name} did not start: see its log, {self._log(name)}.")

    def _watch(self) -> None:
        while not self._stopping.wait(0.5):
            for one in self._supervised:
                if one.restart_at is None and one.process.poll() is not None:
                    self._schedule_restart(one)
                elif one.restart_at is not None and time.monotonic() >= one.restart_at:
                    self._restart(one)

    def _schedule_restart(self, one: _Supervised) -> None:
        now = time.monotonic()
        one.pause = 0.0 if now - one.started > _STABLE_SECONDS else min(_LONGEST_PAUSE, 2 * one.pause or 1.0)
        one.restart_at = now + one.pause
        when = f"in {one.pause:.0f} s" if one.pause else "now"
        self._report(one.part.name, f"{_how_ended(one.process)}; restarts {when}; log: {self._log(one.part.name)}")
        self._write_state()

    def _restart(self, one: _Supervised) -> None:
        one.process = self._spawn(one.part)
        one.started = time.monotonic()
        one.restart_at = None
        self._write_state()

    def _stop_all(self) -> None:
        self._stopping.set()
        if self._supervised:
            self._report("stopping", "all parts, in reverse order")
        for one in reversed(self._supervised):
            stop(self._mark, one.part.name, grace=GRACE)
            one.process.wait()
        stop(self._mark, grace=GRACE)
        remove(self._home)


def logs_of(home: Path) -> Path:
    """The folder of the logs of an `up`: one for each part, and up.log for `up --detach` itself."""
    return home / "logs"


def make_logs(home: Path) -> None:
    """Create the folder of the logs in a private home folder, unless it exists.

    Raises:
        ConfigurationError: the home folder cannot be kept private, or one of the folders cannot be created or written.
    """
    open_home(home)
    logs = logs_of(home)
    try:
        logs.mkdir(parents=True, exist_ok=True)
        for folder in (home, logs):
            if not os.access(folder, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ConfigurationError(
            f"The folder {logs} cannot be created or written ({said(error)}): set HUGGINGGPT_HOME to another folder."
        ) from None


def _check_trace() -> None:
    """Open the trace, in a process of its own: this one stays, and would keep what that imports.

    Raises:
        HuggingGPTError: the trace cannot be used.
    """
    told, tells = Pipe(duplex=False)
    checking = get_context("fork").Process(target=_tell_of_trace, args=(tells,))
    checking.start()
    tells.close()
    with told:
        try:
            error = told.recv()
        except EOFError:
            raise HuggingGPTError("The trace could not be opened: see the error above.") from None
    checking.join()
    if error is not None:
        raise rebuilt(*error)


def _tell_of_trace(tells: Connection) -> None:
    from hugginggpt.services import get_trace

    try:
        get_trace().check()
    except HuggingGPTError as error:
        tells.send((type(error).__name__, error.message))
    else:
        tells.send(None)


class _StopRequested(Exception):
    """A signal arrived before everything had started."""


def clean_up(home: Path) -> bool:
    """Stop the parts that a killed supervisor left running; return whether there were any."""
    left = read(home)
    if left is None or not left.is_here or left.is_alive:
        return False
    stop(left.mark, grace=GRACE)
    remove(home)
    return True


def take_down(home: Path, seconds: float) -> bool:
    """Stop the `up` of a home folder, and wait until nothing of it is left; return whether there was one.

    Raises:
        HuggingGPTError: it did not stop in time, or runs on another machine.
    """
    up = read(home)
    if up is None:
        return False
    if not up.is_here:
        raise HuggingGPTError(f"`up` runs on another machine, as {up.supervisor}: run `hugginggpt down` there.")
    if not up.is_alive:
        return clean_up(home)
    os.kill(up.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while up.is_alive:
        if time.monotonic() > deadline:
            raise HuggingGPTError(
                f"It did not stop within {seconds:.0f} seconds: run `kill -9 {up.pid}`, then try again."
            )
        time.sleep(0.1)
    clean_up(home)
    return True


def _how_ended(process: "subprocess.Popen[bytes]") -> str:
    code: int = process.returncode
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
