"""The progress of a request, shown on stderr from its trace."""

import sys
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
from hugginggpt.polling import polling
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.text import counted, one_line
from hugginggpt.trace.report import waited
from hugginggpt.trace.story import RequestTrace, TaskTrace

if TYPE_CHECKING:
    from hugginggpt.trace.store import Trace

POLL_SECONDS = 0.25
"""Pause between two checks of the trace."""

_SHOWN_SECONDS = 0.05
"""Shorter times would be shown as 0.0 s."""

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
    trace: "Trace", request_id: str, *, plain: bool, since: datetime, ephemeral: bool = False, waits: str = "waiting"
) -> Iterator[None]:
    """Show the progress of a request while the block runs: a live view on a terminal, else lines.

    Args:
        trace: where to read the progress.
        request_id: the request, which may not be in the trace yet.
        plain: print lines even on a terminal.
        since: when the command was started.
        ephemeral: whether the run has to start a Prefect server first.
        waits: how to describe the time in which nothing works on the request.
    """
    starting = "Starting a temporary Prefect server" if ephemeral else "Starting"

    def title(story: RequestTrace) -> str:
        return headline(story) if story.finished_at is None else ending(story, since, waits)

    if plain or not sys.stderr.isatty():
        with _watched(trace, request_id, starting, title, _Lines()):
            yield
        return
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False) as live, _watched(trace, request_id, starting, title, _Board(live)):
        yield
    console.print()  # the answer follows


@contextmanager
def _watched(
    trace: "Trace", request_id: str, starting: str, title: Callable[[RequestTrace], str], view: _View
) -> Iterator[None]:
    before = _story(trace, request_id)
    lives_before = len(before.lives) if before else 0

    def look(last: bool = False) -> None:
        story = _story(trace, request_id)
        if story is not None and story.finished_at is not None and not last:
            return  # the time that the user waited is known, and shown, only at the end
        # A request that has ended has also started, even if that was before the first check.
        begun = story is not None and (len(story.lives) > lives_before or story.finished_at is not None)
        view.show(title(story) if story is not None and begun else starting, story)

    view.show(starting, None)
    try:
        with polling(look, POLL_SECONDS, "progress"):
            yield
    finally:
        look(last=True)


def _story(trace: "Trace", request_id: str) -> RequestTrace | None:
    """The request; None if it has not started, or if the database is away, which the flow reports."""
    try:
        return trace.requests.get(request_id)
    except TraceError:
        return None


class _Lines:
    """Prints a line for every change."""

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
    """Draws the tasks as a table that is updated."""

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
    """The stage of a running request, in a few words."""
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
    """How a request ended and how long the user waited, in a few words.

    Args:
        story: the request, which has ended.
        since: when the command was started.
        waits: how to describe the time in which nothing worked on the request.
    """
    took = waited(story, since, datetime.now(UTC))
    waiting = f", of which {duration(took.waiting)} {waits}" if took.waiting >= _SHOWN_SECONDS else ""
    calls = story.totals.controller_calls
    asked = f", {counted(calls, 'controller call')}" if calls else ""
    return f"{story.status.value.capitalize()} in {duration(took.seconds)}{waiting}{asked}"


def standing(task: TaskTrace, story: RequestTrace) -> str:
    """The state of a task, in a few words."""
    last = task.attempts[-1] if task.attempts else None
    match task.status:
        case TaskStatus.COMPLETED | TaskStatus.CACHED:
            assert task.result is not None
            by = f"{task.result.model} ({task.result.endpoint})"
            if task.status is TaskStatus.CACHED:
                return f"from the cache, made by {by}"
            return f"done in {duration(task.seconds or 0.0)} by {by}"
        case TaskStatus.FAILED:
            return f"failed: {one_line(task.error or 'unknown reason', LINE_CHARS)}"
        case TaskStatus.SKIPPED:
            return f"skipped: {one_line(task.error or 'unknown reason', LINE_CHARS)}"
    if last is not None and last.status == "running":
        so_far = f", {last.progress}" if last.progress else ""
        return f"running on {last.model} ({last.endpoint}){so_far}"
    if last is not None and last.status == "failed":
        again = ", will retry" if last.passing else ""
        return f"{last.model} failed{again}: {one_line(last.error or '', LINE_CHARS)}"
    open_ids = [str(k) for k in task.dep if _stage(story, k) is TaskStatus.PLANNED]
    waits = f"waits for {', '.join(open_ids)}" if open_ids else ""
    if task.selection is not None:
        return ", ".join(filter(None, [f"chose {task.selection.choice.chosen.card.id}", waits]))
    return waits or "waits for a model"


def _stage(story: RequestTrace, task_id: int) -> TaskStatus:
    return next(task.status for task in story.tasks if task.id == task_id)


def _runs(task: TaskTrace) -> bool:
    return task.status is TaskStatus.PLANNED and bool(task.attempts) and task.attempts[-1].status == "running"


def _name(task: TaskTrace) -> str:
    return f"{task.id} · {task.task}"


def _planned(task: TaskTrace) -> str:
    return _name(task) + (f", after {', '.join(map(str, task.dep))}" if task.dep else "")
