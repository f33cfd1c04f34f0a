"""Processes that are forked with the flows imported."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.up.forks import CONTEXT, fork, start_fork_server
from tests.servers import wait_until


@pytest.fixture(scope="module", autouse=True)
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    start_fork_server(tmp_path_factory.mktemp("fork-server"))


def _told(told: Connection) -> None:
    told.send(
        {
            "folder": os.getcwd(),
            "leads": os.getpid() == os.getsid(0) == os.getpgrp(),
            "flows": "flows.answer" in sys.modules,
            "main": hasattr(sys.modules["__main__"], "__file__"),
            "threads": [len(psutil.Process(pid).threads()) for pid in (os.getpid(), os.getppid())],
            "sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        }
    )


def _ended(how: str) -> None:
    if how == "exit":
        sys.exit(7)
    if how == "error":
        raise ValueError(how)
    if how == "sleep":
        time.sleep(600)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    found = []

    def start(target: Callable[..., None], *args: Any) -> Any:
        found.append(fork(target, *args, folder=tmp_path))
        return found[-1]

    yield start
    for process in found:
        process.kill()
        process.join()


def test_a_fork_begins_with_the_flows_imported_and_in_its_own_place(
    started: Callable[..., Any], tmp_path: Path
) -> None:
    told, tells = CONTEXT.Pipe(duplex=False)
    started(_told, tells)
    tells.close()
    assert told.recv() == {
        "folder": str(tmp_path),
        "leads": True,
        "flows": True,
        "main": False,  # it has not imported this process's main module
        "threads": [1, 1],
        "sigterm": True,
    }


@pytest.mark.parametrize(("how", "code"), [("return", 0), ("exit", 7), ("error", 1)])
def test_a_fork_tells_how_it_ended(started: Callable[..., Any], how: str, code: int) -> None:
    process = started(_ended, how)
    process.join()
    assert process.exitcode == code


def test_a_signal_to_the_group_of_a_fork_ends_it_as_soon_as_it_has_begun(started: Callable[..., Any]) -> None:
    process = started(_ended, "sleep")
    os.killpg(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == -signal.SIGTERM


def test_the_fork_server_outlives_a_signal_that_asks_everything_to_stop(started: Callable[..., Any]) -> None:
    process = started(_ended, "sleep")
    psutil.Process(process.pid).parent().terminate()
    os.killpg(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == -signal.SIGTERM
    started(_ended, "return").join()


def test_a_fork_server_that_died_is_started_again(started: Callable[..., Any]) -> None:
    server = psutil.Process(started(_ended, "sleep").pid).parent()
    server.kill()
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
    process = started(_ended, "exit")
    process.join()
    assert process.exitcode == 7
