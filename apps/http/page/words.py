"""What the page says, as Markdown."""

from html import escape
from urllib.parse import quote

from apps.http.addresses import places_named
from apps.http.events import Progress, Step
from apps.http.standing import steps as steps_of
from hugginggpt.file_links import file_path
from hugginggpt.plan.picture import Box, draw
from hugginggpt.results import TaskStatus
from hugginggpt.text import one_line
from hugginggpt.trace.file_names import named_files
from hugginggpt.trace.story import RequestSummary, RequestTrace, TaskTrace

_MOST_SHOWN = 70
_MARKS = {"completed": "✓", "cached": "✓", "failed": "✗", "skipped": "–"}


def answer(story: RequestTrace) -> str:
    """An answer, and the files that it shows."""
    said = places_named(story, _link) or story.error or "There is no answer."
    if story.status in ("failed", "cancelled"):
        said = f"**{story.status.capitalize()}.** {story.error or said}"
    notes = dict.fromkeys(note for resource in story.resources for note in resource.notes)
    parts = [
        said,
        *(
            _file(name + file.artifact.ending, file.artifact.sha256, file.artifact.mime)
            for name, file in named_files(story)
        ),
    ]
    if notes:
        parts.append("\n".join(f"> {note}" for note in notes))
    return "\n\n".join(part for part in parts if part)


def _link(sha256: str, name: str) -> str:
    return f"[{escape(name)}]({file_path(sha256, name)})"


def _file(name: str, sha256: str, mime: str) -> str:
    address = file_path(sha256, name)
    shown = escape(name, quote=True)
    if mime.startswith("image/"):
        return f"![{shown}]({address})"
    if mime.startswith("audio/"):
        return f'<audio controls src="{address}" title="{shown}"></audio>'
    if mime.startswith("video/"):
        return f'<video controls src="{address}" title="{shown}" width="480"></video>'
    return f"[{shown}]({address})"


def working(progress: Progress) -> str:
    """How far a request has come, in a line."""
    steps = progress["steps"]
    done = sum(step["status"] in ("completed", "cached") for step in steps)
    return progress["headline"] + (f" ({done} of {len(steps)} steps done)" if steps else "")


def picture(story: RequestTrace) -> str:
    """The plan as a picture."""
    if story.plan is None or not story.plan.tasks:
        return ""
    planned = {task.id for task in story.tasks if not task.replaced}
    boxes = {
        task.id: Box(task.task, step["standing"], _state(task, step), tuple(k for k in task.dep if k in planned))
        for task, step in zip(story.tasks, steps_of(story), strict=True)
        if task.id in planned
    }
    return f"![The plan](data:image/svg+xml,{quote(draw(boxes))})"


def _state(task: TaskTrace, step: Step) -> str:
    if task.status in (TaskStatus.COMPLETED, TaskStatus.CACHED):
        return "done"
    if task.status is TaskStatus.PLANNED:
        return "running" if step["running"] else "planned"
    return str(task.status)


def steps(story: RequestTrace) -> str:
    """Each step, its model, and why that one."""
    if not story.tasks:
        return "There is no plan yet." if story.finished_at is None else "No step was needed."
    lines = []
    for task, step in zip(story.tasks, steps_of(story), strict=True):
        mark = _MARKS.get(step["status"], "○")
        lines.append(f"**{mark} {step['name']}**: {_plain(step['standing'])}")
        if task.selection is not None:
            choice = task.selection.choice
            others = ", ".join(f"`{other.card.id}`" for other in choice.alternatives[:3])
            lines.append(f"- Model: `{choice.chosen.card.id}` ({choice.chosen.endpoint}). {_plain(choice.reason)}")
            if others:
                lines.append(f"- Next would be {others}.")
    return "\n".join(lines).replace("\n**", "\n\n**")


def earlier(summary: RequestSummary) -> str:
    """An earlier request, in a line."""
    return f"{one_line(summary.text, _MOST_SHOWN)} ({summary.status}, {summary.created_at:%Y-%m-%d %H:%M})"


def _plain(text: str) -> str:
    """A text in which nothing is Markdown or HTML."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>()#+!|" else character for character in text)
