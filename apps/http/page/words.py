"""What the page says, as Markdown."""

import re
from collections.abc import Collection
from html import escape
from urllib.parse import quote

from apps.http.addresses import places_named
from apps.http.events import Step
from apps.http.standing import headline
from apps.http.standing import steps as steps_of
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.file_links import file_path
from hugginggpt.plan.picture import Box, draw
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.text import one_line
from hugginggpt.trace.file_names import named_files
from hugginggpt.trace.story import RequestSummary, RequestTrace, TaskTrace

WELCOME = """### What is to be done?
Write it below, in your own words. Add files, or record your voice. Or try one of these:"""

NO_PLAN_YET = """*Here you will see the plan of your request: its steps, which model does each of them, and how far
they have come.*"""

ABOUT_PLANS = f"""A plan is a JSON list with one step on each line. `"<GENERATED>-0"` stands for the result of step 0,
and a file is called by its name. Change the plan, and run it for the same request and files.

<details><summary>The kinds of step</summary>

{", ".join(f"`{kind}`" for kind in CAPABILITIES)}

</details>"""

STOPPED = (
    "**Interrupted.** The service was stopped while it worked on this. "
    "The request is kept, and goes on when `hugginggpt up` runs again."
)

_MOST_SHOWN = 70
_MARKS = {"completed": "✓", "cached": "✓", "failed": "✗", "skipped": "–"}
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif")
_CODE = re.compile(r"(`[^`\n]+`)")


def question(story: RequestTrace, known: Collection[str]) -> list[str]:
    """What was asked: the text, and the files that came with it.

    Args:
        story: the request.
        known: the ids of the earlier turns, and the hashes of their files.
    """
    sent = [file for file in story.resources if file.source not in known and file.artifact.sha256 not in known]
    files = [_file(resource.name, resource.artifact.sha256, resource.artifact.mime) for resource in sent]
    return [story.text, *(["\n\n".join(files)] if files else [])]


def answer(story: RequestTrace) -> str:
    """An answer, and the files that it shows."""
    said = places_named(story, _link) or story.error or "There is no answer."
    if story.status is RequestStatus.FAILED:
        said = "\n\n".join(filter(None, (f"**Failed.** {story.error or ''}", places_named(story, _link))))
    elif story.status is RequestStatus.CANCELLED:
        said = story.error or "Cancelled."
    elif story.finished_at is None:
        said = "*This request has not ended yet.*"
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
    link = f"[{_plain(name)}]({address})"
    if mime in _PICTURES:
        return f"[![{_plain(name)}]({address})]({address})"
    if mime.startswith("audio/"):
        return f'{link}\n\n<audio controls src="{address}" title="{shown}"></audio>'
    if mime.startswith("video/"):
        return f'{link}\n\n<video controls src="{address}" title="{shown}" width="480"></video>'
    return link


def working(story: RequestTrace) -> str:
    """How far a request has come, in a line."""
    done = sum(task.status in (TaskStatus.COMPLETED, TaskStatus.CACHED) for task in story.tasks)
    return headline(story) + (f" ({done} of {len(story.tasks)} steps done)" if story.tasks else "")


def picture(story: RequestTrace) -> str:
    """The plan as a picture, or why there is none."""
    if story.plan is None:
        return NO_PLAN_YET if story.finished_at is None else "*No plan was made for this request.*"
    if not story.plan.tasks:
        return "*No step was needed for this request.*"
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
    lines = []
    for task, step in zip(story.tasks, steps_of(story), strict=True):
        mark = _MARKS.get(step["status"], "◐" if step["running"] else "○")
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
    """A text in which nothing is Markdown or HTML, apart from code between backticks."""
    return "".join(
        part
        if position % 2
        else "".join(f"\\{character}" if character in "\\`*_{}[]<>()#+!|" else character for character in part)
        for position, part in enumerate(_CODE.split(text))
    )
