"""How a request stands, in words: what the trace has of it, made into what is shown of it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from apps.cli.text import LINE_CHARS, STARTING, duration
from apps.http.events import Ended, Planned, Progress, Step, StoredFile
from hugginggpt.controller.call import BROKEN_OFF, NO_FURTHER_PLAN, PLAN, REPLAN, RESPOND
from hugginggpt.controller_name import EMBEDDED
from hugginggpt.errors import UsageError, rebuilt
from hugginggpt.preview import Preview
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.settings import get_settings
from hugginggpt.text import counted, one_line
from hugginggpt.trace.file_names import named_files
from hugginggpt.trace.report import report, waited
from hugginggpt.trace.story import RequestTrace, TaskTrace

_SHOWN_SECONDS = 0.05
"""Shorter times would be shown as 0.0 s."""


def progress(
    story: RequestTrace, *, lives: int, since: datetime | None, waits: str, starting: str = STARTING
) -> Progress:
    """How far a request has come.

    Args:
        story: the request.
        lives: how many processes had worked on it before; until the next one does, it is only starting.
        since: when the user, who has waited until now, asked for it; None counts from when it came in to its end.
        waits: how to describe the time in which nothing works on it.
        starting: the headline while it is starting.
    """
    over = story.finished_at is not None
    # A request that has ended has also started, even if that was before the first check.
    begun = over or len(story.lives) > lives
    title = starting if not begun else ending(story, since, waits) if over else headline(story)
    return Progress(headline=title, over=over, steps=steps(story))


def ended(story: RequestTrace, addresses: Mapping[str, str], page: str | None, since: datetime | None) -> Ended:
    """What is shown of a request that has ended.

    Args:
        story: the request.
        addresses: where each of its files is stored, by its SHA-256.
        page: the page of its latest flow run on Prefect's server, if there is one.
        since: as in `progress`.
    """
    return Ended(
        report=report(story, addresses, since=since, until=_until(since)).model_dump(mode="json"),
        refused=isinstance(rebuilt(story.error_type, ""), UsageError),
        form=None if story.options.get("answer_schema") is None else story.response_source == "form",
        files=[
            StoredFile(name=name, artifact=file.artifact.model_dump(mode="json")) for name, file in named_files(story)
        ],
        page=page,
        unused=unused_models(story),
    )


def unused_models(story: RequestTrace) -> list[str]:
    """The models that a request names for a kind or a task which its plan does not have, one sentence each."""
    if story.plan is None:
        return []
    planned = {str(task.id) for task in story.tasks} | {task.task for task in story.tasks}
    named = story.options.get("models") or {}
    return [
        f"--model {what}={model} was not used: the plan has no such task."
        for what, model in named.items()
        if what not in planned
    ]


def planned(preview: Preview) -> Planned:
    """What is shown of a request that was only planned."""
    whole = {
        "plan": preview.plan.to_list(),
        "repairs": list(preview.plan.repairs),
        "obstacles": list(preview.obstacles),
        "offered_kinds": list(preview.kinds),
        "controller": preview.controller.model_dump(),
    }
    return Planned(whole=whole, text=preview.plan.to_json(), controller=str(preview.controller))


def headline(story: RequestTrace) -> str:
    """The stage of a running request, in a few words."""
    again = f" (life {len(story.lives)})" if len(story.lives) > 1 else ""
    if story.status is RequestStatus.QUEUED:
        return "Waiting in line"
    if story.status is RequestStatus.DIED:
        return "Waiting to be continued" if story.in_line else "Stopped"
    if story.plan is None:
        return (
            ("Reading the plan" if story.options.get("plan") is not None else "Planning")
            + again
            + _trouble(story, PLAN)
        )
    if any(task.status is TaskStatus.PLANNED for task in story.tasks):
        return f"Working{again}"
    if _is_replanning(story):
        return f"Planning what is missing{again}{_trouble(story, REPLAN)}"
    return f"Writing the answer{again}{_trouble(story, RESPOND)}"


def _is_replanning(story: RequestTrace) -> bool:
    """Whether the controller is asked for another plan, as it is once a task has failed for good."""
    failed = any(task.status is TaskStatus.FAILED and not task.replaced for task in story.tasks)
    controller = story.controller
    if not failed or story.options.get("plan") is not None or controller is None or controller.server == EMBEDDED:
        return False
    if len(story.earlier_plans) >= get_settings().replanning_rounds:
        return False
    ended = max((task.ended_at for task in story.tasks if task.ended_at is not None), default=story.created_at)
    asked = [call for call in story.controller_calls if call.stage == REPLAN and call.started_at >= ended]
    return not (asked and (asked[-1].error or "").startswith((NO_FURTHER_PLAN, BROKEN_OFF)))


def _trouble(story: RequestTrace, stage: str) -> str:
    """Why the controller is asked again for a purpose, if it is."""
    last = story.controller_calls[-1] if story.controller_calls else None
    if last is None or (last.stage, last.life) != (stage, len(story.lives)):
        return ""
    if not last.error or last.error.startswith((BROKEN_OFF, NO_FURTHER_PLAN)):
        return ""
    error = one_line(last.error, LINE_CHARS)
    status, _, said = error.partition(": ")
    if status.startswith("HTTP "):
        why = f"because the controller's server said '{said}'" if said else f"because of an answer with {status}"
    elif error.startswith("no "):
        why = f"because there was {error}"
    elif error.startswith(("the ", "its ")):
        why = f"because {error}"
    else:
        why = f"after this: {error}"
    return f": trying again, {why}"


def ending(story: RequestTrace, since: datetime | None, waits: str) -> str:
    """How a request ended and how long the user waited, in a few words.

    Args:
        story: the request, which has ended.
        since: as in `progress`.
        waits: how to describe the time in which nothing worked on the request.
    """
    took = waited(story, since, _until(since))
    waiting = f", of which {duration(took.waiting)} {waits}" if took.waiting >= _SHOWN_SECONDS else ""
    calls = story.totals.controller_calls
    asked = f", {counted(calls, 'controller call')}" if calls else ""
    return f"{story.status.value.capitalize()} in {duration(took.seconds)}{waiting}{asked}"


def _until(since: datetime | None) -> datetime | None:
    return None if since is None else datetime.now(UTC)


def steps(story: RequestTrace) -> list[Step]:
    """The tasks of a request, in its plan's order; empty before it is planned."""
    if story.plan is None:
        return []
    return [
        Step(
            name=name(task),
            planned=name(task) + (f", after {', '.join(map(str, task.dep))}" if task.dep else ""),
            status=str(task.status),
            running=task.status is TaskStatus.PLANNED and bool(task.attempts) and task.attempts[-1].status == "running",
            standing=standing(task, story),
        )
        for task in story.tasks
    ]


def name(task: TaskTrace) -> str:
    """A task's id and kind."""
    return f"{task.id} · {task.task}"


def standing(task: TaskTrace, story: RequestTrace) -> str:
    """The state of a task, in a few words."""
    last = task.attempts[-1] if task.attempts else None
    match task.status:
        case TaskStatus.COMPLETED | TaskStatus.CACHED:
            assert task.result is not None
            by = f"{task.result.model} ({task.result.endpoint})"
            by += f", {task.result.undone}" if task.result.undone else ""
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
