"""What the Prefect UI shows: artifacts for a plan, choices, media and the answer, and tables of what else was done."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import FlowRunContext
from prefect.runtime import flow_run, task_run

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.evaluation.report import EvaluationReport
from hugginggpt.media import Image
from hugginggpt.models.card import ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.progress import Progress, listening
from hugginggpt.request_run import RequestRun
from hugginggpt.results import TaskResult
from hugginggpt.services import get_store
from hugginggpt.text import one_line
from tasks.markdown import as_cell, as_code, as_label, as_text, fence
from tasks.policies import recording
from tasks.posting import beside, persistently, post, post_artifact

THUMBNAIL_PIXELS = 320
MOST_SHOWN = 20
PROGRESS_EVERY = 1.0
"""Seconds between two looks at how far a task is."""
PROGRESS_LATE = 5.0
"""Seconds that a task which has ended waits until it is shown how far it came."""

NAME_CHARS = 100
"""Characters of an answer in the name of a flow run."""

MESSAGE_CHARS = 200
"""Characters of an answer in the message of a flow run's final state."""

Row = Mapping[str, str | int | float]
"""A row of a table, by its columns."""


def run_name(text: str) -> str:
    """What a flow run is called that answers a request: how the request begins."""
    return one_line(text)[:80] or "resumed request"


def answered_name(text: str, answer: str) -> str:
    """What a flow run is called that has answered a request: how the request begins, and how the answer."""
    return f"{run_name(text)} → {one_line(answer, NAME_CHARS)}"


def counted(number: int, noun: str) -> str:
    """A number of things, as in "3 kinds"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def with_what_is_missing(message: str | None, missing: Sequence[str]) -> str | None:
    """The message of a final state, and what Prefect does not show of its run."""
    if not missing:
        return message
    note = f"(Missing in Prefect, as the log says: {', '.join(missing)}.)"
    return f"{message} {note}" if message else note


class _Nothing(dict[int, Any]):
    """A mapping that keeps nothing."""

    def __setitem__(self, key: int, value: Any) -> None:
        pass


def draw_stated_edges_only() -> None:
    """Have the graph of this flow run show the edges that are told by states, and no others.

    Prefect also looks for objects of one task's result in what another is given. The empty tuple, of which there is
    one only, is in both of many that have nothing to do with each other.
    """
    if (context := FlowRunContext.get()) is not None:
        context.run_results = _Nothing()


def tag_run(conversation_id: str) -> None:
    """Tag this flow run with its conversation, by which the runs of one are found."""
    flow_run_id = flow_run.get_id()
    if flow_run_id is not None:
        tags = [*flow_run.get_tags(), f"conversation:{conversation_id[:8]}"]
        run = UUID(flow_run_id)
        post("the tag of the conversation", lambda: persistently(lambda client: client.update_flow_run(run, tags=tags)))


def name_run(name: str) -> None:
    """Give this flow run another name: what is known of its work only now."""
    flow_run_id = flow_run.get_id()
    if flow_run_id is not None:
        run = UUID(flow_run_id)
        post("the name of the run", lambda: persistently(lambda client: client.update_flow_run(run, name=name)))


def show_plan(plan: Plan) -> None:
    """The plan as a graph, and what was repaired in it."""
    lines = ["flowchart LR", *(f'  t{task.id}["{as_label(task.name)}"]' for task in plan.tasks)]
    for task in plan.tasks:
        lines += [f"  t{k} {'-->' if k in task.needs else '-.->'} t{task.id}" for k in task.dep]
    drawn = fence("\n".join(lines), "mermaid")
    graph = drawn if plan.tasks else "No task is needed: the controller answers by itself."
    repairs = "".join(f"\n- {as_cell(repair)}" for repair in plan.repairs)
    text = graph + (f"\n\nRepaired:\n{repairs}" if repairs else "") + "\n\n" + fence(plan.to_json(), "json")
    _show_text("plan", lambda: text, "The plan")


def show_choice(planned: PlannedTask, choice: ModelChoice, task_run_id: UUID | None = None) -> None:
    """The chosen model and why, and the candidates behind it; as an artifact of the task run that chose."""
    rows = "".join(
        f"\n| {place} | {as_cell(c.card.id)} | {c.endpoint} | {c.card.downloads:,} | {as_cell(c.card.description)} |"
        for place, c in enumerate(choice.ranked, 1)
    )
    text = (
        f"**{as_cell(choice.chosen.card.id)}** ({choice.chosen.endpoint}), chosen by the {choice.chosen_by}: "
        f"{as_cell(choice.reason)}\n\n"
        f"| | model | endpoint | downloads | |\n| --- | --- | --- | --- | --- |{rows}"
    )
    _show_text(f"model-{planned.id}", lambda: text, f"Model for {planned.name}", task_run_id)


@contextmanager
def showing_progress(run: RequestRun, planned: PlannedTask, attempt: Callable[[], int | None]) -> Iterator[None]:
    """Show how far a task is, in its trace and as a progress artifact, while the block reports it.

    Args:
        run: the request.
        planned: the task.
        attempt: names the attempt at work in the trace; None if it could not be recorded.
    """
    shown = _ProgressShown(run, planned, attempt)
    try:
        with listening(shown):
            yield
    finally:
        shown.finish()


class _ProgressShown:
    """What listens to `hugginggpt.progress`. The work does not wait; what is old when its turn comes is left out."""

    def __init__(self, run: RequestRun, planned: PlannedTask, attempt: Callable[[], int | None]) -> None:
        self._key, self._name = f"progress-{planned.id}", planned.name
        self._run, self._attempt = run, attempt
        self._run_ids = {
            name: UUID(run_id)
            for name, run_id in (("flow_run_id", flow_run.get_id()), ("task_run_id", task_run.get_id()))
            if run_id is not None
        }
        self._artifact: UUID | None = None
        self._next = 0.0
        self._latest: Progress | None = None
        self._lock = threading.Lock()
        self._waiting: tuple[Progress, int | None] | None = None
        self._at_work: Future[None] | None = None

    def __call__(self, progress: Progress) -> None:
        """Show it, the end always and what is on the way once a second at most."""
        now = time.monotonic()
        if progress == self._latest or (progress.done < progress.total and now < self._next):
            return
        self._next, self._latest = now + PROGRESS_EVERY, progress
        with self._lock:
            self._waiting = (progress, self._attempt())
            if self._at_work is None:
                self._at_work = beside(self._show_waiting)

    def finish(self) -> None:
        """Wait a little until what was told last is shown."""
        with self._lock:
            at_work = self._at_work
        if at_work is not None:
            wait([at_work], PROGRESS_LATE)

    def _show_waiting(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    self._at_work = None
                    return
                (progress, attempt), self._waiting = self._waiting, None
            self._show(progress, attempt)

    def _show(self, progress: Progress, attempt: int | None) -> None:
        if attempt is not None:
            with recording(f"The progress of '{self._name}'"):
                self._run.trace.record_progress(attempt, str(progress))
        share, description = 100.0 * progress.done / max(1, progress.total), as_cell(f"{self._name}: {progress}")
        try:
            if self._artifact is None:
                new = ArtifactCreate(
                    key=self._key, type="progress", description=description, data=share, **self._run_ids
                )
                self._artifact = persistently(lambda client: client.create_artifact(new)).id
            else:
                known, update = self._artifact, ArtifactUpdate(data=share, description=description)
                persistently(lambda client: client.update_artifact(known, update))
        except httpx.HTTPError as error:
            get_run_logger().error("The progress of '%s' is not shown in Prefect: %s", self._name, error)


def show_result(result: TaskResult, task_run_id: UUID | None = None) -> None:
    """The outputs of a task: text as it is, pictures as thumbnails, the address of each."""

    def outputs() -> str:
        parts = [f"Made by {as_cell(result.model)} ({result.endpoint})."]
        parts += [_shown(artifact) for artifact in result.outputs[:MOST_SHOWN]]
        if len(result.outputs) > MOST_SHOWN:
            parts.append(f"and {len(result.outputs) - MOST_SHOWN} more")
        return "\n\n".join(parts)

    _show_text(f"result-{result.task_id}", outputs, f"{result.task_id} · {result.kind}", task_run_id)


def show_answer(response: str, files: Iterable[Artifact], task_run_id: UUID | None = None) -> None:
    """The final answer and where its files are."""
    places = "".join(f"\n- {as_code(get_store().address(artifact))} ({artifact.mime})" for artifact in files)
    text = as_text(response) + (f"\n\nFiles:\n{places}" if places else "")
    _show_text("answer", lambda: text, "The answer", task_run_id)


def show_scores(report: EvaluationReport, earlier: Sequence[tuple[datetime, EvaluationReport]] = ()) -> None:
    """The scores of an evaluation, and under them those of earlier ones over the same dataset."""
    rows = [_scores("this run", report), *(_scores(f"{at:%Y-%m-%d %H:%M} UTC", other) for at, other in earlier)]
    show_table("scores", rows, f"How well {as_cell(report.model)} plans the requests of {as_code(report.dataset)}")


def _scores(when: str, report: EvaluationReport) -> Row:
    return {
        "when": when,
        "controller": report.controller,
        "model": report.model,
        "planner": report.planner_sha256[:8],
        "requests": report.samples,
        "node F1 %": report.node_f1,
        "edge F1 %": report.edge_f1,
        "parameter name F1 %": report.name_f1,
        "parameter value F1 %": report.value_f1,
        "valid plans %": report.valid,
        "median of a plan, s": report.seconds_median,
    }


def show_table(key: str, rows: Sequence[Row], description: str) -> None:
    """A table, a row a dictionary of its columns. One without rows says so in a row of its own.

    The cells are text: Prefect renders Markdown in them. The description is Markdown.
    """
    shown = [{name: as_cell(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]
    shown = shown or [{"": "nothing"}]
    post_artifact(key, "table", description, lambda: json.dumps(shown))


def _show_text(key: str, markdown: Callable[[], str], description: str, task_run_id: UUID | None = None) -> None:
    post_artifact(key, "markdown", description, markdown, task_run_id)


def _shown(artifact: Artifact) -> str:
    address = f"{as_code(get_store().address(artifact))} ({artifact.mime}, {artifact.bytes:,} bytes)"
    if artifact.preview is not None:
        return fence(artifact.preview) + "\n" + address
    if artifact.type is ValueType.IMAGE:
        return f"![{artifact.sha256[:12]}]({_thumbnail(artifact)})\n\n{address}"
    return address


def _thumbnail(artifact: Artifact) -> str:
    value = get_store().get(artifact)
    assert isinstance(value, Image)
    small = value.image.convert("RGB")
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
