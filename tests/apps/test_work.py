"""The jobs of the service, in forks of their own."""

import asyncio
import json
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from apps.http import jobs
from apps.http.work import MOST_JOBS, Work
from hugginggpt.origin import Origin
from tests.servers import fork_server


def look(connection: Connection, folder: str) -> None:
    """Tell how many jobs of this sort run, and stay for a while."""
    own = Path(folder) / str(os.getpid())
    own.touch()
    time.sleep(0.2)
    connection.send_bytes(json.dumps(["running", len(os.listdir(folder))]).encode())
    own.unlink()
    connection.send_bytes(json.dumps(["done", None]).encode())


def stay(connection: Connection, folder: str) -> None:
    """Another sort of job, which ends when it may."""
    while os.listdir(folder):
        time.sleep(0.01)
    connection.send_bytes(json.dumps(["done", None]).encode())


def taken_until(connection: Connection, asked: dict[str, str], sent: jobs.Sender) -> None:
    """Take a request, and end when it may."""
    connection.send_bytes(json.dumps(["taken", None]).encode())
    while (Path(asked["folder"]) / "on").exists():
        time.sleep(0.01)
    connection.send_bytes(json.dumps(["done", None]).encode())


def test_only_so_many_requests_are_answered_at_once_however_fast_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "on").touch()
    monkeypatch.setattr(jobs, "answer", taken_until)
    sent = jobs.Sender(Origin())

    async def many() -> list[bool]:
        with fork_server() as forks:
            work = Work(tmp_path, forks)
            asked = [{"id": str(number), "folder": str(tmp_path)} for number in range(9)]
            begun = await asyncio.gather(*(work.answer(one, sent, 3) for one in asked))
            assert await work.answer(asked[begun.index(True)], sent, 3)  # it has begun already
            (tmp_path / "on").unlink()
            await asyncio.gather(*(one.over for one in map(work.answering, map(str, range(9))) if one is not None))
            assert await work.answer({**asked[0], "id": "later"}, sent, 3)
            return begun

    assert sum(asyncio.run(many())) == 3


def test_only_so_many_jobs_of_a_sort_run_at_once_and_none_waits_for_another_sort(tmp_path: Path) -> None:
    counted, held = tmp_path / "counted", tmp_path / "held"
    counted.mkdir()
    held.mkdir()
    (held / "on").touch()

    async def many() -> list[int]:
        with fork_server() as forks:
            work = Work(tmp_path, forks)
            others = [asyncio.create_task(work.do(stay, str(held))) for _ in range(2 * MOST_JOBS)]
            told = await asyncio.gather(*(work.do(look, str(counted)) for _ in range(3 * MOST_JOBS)))
            assert not any(other.done() for other in others)
            (held / "on").unlink()
            await asyncio.gather(*others)
            return [one["running"] for one in told]

    running = asyncio.run(many())
    assert len(running) == 3 * MOST_JOBS
    assert max(running) <= MOST_JOBS
