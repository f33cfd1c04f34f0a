"""The object that `ask --json` prints, made from a request's trace."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from hugginggpt.capabilities import ValueType
from hugginggpt.catalog.card import Endpoint
from hugginggpt.trace.story import RequestTrace, StoryStatus, TaskStage, TaskTrace


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class OutputReport(_Frozen):
    """One output of a task.

    Attributes:
        item: element of the task's list, 0 for a task without one.
        text: the text itself, or the rendering of a table or structured value, cut to 4000
            characters; None for media.
        path: the file it was written to; None when it was not.
    """

    item: int
    type: ValueType
    mime: str
    sha256: str
    bytes: int
    text: str | None
    path: str | None


class TaskReport(_Frozen):
    """One planned task.

    Attributes:
        model: the model that made the result, or was tried last; None when none was.
        attempts: how often a model ran for it in this request; 0 when the result came from a cache.
        error: why there is no result, or which elements of a list have none.
    """

    id: int
    task: str
    status: TaskStage
    model: str | None
    revision: str | None
    endpoint: Endpoint | None
    attempts: int
    seconds: float | None
    error: str | None
    outputs: tuple[OutputReport, ...]


class FileReport(_Frozen):
    """One file that was written."""

    path: str
    sha256: str
    mime: str
    bytes: int
    task_id: int


class ControllerReport(_Frozen):
    """What the controller did. `model` is None when it was not called."""

    model: str | None
    calls: int
    prompt_tokens: int
    completion_tokens: int


class AnswerReport(_Frozen):
    """A request and all that came of it, in one object.

    Attributes:
        error: why it failed or, of a partial one, why its answer is the plain rendering; else None.
    """

    request_id: str
    conversation_id: str
    flow_run_id: str | None
    status: StoryStatus
    response: str | None
    error: str | None
    plan: list[dict[str, Any]] | None
    tasks: tuple[TaskReport, ...]
    files: tuple[FileReport, ...]
    seconds: float
    controller: ControllerReport


def report(trace: RequestTrace, file_paths: Mapping[str, str | Path]) -> AnswerReport:
    """The report of a request.

    Args:
        trace: the request, as `Trace.request` gives it.
        file_paths: where outputs were written to, by the SHA-256 of their contents.
    """
    paths = {sha256: str(path) for sha256, path in file_paths.items()}
    calls = trace.controller_calls
    return AnswerReport(
        request_id=trace.request_id,
        conversation_id=trace.conversation_id,
        flow_run_id=trace.flow_run_id,
        status=trace.status,
        response=trace.response,
        error=trace.error,
        plan=trace.plan.to_list() if trace.plan is not None else None,
        tasks=tuple(_task(task, paths) for task in trace.tasks),
        files=tuple(
            FileReport(
                path=paths[output.artifact.sha256],
                sha256=output.artifact.sha256,
                mime=output.artifact.mime,
                bytes=output.artifact.bytes,
                task_id=output.task_id,
            )
            for output in trace.files
            if output.artifact.sha256 in paths
        ),
        seconds=trace.totals.seconds,
        controller=ControllerReport(
            model=calls[-1].model if calls else None,
            calls=len(calls),
            prompt_tokens=trace.totals.prompt_tokens,
            completion_tokens=trace.totals.completion_tokens,
        ),
    )


def _task(task: TaskTrace, paths: Mapping[str, str]) -> TaskReport:
    done = task.result or (task.attempts[-1] if task.attempts else None)
    return TaskReport(
        id=task.id,
        task=task.task,
        status=task.status,
        model=done.model if done else None,
        revision=done.revision if done else None,
        endpoint=done.endpoint if done else None,
        attempts=len(task.attempts),
        seconds=task.seconds,
        error=task.error or _missing_elements(task),
        outputs=tuple(
            OutputReport(
                item=item,
                type=artifact.type,
                mime=artifact.mime,
                sha256=artifact.sha256,
                bytes=artifact.bytes,
                text=artifact.preview,
                path=paths.get(artifact.sha256),
            )
            for item, element in enumerate(task.result.items if task.result else ())
            for artifact in element.outputs
        ),
    )


def _missing_elements(task: TaskTrace) -> str | None:
    items = task.result.items if task.result else ()
    return " ".join(f"Element {n}: {item.error}" for n, item in enumerate(items) if item.error) or None
