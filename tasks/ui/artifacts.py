"""The artifacts in Prefect's UI: plans, choices of models, results, answers, and tables of what flows did."""

import base64
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from uuid import UUID

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.evaluation.report import EvaluationReport
from hugginggpt.experts.drawing import opaque
from hugginggpt.file_links import signed_link
from hugginggpt.media import Image
from hugginggpt.models.card import ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.picture import Box, draw
from hugginggpt.results import TaskResult
from hugginggpt.services import get_store
from hugginggpt.settings import get_settings
from tasks.ui.markdown import as_cell, as_code, as_text, fence
from tasks.ui.posting import post_artifact

THUMBNAIL_PIXELS = 320
MOST_SHOWN = 20

Row = Mapping[str, str | int | float]
"""A row of a table, by its columns."""


def show_plan(plan: Plan) -> None:
    """Show the plan as a graph, and its repairs."""
    boxes = {task.id: Box(task.task, _arguments(task), after=task.dep) for task in plan.tasks}
    graph = (
        _embedded("The plan", "image/svg+xml", draw(boxes).encode())
        if plan.tasks
        else "No task is needed: the controller answers directly."
    )
    repairs = "".join(f"\n- {as_cell(repair)}" for repair in plan.repairs)
    text = graph + (f"\n\nRepaired:\n{repairs}" if repairs else "") + "\n\n" + fence(plan.to_json(), "json")
    _show_text("plan", lambda: text, "The plan")


def show_choice(planned: PlannedTask, choice: ModelChoice, task_run_id: UUID | None = None) -> None:
    """Show the chosen model, the reason and the other candidates, as an artifact of the task run that chose it."""
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


def show_result(result: TaskResult, task_run_id: UUID | None = None) -> None:
    """Show the outputs of a task: text as it is, pictures as thumbnails, and the address of each."""

    def outputs() -> str:
        parts = [f"Made by {as_cell(result.model)} ({result.endpoint})."]
        parts += [_shown(artifact) for artifact in result.outputs[:MOST_SHOWN]]
        if len(result.outputs) > MOST_SHOWN:
            parts.append(f"and {len(result.outputs) - MOST_SHOWN} more")
        return "\n\n".join(parts)

    _show_text(f"result-{result.task_id}", outputs, f"{result.task_id} · {result.kind}", task_run_id)


def show_answer(response: str, files: Iterable[Artifact], task_run_id: UUID | None = None) -> None:
    """Show the answer and its files, so that they can be seen and heard."""
    artifacts = tuple(files)

    def shown() -> str:
        return "\n\n".join([as_text(response), *(_with_link(artifact) for artifact in artifacts)])

    _show_text("answer", shown, "The answer", task_run_id)


def show_scores(report: EvaluationReport, earlier: Sequence[tuple[datetime, EvaluationReport]] = ()) -> None:
    """Show the scores of an evaluation, and below them the scores of earlier evaluations of the same dataset."""
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
    """Show a table; without rows, it says "nothing".

    Args:
        key: its name.
        rows: their cells are text, in which Markdown is escaped.
        description: Markdown.
    """
    shown = [{name: as_cell(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]
    shown = shown or [{"": "nothing"}]
    post_artifact(key, "table", description, lambda: json.dumps(shown))


def _show_text(key: str, markdown: Callable[[], str], description: str, task_run_id: UUID | None = None) -> None:
    post_artifact(key, "markdown", description, markdown, task_run_id)


def _shown(artifact: Artifact) -> str:
    if artifact.preview is not None:
        return fence(artifact.preview) + "\n" + _with_link(artifact)
    if artifact.type is ValueType.IMAGE:
        return f"{_thumbnail(artifact)}\n\n{_with_link(artifact)}"
    return _with_link(artifact)


def _with_link(artifact: Artifact) -> str:
    """Where an artifact is, and a link to it; sound and videos can be played in place."""
    place = f"{as_code(get_store().address(artifact))} ({artifact.mime}, {artifact.bytes:,} bytes)"
    link = signed_link(get_settings().home_dir, artifact.sha256, f"{artifact.type}{artifact.ending}")
    if link is None:
        return place
    player = {ValueType.AUDIO: "audio", ValueType.VIDEO: "video"}.get(artifact.type)
    played = f'<{player} controls src="{escape(link)}"></{player}>\n\n' if player else ""
    return f"{played}[Open]({link}) {place}"


def _thumbnail(artifact: Artifact) -> str:
    value = get_store().get(artifact)
    assert isinstance(value, Image)
    small = opaque(value.image)
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return _embedded(artifact.sha256[:12], "image/jpeg", buffer.getvalue())


def _embedded(name: str, mime: str, data: bytes) -> str:
    return f"![{name}](data:{mime};base64,{base64.b64encode(data).decode()})"


def _arguments(task: PlannedTask) -> str:
    return ", ".join(f"{name}: {value}" for name, value in task.args.items())
