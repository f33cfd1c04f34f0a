"""How a request comes along, on stderr, as its trace tells it."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from apps.cli.text import LINE_CHARS, duration, printable
from hugginggpt.errors import TraceError
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.text import one_line
from hugginggpt.trace.report import waited
from hugginggpt.trace.story import RequestTrace, TaskTrace

if TYPE_CHECKING:
    from hugginggpt.trace.store import Trace

LOOKS_EVERY = 0.25
"""Seconds between two looks at the trace."""

_SHOWN_SECONDS = 0.05
"""Less than that would be shown as no time."""

_MARKS = {
    TaskStatus.COMPLETED: ("✓", "green"),
    TaskStatus.CACHED: ("✓", "green"),
    TaskStatus.FAILED: ("✗", "red"),
    TaskStatus.SKIPPED: ("−", "yellow"),
}


class _View(Protocol):
    def show(self, headline: str, story: RequestTrace | None) -> None: ...


@contextmanager
def watching(
    trace: "Trace", request_id: str, *, plain: bool, ephemeral: bool, since: datetime, waits: str = "waiting"
) -> Iterator[None]:
    """Show how a request comes along while the block runs: a live view on a terminal, else lines.

    Args:
        trace: where it is told.
        request_id: the request; it may not be there yet.
        plain: lines on a terminal too.
        ephemeral: the run has to start a Prefect server first.
        since: when the command was given.
        waits: what is done while nobody works on the request.
    """
    starting = "Starting a temporary Prefect server" if ephemeral else "Starting"

    def title(story: RequestTrace) -> str:
        return headline(story) if story.finished_at is None else ending(story, since, waits)

    if plain or not sys.stderr.isatty():
        with _polling(trace, request_id, starting, title, _Lines()):
            yield
        return
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False) as live, _polling(trace, request_id, starting, title, _Board(live)):
        yield
    console.print()  # the answer follows


@contextmanager
def _polling(
    trace: "Trace", request_id: str, starting: str, title: Callable[[RequestTrace], str], view: _View
) -> Iterator[None]:
    stop = threading.Event()
    before = _story(trace, request_id)
    lives_before = len(before.lives) if before else 0

    def look() -> None:
        story = _story(trace, request_id)
        # What ends before the first look was begun before it, too.
        begun = story is not None and (len(story.lives) > lives_before or story.finished_at is not None)
        view.show(title(story) if story is not None and begun else starting, story)

    def keep_looking() -> None:
        while not stop.wait(LOOKS_EVERY):
            look()

    view.show(starting, None)
    thread = threading.Thread(target=keep_looking, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        look()


def _story(trace: "Trace", request_id: str) -> RequestTrace | None:
    """None when the request is not begun yet, or the database is away: whoever works on it will say so."""
    try:
        return trace.requests.get(request_id)
    except TraceError:
        return None


class _Lines:
    """A line for everything that changes."""

    def __init__(self) -> None:
        self._said: dict[object, str] = {}

    def show(self, headline: str, story: RequestTrace | None) -> None:
        if story is not None:
            if story.plan is not None:
                for task in story.tasks:
                    self._say(("plan", task.id), f"Planned: {_planned(task)}")
            for task in story.tasks:
                self._say(task.id, f"{_name(task)}: {standing(task, story)}")
        if story is not None or not self._said:
            self._say("headline", headline)

    def _say(self, about: object, line: str) -> None:
        if self._said.get(about) != line:
            self._said[about] = line
            print(printable(line), file=sys.stderr, flush=True)


class _Board:
    """The tasks as a table that is drawn anew."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._spinner = Spinner("dots")
        self._began = time.monotonic()
        self._latest: RequestTrace | None = None

    def show(self, headline: str, story: RequestTrace | None) -> None:
        self._latest = story or self._latest
        if self._latest is not None and story is None:
            return
        tasks = Table.grid(padding=(0, 1))
        if story is not None:
            for task in story.tasks:
                mark, style = _MARKS.get(task.status, ("●", "cyan") if _runs(task) else ("○", "dim"))
                tasks.add_row(Text(mark, style), Text(_name(task), "bold"), Text(printable(standing(task, story))))
        over = story is not None and story.finished_at is not None
        title = Text(headline, "bold" if over else "default")
        if not over:
            title.append(f"  {duration(time.monotonic() - self._began)}", "dim")
            self._spinner.update(text=title)
        self._live.update(Group(tasks, title if over else self._spinner), refresh=True)


def headline(story: RequestTrace) -> str:
    """The stage that a request at work is in, in a few words."""
    again = f" (life {len(story.lives)})" if len(story.lives) > 1 else ""
    if story.status is RequestStatus.QUEUED:
        return "Waiting in line"
    if story.status is RequestStatus.DIED:
        return "Stopped"
    if story.plan is None:
        return ("Reading the plan" if story.options.get("plan") is not None else "Planning") + again
    if any(task.status is TaskStatus.PLANNED for task in story.tasks):
        return f"Working{again}"
    return f"Writing the answer{again}"


def ending(story: RequestTrace, since: datetime, waits: str) -> str:
    """How a request ended and how long the person waited for that, in a few words.

    Args:
        story: the request, which has ended.
        since: when the command was given.
        waits: what was done while nobody worked on it.
    """
    took = waited(story, since, datetime.now(UTC))
    waiting = f", {duration(took.waiting)} of them {waits}" if took.waiting >= _SHOWN_SECONDS else ""
    calls = story.totals.controller_calls
    asked = f", {calls} controller call{'s' * (calls != 1)}" if calls else ""
    return f"{story.status.value.capitalize()} in {duration(took.seconds)}{waiting}{asked}"


def standing(task: TaskTrace, story: RequestTrace) -> str:
    """How a task stands, in a few words."""
    last = task.attempts[-1] if task.attempts else None
    match task.status:
        case TaskStatus.COMPLETED | TaskStatus.CACHED:
            assert task.result is not None
            by = f"{task.result.model} ({task.result.endpoint})"
            if task.status is TaskStatus.CACHED:
                return f"from the cache, made by {by}"
            return f"done in {duration(task.seconds or 0.0)} by {by}"
        case TaskStatus.FAILED:
            return f"failed: {one_line(task.error or 'for no known reason', LINE_CHARS)}"
        case TaskStatus.SKIPPED:
            return f"skipped: {one_line(task.error or 'for no known reason', LINE_CHARS)}"
    if last is not None and last.status == "running":
        so_far = f", {last.progress}" if last.progress else ""
        return f"running on {last.model} ({last.endpoint}){so_far}"
    if last is not None and last.status == "failed":
        again = ", another try follows" if last.passing else ""
        return f"{last.model} failed{again}: {one_line(last.error or '', LINE_CHARS)}"
    open_ids = [str(k) for k in task.dep if _stage(story, k) is TaskStatus.PLANNED]
    waits = f"waits for {', '.join(open_ids)}" if open_ids else ""
    if task.selection is not None:
        return ", ".join(filter(None, [f"{task.selection.choice.chosen.card.id} chosen", waits]))
    return waits or "waits for a model"


def _stage(story: RequestTrace, task_id: int) -> TaskStatus:
    return next(task.status for task in story.tasks if task.id == task_id)


def _runs(task: TaskTrace) -> bool:
    return task.status is TaskStatus.PLANNED and bool(task.attempts) and task.attempts[-1].status == "running"


def _name(task: TaskTrace) -> str:
    return f"{task.id} · {task.task}"


def _planned(task: TaskTrace) -> str:
    return _name(task) + (f", after {', '.join(map(str, task.dep))}" if task.dep else "")
