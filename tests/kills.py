"""Kill a working `hugginggpt` again and again, and see that nothing is lost, done twice or left behind.

    python -m tests.kills [--kills 50] [--seed N] [--at-once 2] [--half alone|up]

Each round gives the command line a request with four quick tasks on the embedded models and a picture of its own, and
ends a process group of it by SIGKILL at a random moment. Half of the rounds kill an `ask` where nothing is up. The
other half run beside one `hugginggpt up`, with an expert worker: they kill an `ask`, or, once a request is submitted,
the flow worker, the process of its flow run or the expert worker. Then the request is resumed; one that was submitted
is, in every second round, left to the schedule of `up`.

A round passes when

- the answer is whole: every task of the plan is completed,
- no task of the plan has two completed attempts,
- no process of the round is left (under `up`: no process that `up` does not keep running),
- no unfinished file is in the home folder after `hugginggpt prune`.

Everything is real and on loopback, in a temporary folder. Printed: a line for each round, then the sums; the exit code
is 1 if a round failed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from PIL import Image, ImageDraw
from sqlalchemy.exc import SQLAlchemyError

from hugginggpt.holder import Holder
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.settings import Settings
from hugginggpt.trace.store import Trace
from hugginggpt.trace.story import RequestTrace
from hugginggpt.up_state import read
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "apps.cli"]
MARK = "HUGGINGGPT_KILLS_ROUND"
PLAN = [
    {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "picture.png"}},
    {"task": "summarization", "id": 1, "dep": [0], "args": {"text": "<GENERATED>-0"}},
    {"task": "text-to-speech", "id": 2, "dep": [1], "args": {"text": "<GENERATED>-1"}},
    {"task": "canny-control", "id": 3, "dep": [-1], "args": {"image": "picture.png"}},
]
DONE = (TaskStatus.COMPLETED, TaskStatus.CACHED)
LEASE_SECONDS = 6
PATIENCE = 240.0
"""Seconds after a kill in which the answer has to be there."""
LEAVING_SECONDS = 15.0
"""Seconds that a process has to notice that its group was killed."""
IN_LINE_SECONDS = 10.0
"""Seconds after which somebody who waits in line takes the request into his own hands."""
UNFINISHED = ("*.tmp", "*.part", "*.partial", "*.new", "*.incomplete")

ALONE, UP = "alone", "up"


@dataclass
class Round:
    """One kill and what came of it.

    Attributes:
        victim: what is killed: `ask`, `flow-worker`, `flow-run` or `expert-worker`.
        moment: when, as a part of the usual time that a request takes; None,
            for an `ask`: as soon as a task is done.
        scheduled: the schedule of `up` is to go on with the request, and not `resume`.
        killed: how far the request was then.
        faults: what should not be.
    """

    number: int
    half: str
    victim: str
    moment: float | None
    scheduled: bool
    killed: str = ""
    seconds: float = 0.0
    lives: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        by = "" if self.half == ALONE else ", then the schedule" if self.scheduled else ", then resume"
        what = f"{self.number:3}  {self.half:5}  {self.victim + by:28}  {self.killed:34}"
        return f"{what}  {self.lives} lives  {self.seconds:5.1f} s  {'; '.join(self.faults) or 'whole'}"


class Home:
    """A home folder, its Prefect's, and the environment that leads there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "home"
        others = {name: value for name, value in os.environ.items() if not name.startswith(("HUGGINGGPT_", "PREFECT_"))}
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN"):
            others.pop(name, None)
        self.environment = others | {
            "HUGGINGGPT_HOME": str(self.path),
            "HUGGINGGPT_CPU_THREADS": "1",
            "HUGGINGGPT_LEASE_SECONDS": str(LEASE_SECONDS),
            "HF_HUB_OFFLINE": "1",
            "PREFECT_HOME": str(folder / "prefect"),
            "PYTHONPATH": str(ROOT),
        }

    def copy_to(self, folder: Path) -> "Home":
        shutil.copytree(self.folder, folder)
        return Home(folder)

    def start(self, mark: str, *arguments: str | Path) -> "subprocess.Popen[bytes]":
        """A command in a process group of its own; what it says is in a file."""
        with (self.folder / f"{mark}.log").open("ab") as log:
            return subprocess.Popen(
                [*COMMAND, *map(str, arguments)],
                cwd=self.folder,
                env=self.environment | {MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, mark: str, *arguments: str | Path) -> int:
        """A command, waited for."""
        return self.start(mark, *arguments).wait(timeout=PATIENCE)

    @contextmanager
    def trace(self) -> Iterator[Trace]:
        trace = Trace.open(Settings(home=self.path))
        try:
            yield trace
        finally:
            trace.close()

    def picture(self, mark: str) -> Path:
        """An invoice that no other round has, so that nothing comes from a cache."""
        path = self.folder / mark / "picture.png"
        path.parent.mkdir()
        with Image.open(ROOT / "examples" / "invoice.png") as invoice:
            page = invoice.convert("RGB")
        ImageDraw.Draw(page).text((8, 8), mark[:12], fill="black")
        page.save(path)
        return path


def marked(mark: str) -> list[psutil.Process]:
    """The processes that were started for a round, whoever started them."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill_group(pid: int) -> None:
    """SIGKILL for the whole process group of a process."""
    with suppress(ProcessLookupError):
        os.killpg(os.getpgid(pid), signal.SIGKILL)


def how_far(story: RequestTrace | None) -> str:
    """How far a request was, in a few words."""
    if story is None:
        return "before it was begun"
    if story.finished_at is not None:
        return "after its end"
    if story.plan is None:
        return "before its plan"
    done = sum(task.status in DONE for task in story.tasks)
    return "writing the answer" if done == len(story.tasks) else f"{done} of {len(story.tasks)} tasks done"


class Kills:
    """Rounds in one temporary folder.

    Args:
        folder: where everything goes.

    Attributes:
        usual: seconds that an answer takes without a kill, where nothing is up and beside `up`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plan = folder / "plan.json"
        self._plan.write_text(json.dumps(PLAN), encoding="utf-8")
        self._template = Home(folder / "template")
        self._template.folder.mkdir()
        self.usual: dict[str, float] = {}

    def prepare(self) -> None:
        """See how long an answer takes without a kill.

        Raises:
            AssertionError: there is none.
        """
        # The first in a new home folder makes the databases, which takes longer than usual.
        self._unkilled(self._template, "first")
        self.usual[ALONE] = self._unkilled(self._template, "usual")

    def _unkilled(self, home: Home, name: str) -> float:
        """The seconds that an answer takes."""
        mark, began = uuid.uuid4().hex, time.monotonic()
        code = home.run(mark, *self._ask(home.picture(mark), name))
        seconds = time.monotonic() - began
        with home.trace() as trace:
            story = _asked(trace, name)
        log = (home.folder / f"{mark}.log").read_text(errors="replace")
        whole = story is not None and story.status is RequestStatus.COMPLETED
        assert code == 0 and whole, f"the request was not answered: {log}"
        return seconds

    def _ask(self, picture: Path, text: str) -> list[str | Path]:
        return ["ask", text, "--file", picture, "--plan", self._plan]

    # Nothing up

    def alone(self, round: Round) -> None:
        """Kill an `ask` where nothing is up, and resume."""
        mark = uuid.uuid4().hex
        home = self._template.copy_to(self._folder / f"round-{round.number}")
        self._kill_ask(round, home, mark, ALONE)
        self._check_leavings(round, mark)
        _prune(round, home)
        if not round.faults:
            shutil.rmtree(home.folder, ignore_errors=True)

    def _kill_ask(self, round: Round, home: Home, mark: str, half: str) -> None:
        text, picture = f"Kill {mark}", home.picture(mark)
        process = home.start(mark, *self._ask(picture, text))
        with home.trace() as trace:
            if round.moment is None:
                while process.poll() is None and not _has_done_a_task(_asked(trace, text)):
                    time.sleep(0.05)
            else:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=round.moment * self.usual[half])
            if process.poll() is None:
                kill_group(process.pid)
            process.wait()
            story = _asked(trace, text)
            round.killed = how_far(story)
            if story is None:
                home.run(mark, *self._ask(picture, text))
            elif story.finished_at is None:
                home.run(mark, "resume", story.request_id)
            self._check_answer(round, _asked(trace, text))

    # Beside `up`

    @contextmanager
    def up(self) -> Iterator["Up"]:
        """An `up` with one flow worker and one expert worker, until the block ends."""
        home = self._template.copy_to(self._folder / "up")
        up = Up(home)
        try:
            up.begin()
            # The first loads the models into the expert worker, which is not the usual.
            for name in ("first beside up", "beside up"):
                self.usual[UP] = self._unkilled(home, name)
            yield up
        finally:
            up.end()

    def beside(self, up: "Up", round: Round) -> None:
        """Kill something of, or beside, an `up`, and see the request answered."""
        mark = uuid.uuid4().hex
        if round.victim == "ask":
            self._kill_ask(round, up.home, mark, UP)
        else:
            self._kill_part(round, up, mark)
        self._check_leavings(round, mark)

    def _kill_part(self, round: Round, up: "Up", mark: str) -> None:
        text, home = f"Kill {mark}", up.home
        submit = ["submit", text, "--id", mark, "--file", home.picture(mark), "--plan", self._plan]
        if home.run(mark, *submit) != 0:
            # Another round has just killed what it speaks to.
            home.run(mark, *submit)
        with home.trace() as trace:
            time.sleep(round.moment * self.usual[UP])
            story = _asked(trace, text)
            round.killed = how_far(story)
            up.kill(round.victim, story)
            killed = time.monotonic()
            while (story := _asked(trace, text)) is None or story.finished_at is None:
                since = time.monotonic() - killed
                if since > PATIENCE:
                    break
                left = story is not None and (
                    story.status is RequestStatus.DIED
                    or (story.status is RequestStatus.QUEUED and since > IN_LINE_SECONDS)
                )
                if story is not None and left and not round.scheduled:
                    # Another process may be quicker: then this one says so, and ends.
                    home.run(mark, "resume", story.request_id)
                time.sleep(0.5)
            self._check_answer(round, story)

    # What has to be so

    def _check_answer(self, round: Round, story: RequestTrace | None) -> None:
        if story is None:
            round.faults.append("the request is not in the trace")
            return
        round.lives = len(story.lives)
        if story.finished_at is None or story.status is not RequestStatus.COMPLETED or not story.response:
            round.faults.append(f"the request is {story.status}: {story.error or 'no error'}")
        for task in story.tasks:
            if task.status not in DONE:
                round.faults.append(f"task {task.id} is {task.status}: {task.error}")
            if sum(attempt.status == "completed" for attempt in task.attempts) > 1:
                round.faults.append(f"task {task.id} was done twice")
        if {task.id for task in story.tasks} != {task["id"] for task in PLAN}:
            round.faults.append("tasks of the plan are missing")

    def _check_leavings(self, round: Round, mark: str) -> None:
        end = time.monotonic() + LEAVING_SECONDS
        while (left := marked(mark)) and time.monotonic() < end:
            time.sleep(0.5)
        for process in left:
            with suppress(psutil.Error):
                round.faults.append(f"left running: {' '.join(process.cmdline()[1:5])}")
                process.kill()


class Up:
    """A standing `up` whose parts are killed."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._mark = uuid.uuid4().hex
        self.left: list[psutil.Process] = []

    def begin(self) -> None:
        """Bring it up.

        Raises:
            AssertionError: it does not come up.
        """
        ports = ("--port", str(free_port()), "--dask-port", str(free_port()), "--service-port", "0")
        self._process = self.home.start(self._mark, "up", *ports, "--expert-workers", "1")
        end = time.monotonic() + PATIENCE
        while (up := read(self.home.path)) is None or not up.ready:
            said = (self.home.folder / f"{self._mark}.log").read_text(errors="replace")
            assert self._process.poll() is None and time.monotonic() < end, f"`up` did not come up: {said}"
            time.sleep(0.5)

    def kill(self, victim: str, story: RequestTrace | None) -> None:
        """SIGKILL for the process group of a part, or of the flow run that works on a request."""
        pid = self._parts().get(f"{victim}-1")
        if victim == "flow-run":
            holder = Holder.parse(story.lives[-1].holder) if story is not None and story.lives else None
            working = story is not None and story.status is RequestStatus.RUNNING
            pid = holder.pid if holder is not None and working else self._parts().get("flow-worker-1")
        if pid is not None:
            kill_group(pid)

    def _parts(self) -> Mapping[str, int]:
        up = read(self.home.path)
        return {} if up is None else up.parts

    def end(self) -> None:
        """Take it down, and whatever of it is left."""
        self.home.run(self._mark, "down")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=30)
        self.left = marked(self._mark)
        for process in self.left:
            with suppress(psutil.Error):
                process.kill()


def _asked(trace: Trace, text: str) -> RequestTrace | None:
    """The request with a text; None while the trace has none."""
    with suppress(SQLAlchemyError):
        for summary in trace.requests.latest(1000):
            if summary.text == text:
                return trace.requests.get(summary.request_id)
    return None


def _has_done_a_task(story: RequestTrace | None) -> bool:
    return story is not None and any(task.status in DONE for task in story.tasks)


def _prune(round: Round, home: Home) -> None:
    """What was cut off is gone after pruning, once it is so old that nobody can be writing it any more."""
    long_ago = time.time() - 7 * 86400
    for pattern in UNFINISHED:
        for path in home.path.rglob(pattern):
            os.utime(path, (long_ago, long_ago))
    code = home.run("prune", "prune", "--max-age-days", "365")
    if code != 0:
        round.faults.append(f"prune ended with code {code}")
    cut_off = [str(path.relative_to(home.path)) for pattern in UNFINISHED for path in home.path.rglob(pattern)]
    if cut_off:
        round.faults.append(f"unfinished after pruning: {', '.join(cut_off)}")


def rounds(kills: int, seed: int, half: str | None = None) -> list[Round]:
    """What is killed when, the same for the same seed."""
    chance = random.Random(seed)
    victims = ["ask", "flow-worker", "flow-run", "expert-worker"]
    made = []
    for number in range(1, kills + 1):
        where = half or (ALONE if number % 2 else UP)
        victim = "ask" if where == ALONE else chance.choice(victims)
        made.append(Round(number, where, victim, chance.random(), chance.random() < 0.5 and victim != "ask"))
    return made


def kill(wanted: list[Round], folder: Path, at_once: int, say: Callable[[str], None] = print) -> list[Round]:
    """Do the rounds, so many at a time; return them with what came of them."""
    kills = Kills(folder)
    kills.prepare()
    say(f"An answer takes {kills.usual[ALONE]:.1f} s where nothing is up.")

    def do(round: Round, work: Callable[[Round], Any]) -> None:
        began = time.monotonic()
        try:
            work(round)
        except Exception as error:
            round.faults.append(f"{type(error).__name__}: {error}")
        round.seconds = time.monotonic() - began
        say(str(round))

    def do_all(half: str, work: Callable[[Round], Any]) -> None:
        with ThreadPoolExecutor(at_once) as threads:
            list(threads.map(lambda round: do(round, work), [round for round in wanted if round.half == half]))

    do_all(ALONE, kills.alone)
    if any(round.half == UP for round in wanted):
        with kills.up() as up:
            say(f"An answer takes {kills.usual[UP]:.1f} s beside `up`.")
            do_all(UP, lambda round: kills.beside(up, round))
        last = [round for round in wanted if round.half == UP][-1]
        last.faults += [f"left running after `down`: {process}" for process in up.left]
        _prune(last, up.home)
    return wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=2, help="rounds at the same time")
    parser.add_argument("--half", choices=[ALONE, UP], help="only rounds where nothing is up, or only beside `up`")
    parser.add_argument("--keep", type=Path, help="an empty folder to work in, which stays")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hugginggpt-kills-", ignore_cleanup_errors=True) as folder:
        place = given.keep or Path(folder)
        place.mkdir(exist_ok=True)
        done = kill(rounds(given.kills, given.seed, given.half), place, given.at_once)
    failed = [round for round in done if round.faults]
    print(f"\n{len(done)} kills, {len(done) - len(failed)} whole answers, {len(failed)} rounds with a fault.")
    print(json.dumps({"killed": Counter(round.killed for round in done), "lives": Counter(r.lives for r in done)}))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
