"""What the Prefect UI shows: artifacts for a plan, choices, media and the answer, and tables of what else was done."""

import base64
import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.catalog.card import ModelChoice
from hugginggpt.evaluation.report import EvaluationReport
from hugginggpt.media import Image
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.progress import Progress
from hugginggpt.results import TaskResult
from hugginggpt.services import get_store, get_trace
from hugginggpt.text import one_line
from tasks.markdown import as_cell, as_code, as_label, as_text, fence
from tasks.policies import recording

THUMBNAIL_PIXELS = 320
MOST_SHOWN = 20
PROGRESS_EVERY = 1.0
"""Seconds between two looks at how far a task is."""

Row = Mapping[str, str | int | float]
"""A row of a table, by its columns."""


def run_name(text: str) -> str:
    """What a flow run is called that answers a request: how the request begins."""
    return one_line(text)[:80] or "resumed request"


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
        _poster.submit(copy_context().run, _tag, flow_run_id, tags)


def _tag(flow_run_id: str, tags: list[str]) -> None:
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(flow_run_id), tags=tags)
    except Exception:  # A request does not fail because it cannot be shown.
        get_run_logger().warning("The flow run could not be tagged in Prefect.", exc_info=True)


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


def show_choice(planned: PlannedTask, choice: ModelChoice) -> None:
    """The chosen model and why, and the candidates behind it."""
    rows = "".join(
        f"\n| {place} | {as_cell(c.card.id)} | {c.endpoint} | {c.card.downloads:,} | {as_cell(c.card.description)} |"
        for place, c in enumerate(choice.ranked, 1)
    )
    text = (
        f"**{as_cell(choice.chosen.card.id)}** ({choice.chosen.endpoint}), chosen by the {choice.chosen_by}: "
        f"{as_cell(choice.reason)}\n\n"
        f"| | model | endpoint | downloads | |\n| --- | --- | --- | --- | --- |{rows}"
    )
    _show_text(f"model-{planned.id}", lambda: text, f"Model for {planned.name}")


class ProgressShown:
    """Shows how far a task is, in its trace and as a progress artifact: what listens to `hugginggpt.progress`.

    Args:
        planned: the task.
        attempt: names the attempt at work in the trace; None if it could not be recorded.
    """

    def __init__(self, planned: PlannedTask, attempt: Callable[[], int | None]) -> None:
        self._key, self._name = f"progress-{planned.id}", planned.name
        self._attempt = attempt
        self._artifact: UUID | None = None
        self._next = 0.0
        self._latest: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        """Show it, the end always and what is on the way once a second at most."""
        now = time.monotonic()
        if progress == self._latest or (progress.done < progress.total and now < self._next):
            return
        self._next, self._latest = now + PROGRESS_EVERY, progress
        _poster.submit(copy_context().run, self._post, progress, self._attempt())

    def _post(self, progress: Progress, attempt: int | None) -> None:
        if attempt is not None:
            with recording(f"The progress of '{self._name}'"):
                get_trace().record_progress(attempt, str(progress))
        share, description = 100.0 * progress.done / max(1, progress.total), as_cell(f"{self._name}: {progress}")
        try:
            if self._artifact is None:
                # Outside an event loop the call is done when it returns.
                self._artifact = cast(UUID, create_progress_artifact(share, key=self._key, description=description))
            else:
                update_progress_artifact(self._artifact, share, description=description)
        except Exception:  # A request does not fail because it cannot be shown.
            get_run_logger().warning("The progress of '%s' could not be shown in Prefect.", self._name, exc_info=True)


def show_result(result: TaskResult) -> None:
    """The outputs of a task: text as it is, pictures as thumbnails, the address of each."""

    def outputs() -> str:
        parts = [f"Made by {as_cell(result.model)} ({result.endpoint})."]
        parts += [_shown(artifact) for artifact in result.outputs[:MOST_SHOWN]]
        if len(result.outputs) > MOST_SHOWN:
            parts.append(f"and {len(result.outputs) - MOST_SHOWN} more")
        return "\n\n".join(parts)

    _show_text(f"result-{result.task_id}", outputs, f"{result.task_id} · {result.kind}")


def show_answer(response: str, files: Iterable[Artifact]) -> None:
    """The final answer and where its files are."""
    places = "".join(f"\n- {as_code(get_store().address(artifact))} ({artifact.mime})" for artifact in files)
    text = as_text(response) + (f"\n\nFiles:\n{places}" if places else "")
    _show_text("answer", lambda: text, "The answer")


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
    _show(key, lambda: create_table_artifact(table=shown, key=key, description=description))


def finish_showing() -> None:
    """Wait until everything that was to be shown is on Prefect's server."""
    _poster.submit(lambda: None).result()


# A server on SQLite answers "try again in 2 s" now and then, which nobody's task has to wait for.
_poster = ThreadPoolExecutor(max_workers=1, thread_name_prefix="show")


def _show_text(key: str, markdown: Callable[[], str], description: str) -> None:
    _show(key, lambda: create_markdown_artifact(markdown=markdown(), key=key, description=description))


def _show(key: str, create: Callable[[], object]) -> None:
    """Have an artifact created for the run in whose context this is called."""
    _poster.submit(copy_context().run, _post, key, create)


def _post(key: str, create: Callable[[], object]) -> None:
    try:
        create()
    except Exception:  # A request does not fail because it cannot be shown.
        get_run_logger().warning("The artifact '%s' could not be shown in Prefect.", key, exc_info=True)


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
