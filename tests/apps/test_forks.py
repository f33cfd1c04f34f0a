"""Processes that are forked with the flows imported."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from apps.up.forks import Fork, Forks
from hugginggpt.services import get_trace
from tests.servers import has_ended, wait_until


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> list[Forks]:
    """Holds the only reference to the fork server of all tests."""
    held = [Forks.own()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUGGINGGPT_HOME", str(tmp_path_factory.mktemp("home")))
        held[0].check(tmp_path_factory.mktemp("check"))
    return held


@pytest.fixture
def forks(held: list[Forks]) -> Forks:
    return held[0]


def _told(told: Connection) -> None:
    told.send(
        {
            "folder": os.getcwd(),
            "leads": os.getpid() == os.getsid(0) == os.getpgrp(),
            "flows": "flows.answer" in sys.modules,
            "threads": [len(psutil.Process(pid).threads()) for pid in (os.getpid(), os.getppid())],
            "databases": [file.path for file in psutil.Process(os.getppid()).open_files() if ".db" in file.path],
            "knows": get_trace().requests.knows("unknown"),
            "handlers": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
            == [signal.SIG_DFL, signal.default_int_handler],
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        }
    )


def _ended(how: str) -> None:
    if how == "exit":
        sys.exit(7)
    if how == "error":
        raise ValueError(how)
    if how == "sleep":
        time.sleep(600)


def _length(told: Connection, text: str) -> None:
    told.send(len(text))


Start = Callable[..., Fork]


@pytest.fixture
def start(forks: Forks, tmp_path: Path) -> Iterator[Start]:
    found = []

    def start(target: Callable[..., None], *args: object, connection: Connection | None = None) -> Fork:
        found.append(forks.fork(target, *args, folder=tmp_path, connection=connection))
        return found[-1]

    yield start
    for process in found:
        if process.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.join()


def test_a_fork_begins_with_the_flows_imported_and_in_its_own_place(start: Start, tmp_path: Path) -> None:
    told, tells = Pipe(duplex=False)
    start(_told, connection=tells)
    assert told.recv() == {
        "folder": str(tmp_path),
        "leads": True,
        "flows": True,
        "threads": [1, 1],
        "databases": [],
        "knows": False,
        "handlers": True,
        "blocked": [],
    }


@pytest.mark.parametrize(("how", "code"), [("return", 0), ("exit", 7), ("error", 1)])
def test_a_fork_tells_how_it_ended(start: Start, how: str, code: int) -> None:
    process = start(_ended, how)
    process.join()
    assert process.exitcode == code


def test_arguments_can_be_large(start: Start) -> None:
    told, tells = Pipe(duplex=False)
    start(_length, "a" * 10_000_000, connection=tells).join()
    assert told.recv() == 10_000_000


def test_the_connection_of_a_fork_is_closed_when_it_has_ended(start: Start) -> None:
    told, tells = Pipe(duplex=False)
    process = start(_told, connection=tells)
    tells.close()
    start(_ended, "sleep")  # has nothing of the other
    process.join()
    told.recv()
    with pytest.raises(EOFError):
        told.recv()


def test_a_signal_to_the_group_of_a_fork_ends_it_as_soon_as_it_has_begun(start: Start) -> None:
    process = start(_ended, "sleep")
    os.killpg(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == -signal.SIGTERM


def test_a_fork_server_that_is_asked_to_stop_first_tells_how_its_forks_ended(start: Start) -> None:
    process = start(_ended, "sleep")
    server = psutil.Process(process.pid).parent()
    server.terminate()
    os.killpg(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == -signal.SIGTERM
    wait_until(lambda: has_ended(server.pid))
    start(_ended, "return").join()


def test_forks_outlive_a_fork_server_that_is_killed_and_it_is_started_again(start: Start) -> None:
    left = start(_ended, "sleep")
    server = psutil.Process(left.pid).parent()
    server.kill()
    wait_until(lambda: has_ended(server.pid))
    process = start(_ended, "exit")
    process.join()
    assert process.exitcode == 7
    os.kill(left.pid, signal.SIGKILL)
    left.join()
    assert left.exitcode is None  # nobody knows


def test_a_fork_server_starts_while_the_trace_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", "sqlite:////proc/trace.db")
    Forks.own().check(tmp_path)


def test_a_fork_server_ends_with_the_process_that_started_it(held: list[Forks], tmp_path: Path) -> None:
    forks = held.pop()
    process = forks.fork(_ended, "sleep", folder=tmp_path)
    server = psutil.Process(process.pid).parent()
    del forks
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    wait_until(lambda: has_ended(server.pid))
