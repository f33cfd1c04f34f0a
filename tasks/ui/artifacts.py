"""The artifacts in Prefect's UI: plans, choices of models, results, answers, and tables of what flows did."""

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from uuid import UUID

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.evaluation.report import EvaluationReport
from hugginggpt.experts.drawing import opaque
from hugginggpt.file_links import page_link, signed_link
from hugginggpt.media import Image
from hugginggpt.models.card import ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.picture import Box, draw
from hugginggpt.results import TaskResult, TaskStatus
from hugginggpt.services import get_store
from hugginggpt.settings import get_settings
from hugginggpt.trace.story import RequestTrace, TaskTrace
from tasks.ui.answer import names_of_files
from tasks.ui.markdown import as_cell, as_code, as_link, as_text, fence
from tasks.ui.posting import post_artifact

THUMBNAIL_PIXELS = 320
MOST_SHOWN = 20

Row = Mapping[str, str | int | float]
"""A row of a table, by its columns."""


def show_plan(plan: Plan) -> None:
    """Show the plan as a graph, and its repairs."""
    _show_plan(plan, {task.id: Box(task.task, _arguments(task), after=task.dep) for task in plan.tasks})


def show_how_it_went(story: RequestTrace) -> None:
    """Show how the tasks of the plan ended, in place of the plan."""
    if story.plan is None or not story.plan.tasks:
        return
    ended = {task.id: task for task in story.tasks}
    _show_plan(story.plan, {task.id: _ended(task, ended.get(task.id)) for task in story.plan.tasks})


def _show_plan(plan: Plan, boxes: Mapping[int, Box]) -> None:
    def shown() -> str:
        graph = (
            _embedded("The plan", "image/svg+xml", draw(boxes).encode())
            if boxes
            else "No task is needed: the controller answers directly."
        )
        repairs = "".join(f"\n- {as_cell(repair)}" for repair in plan.repairs)
        return graph + (f"\n\nRepaired:\n{repairs}" if repairs else "") + "\n\n" + fence(plan.to_json(), "json")

    post_artifact("plan", "markdown", "The plan", shown, version=plan.version)


def _ended(planned: PlannedTask, ended: TaskTrace | None) -> Box:
    """A task of the plan with how it ended."""
    if ended is None or ended.status is TaskStatus.PLANNED:
        return Box(planned.task, _arguments(planned), after=planned.dep)
    if ended.result is None:
        return Box(planned.task, ended.error or "", str(ended.status), planned.dep)
    return Box(planned.task, ended.result.undone or ended.result.model, "done", planned.dep)


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
    """Show the outputs of a task: text as it is, pictures as thumbnails, and a link to each."""

    def outputs() -> str:
        shown = [*enumerate(result.outputs)][:MOST_SHOWN]
        parts = [f"Made by {as_cell(result.model)} ({result.endpoint})."]
        parts += [_shown(artifact, _name(result, number)) for number, artifact in shown]
        if len(result.outputs) > MOST_SHOWN:
            parts.append(f"and {len(result.outputs) - MOST_SHOWN} more")
        return "\n\n".join(parts)

    _show_text(f"result-{result.task_id}", outputs, f"{result.task_id} · {result.kind}", task_run_id)


def show_answer(said: str, story: RequestTrace, task_run_id: UUID | None = None) -> None:
    """Show the answer and its files, so that they can be seen and heard, and the way to the page.

    Args:
        said: the answer, with the names of its files, or why there is none.
        story: the request.
        task_run_id: the task run that wrote it.
    """

    def shown() -> str:
        names = names_of_files(story)
        files = {file.artifact.sha256: file.artifact for file in story.files}
        links = [
            _with_link(files[sha256], name)
            for sha256, name in names.items()
            if files[sha256].preview is None or name in said
        ]
        page = page_link(get_settings().home_dir)
        return "\n\n".join([as_text(said), *links, *([as_link("HuggingGPT", page)] if page else [])])

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


def _name(result: TaskResult, number: int) -> str:
    """What an output of a task is called; the names in the answer also tell from which file it comes."""
    artifact = result.outputs[number]
    noun = "-".join(CAPABILITIES[result.kind].result_of(artifact.type).split())
    return f"{noun}-{number + 1}{artifact.ending}" if len(result.outputs) > 1 else f"{noun}{artifact.ending}"


def _shown(artifact: Artifact, name: str) -> str:
    if artifact.preview is not None:
        return fence(artifact.preview) + "\n" + _with_link(artifact, name)
    if artifact.type is ValueType.IMAGE:
        return f"{_thumbnail(artifact)}\n\n{_with_link(artifact, name)}"
    return _with_link(artifact, name)


def _with_link(artifact: Artifact, name: str) -> str:
    """The name of a file and, while the service is up, a link to it; sound and videos can be played in place."""
    size = f"({artifact.mime}, {artifact.bytes:,} bytes)"
    link = signed_link(get_settings().home_dir, artifact.sha256, name)
    if link is None:
        return f"{as_code(name)} {size}"
    player = {ValueType.AUDIO: "audio", ValueType.VIDEO: "video"}.get(artifact.type)
    played = f'<{player} controls src="{escape(link)}"></{player}>\n\n' if player else ""
    return f"{played}{as_link(name, link)} {size}"


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
