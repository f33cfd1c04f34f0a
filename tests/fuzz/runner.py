"""Hands cases to processes, and gathers how they went."""

import multiprocessing
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from tests.fuzz.areas import AREAS
from tests.fuzz.case import PATIENCE, Finding, Measured
from tests.fuzz.worker import Reply, serve

_BACKSTOP = 3 * PATIENCE  # what holds a signal up, such as native code, is killed


@dataclass
class Report:
    """How the cases of an area went.

    Attributes:
        outcomes: how many were accepted, and how many each class of error refused.
        findings: what was found, by its line: each with the numbers of its cases, the first one told in full.
    """

    area: str
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: Measured | None = None
    largest: Measured | None = None
    findings: dict[str, tuple[Finding, list[int]]] = field(default_factory=dict)

    def add(self, measured: Measured) -> None:
        """Count a case."""
        self.outcomes[measured.outcome] += 1
        if self.slowest is None or measured.seconds > self.slowest.seconds:
            self.slowest = measured
        if self.largest is None or measured.megabytes > self.largest.megabytes:
            self.largest = measured
        for finding in measured.findings:
            self.findings.setdefault(finding.what, (finding, []))[1].append(measured.number)


def shares(cases: int, areas: Sequence[str]) -> Iterator[tuple[str, int]]:
    """How many cases each area gets, by its weight and one at least."""
    whole = sum(AREAS[area].weight for area in areas)
    for area in areas:
        yield area, max(1, round(cases * AREAS[area].weight / whole))


def run(
    wanted: Sequence[tuple[str, int]],
    seed: int,
    *,
    processes: int = 2,
    each: Callable[[Measured], object] = lambda measured: None,
) -> list[Report]:
    """Run cases.

    Args:
        wanted: areas and numbers of cases.
        seed: what they are made from, besides area and number.
        processes: how many at once.
        each: is told of each case as it is done, from one thread at a time.
    """
    reports: dict[str, Report] = {}
    left = iter(wanted)
    lock = threading.Lock()

    def work(folder: Path) -> None:
        with _Worker(folder) as worker:
            while True:
                with lock:
                    following = next(left, None)
                if following is None:
                    return
                measured = worker.measured(*following, seed)
                with lock:
                    reports.setdefault(measured.area, Report(measured.area)).add(measured)
                    each(measured)

    with tempfile.TemporaryDirectory(prefix="hugginggpt-fuzz-") as folder, ThreadPoolExecutor(processes) as threads:
        list(threads.map(work, [Path(folder) / f"{n}" for n in range(processes)]))  # raises what they raise
    return [reports[area] for area in AREAS if area in reports]


class _Worker:
    """A process for cases, replaced when it dies, hangs or is worn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir()
        self._begun = 0
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def measured(self, area: str, number: int, seed: int) -> Measured:
        """Run a case."""
        connection = self._connection or self._start()
        try:
            connection.send((area, seed, number))
            if not connection.poll(_BACKSTOP):
                return self._lost(area, number, f"no end within {_BACKSTOP:g} s: its process was killed")
            reply: Reply = connection.recv()
        except (EOFError, ConnectionError):
            return self._lost(area, number, "its process died")
        if reply.worn:
            self._end()
        return reply.measured

    def _start(self) -> Connection:
        self._begun += 1
        place = self._folder / str(self._begun)
        place.mkdir()
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        said = self._folder / f"{self._begun}.log"
        self._process = context.Process(target=serve, args=(theirs, place, said), daemon=True)
        self._process.start()
        theirs.close()
        return self._connection

    def _lost(self, area: str, number: int, what: str) -> Measured:
        process, said = self._process, self._folder / f"{self._begun}.log"
        self._end(kill=True)
        code = process.exitcode if process else None
        detail = said.read_text(errors="replace")[-4000:] if said.exists() else ""
        finding = Finding(f"{what} (exit code {code})", area, "run it again to see", detail)
        return Measured(area, number, "lost", 0.0, 0.0, (finding,))

    def _end(self, kill: bool = False) -> None:
        if self._process is None or self._connection is None:
            return
        if kill:
            self._process.kill()
        else:
            self._connection.send(None)
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()
        self._process = self._connection = None
