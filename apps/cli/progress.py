"""The progress of a request, shown on stderr: a live view on a terminal, else lines."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from apps.cli.text import STARTING, duration, printable
from hugginggpt.polling import polling

if TYPE_CHECKING:
    from rich.live import Live

    from apps.http.events import Progress
    from hugginggpt.trace.store import Trace
    from hugginggpt.trace.story import RequestTrace

POLL_SECONDS = 0.25
"""Pause between two checks of the trace, and between two pictures on a terminal."""

STARTING_A_SERVER = "Starting a temporary Prefect server"

_MARKS = {
    "completed": ("✓", "green"),
    "cached": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("−", "yellow"),
}


class _View(Protocol):
    def show(self, progress: "Progress") -> None: ...


@contextmanager
def watching(
    trace: "Trace", request_id: str, *, plain: bool, since: datetime, ephemeral: bool = False, waits: str = "waiting"
) -> Iterator[None]:
    """Show the progress of a request while the block runs, read from its trace.

    Args:
        trace: where to read the progress.
        request_id: the request, which may not be in the trace yet.
        plain: print lines even on a terminal.
        since: when the command was started.
        ephemeral: whether the run has to start a Prefect server first.
        waits: how to describe the time in which nothing works on the request.
    """
    from apps.http.standing import progress

    starting = STARTING_A_SERVER if ephemeral else STARTING
    before = _story(trace, request_id)
    lives = len(before.lives) if before else 0

    def look(last: bool = False) -> None:
        story = _story(trace, request_id)
        # The time that the user waited is known, and shown, only at the end.
        if story is not None and (last or story.finished_at is None):
            show(progress(story, lives=lives, since=since, waits=waits, starting=starting))

    with showing(plain=plain, starting=starting) as show:
        try:
            with polling(look, POLL_SECONDS, "progress"):
                yield
        finally:
            look(last=True)


@contextmanager
def showing(*, plain: bool, starting: str = STARTING) -> Iterator[Callable[["Progress"], None]]:
    """Show what the block passes to the function that it is given, beginning with a headline.

    Args:
        plain: print lines even on a terminal.
        starting: the first headline.
    """
    first: Progress = {"headline": starting, "over": False, "steps": []}
    if plain or not sys.stderr.isatty():
        lines = _Lines()
        lines.show(first)
        yield lines.show
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False) as live:
        board = _Board(live)
        board.show(first)
        # The clock goes on between two steps.
        with polling(board.draw, POLL_SECONDS, "clock"):
            yield board.show
        board.draw()
    console.print()  # the answer follows


def _story(trace: "Trace", request_id: str) -> "RequestTrace | None":
    """The request; None if it has not started, or if the database is away, which the flow reports."""
    from hugginggpt.errors import TraceError

    try:
        return trace.requests.get(request_id)
    except TraceError:
        return None


class _Lines:
    """Prints a line for every change."""

    def __init__(self) -> None:
        self._said: dict[object, str] = {}

    def show(self, progress: "Progress") -> None:
        for step in progress["steps"]:
            self._say(("plan", step["name"]), f"Planned: {step['planned']}")
        for step in progress["steps"]:
            self._say(step["name"], f"{step['name']}: {step['standing']}")
        self._say("headline", progress["headline"])

    def _say(self, about: object, line: str) -> None:
        if self._said.get(about) != line:
            self._said[about] = line
            print(printable(line), file=sys.stderr, flush=True)


class _Board:
    """Draws the tasks as a table that is updated."""

    def __init__(self, live: "Live") -> None:
        from rich.spinner import Spinner

        self._live = live
        self._spinner = Spinner("dots")
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._latest: Progress | None = None

    def show(self, progress: "Progress") -> None:
        self._latest = progress
        self.draw()

    def draw(self) -> None:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        latest = self._latest
        if latest is None:
            return
        with self._lock:
            tasks = Table.grid(padding=(0, 1))
            for step in latest["steps"]:
                mark, style = _MARKS.get(step["status"], ("●", "cyan") if step["running"] else ("○", "dim"))
                tasks.add_row(Text(mark, style), Text(step["name"], "bold"), Text(printable(step["standing"])))
            title = Text(latest["headline"], "bold" if latest["over"] else "default")
            if not latest["over"]:
                title.append(f"  {duration(time.monotonic() - self._began)}", "dim")
                self._spinner.update(text=title)
            self._live.update(Group(tasks, title if latest["over"] else self._spinner), refresh=True)
