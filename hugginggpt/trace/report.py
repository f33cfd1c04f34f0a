"""The object that `ask --json` prints, made from a request's trace."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from hugginggpt.capabilities import ValueType
from hugginggpt.models.card import Endpoint
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.trace.story import RequestTrace, TaskTrace


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class OutputReport(_Frozen):
    """One output of a task.

    Attributes:
        item: element of the task's list, 0 for a task without one.
        part: the sheet, table or page of a document that it is about; None for anything else.
        text: the text itself, or the rendering of a table or structured value, cut to 4000
            characters; None for media.
        path: the file that it was written to, if any.
    """

    item: int
    part: str | None
    type: ValueType
    mime: str
    sha256: str
    bytes: int
    text: str | None
    path: str | None


class TaskReport(_Frozen):
    """One planned task, as JSON output shows it.

    Attributes:
        model: the model that made the result, or else the last one tried; None if none was tried.
        attempts: how many times a model ran for it in this request; 0 if the result came from a cache.
        error: why there is no result, or which elements of a list have none and why.
        replaced: it has none, and a further plan went another way.
    """

    id: int
    task: str
    status: TaskStatus
    model: str | None
    revision: str | None
    endpoint: Endpoint | None
    attempts: int
    seconds: float | None
    error: str | None
    replaced: bool
    outputs: tuple[OutputReport, ...]


class FileReport(_Frozen):
    """One file that was written."""

    path: str
    sha256: str
    mime: str
    bytes: int
    task_id: int


class ControllerReport(_Frozen):
    """The controller of a request, and its calls.

    Attributes:
        model: the model that answered, or will answer; None before the request has begun.
        server: base URL of the model's server, without user and password; `embedded` for the embedded model.
    """

    model: str | None
    server: str | None
    calls: int
    prompt_tokens: int
    completion_tokens: int


class CostReport(_Frozen):
    """What a request has cost.

    Attributes:
        dollars: as far as it is known; None if nothing is.
        estimated: it is partly estimated, because the controller's server does not count tokens.
        unknown: the models that were called elsewhere, and whose costs are not in `dollars`, because nobody knows them.
        most_dollars: what it may cost; None without a ceiling.
    """

    dollars: float | None
    estimated: bool
    unknown: tuple[str, ...]
    most_dollars: float | None


class AnswerReport(_Frozen):
    """A request and all its results, in one object.

    Attributes:
        error: why it failed, or why its answer is the plain rendering; otherwise None.
        notes: what the user should know of how its files were taken, one sentence each.
        seconds: from the request to its answer; where a command reports them, from the start of the command.
        waiting_seconds: of these, the time in which no process worked on it.
    """

    request_id: str
    conversation_id: str
    flow_run_id: str | None
    status: RequestStatus
    response: str | None
    error: str | None
    notes: tuple[str, ...]
    plan: list[dict[str, Any]] | None
    tasks: tuple[TaskReport, ...]
    files: tuple[FileReport, ...]
    seconds: float
    waiting_seconds: float
    controller: ControllerReport
    cost: CostReport


class Waited(NamedTuple):
    """How long a user waited for an answer, in seconds.

    Attributes:
        waiting: of these, the time in which no process worked on the request.
    """

    seconds: float
    waiting: float


def waited(trace: RequestTrace, since: datetime | None = None, until: datetime | None = None) -> Waited:
    """How long a user waited for an answer, and for how much of that no process worked on it.

    Args:
        trace: the request.
        since: when the user asked for the answer; None, or a time after the request's end, means when it was first
            asked.
        until: when the answer was there; None means the request's end.
    """
    end = trace.finished_at or (trace.lives[-1].seen_at if trace.lives else trace.created_at)
    if since is None or since > end:
        since, until = trace.created_at, end
    until = max(since, until or end)
    work = sum(
        max(0.0, (min(until, life.ended_at or until) - max(since, life.started_at)).total_seconds())
        for life in trace.lives
    )
    seconds = (until - since).total_seconds()
    return Waited(round(seconds, 3), round(max(0.0, seconds - work), 3))


def report(
    trace: RequestTrace,
    file_paths: Mapping[str, str | Path],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> AnswerReport:
    """The report of a request.

    Args:
        trace: the request, as `Trace.requests.get` returns it.
        file_paths: where outputs were written to, by the SHA-256 of their contents.
        since: when the user asked for it, as in `waited`.
        until: when its answer was there, as in `waited`.
    """
    took = waited(trace, since, until)
    paths = {sha256: str(path) for sha256, path in file_paths.items()}
    calls = trace.controller_calls
    return AnswerReport(
        request_id=trace.request_id,
        conversation_id=trace.conversation_id,
        flow_run_id=trace.flow_run_id,
        status=trace.status,
        response=trace.response,
        error=trace.error,
        notes=tuple(dict.fromkeys(sentence for resource in trace.resources for sentence in resource.notes)),
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
        seconds=took.seconds,
        waiting_seconds=took.waiting,
        controller=ControllerReport(
            model=trace.controller.model if trace.controller else calls[-1].model if calls else None,
            server=trace.controller.server if trace.controller else None,
            calls=len(calls),
            prompt_tokens=trace.totals.prompt_tokens,
            completion_tokens=trace.totals.completion_tokens,
        ),
        cost=_cost(trace),
    )


def _cost(trace: RequestTrace) -> CostReport:
    spent = trace.totals.cost_microdollars
    return CostReport(
        dollars=None if spent is None else spent / 1e6,
        estimated=trace.totals.estimated,
        unknown=trace.totals.unpriced,
        most_dollars=trace.options.get("max_cost"),
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
        replaced=task.replaced,
        outputs=tuple(
            OutputReport(
                item=item,
                part=element.part or None,
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
