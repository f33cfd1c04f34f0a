"""Small plans, choices and results to record."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.call import ControllerCall
from hugginggpt.errors import rebuilt
from hugginggpt.holder import holder_name
from hugginggpt.models.card import Candidate, Endpoint, ModelCard, ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.resource import Resource
from hugginggpt.results import ItemResult, RequestStatus, TaskOutcome, TaskResult, TaskStatus
from hugginggpt.trace.recording import RunTrace
from hugginggpt.trace.store import Trace
from hugginggpt.trace.story import Answer, AskedRequest, OpenedRequest
from hugginggpt.trace.tables import ExpertRunRow

PLAN = Plan(
    tasks=(
        PlannedTask(task="image-to-text", id=0, args={"image": "invoice.png"}),
        PlannedTask(task="text-to-speech", id=1, dep=(0,), args={"text": "The total is <GENERATED>-0"}),
        PlannedTask(
            task="zero-shot-classification", id=2, dep=(0,), args={"text": "<GENERATED>-0", "labels": ["a", "b"]}
        ),
    ),
    repairs=("Task 1 had no dep.",),
)


def artifact(text: str, type: ValueType = ValueType.TEXT, mime: str = "text/plain") -> Artifact:
    data = text.encode("utf-8", "replace")
    preview = text if type is ValueType.TEXT else None
    return Artifact(sha256=hashlib.sha256(data).hexdigest(), type=type, mime=mime, bytes=len(data), preview=preview)


INVOICE = Resource(
    name="invoice.png", artifact=artifact("picture", ValueType.IMAGE, "image/png"), source="/home/ada/invoice.png"
)


def candidate(
    name: str = "rapidocr", endpoint: Endpoint = Endpoint.EMBEDDED, revision: str | None = "3.10"
) -> Candidate:
    card = ModelCard(id=name, kind="image-to-text", revision=revision, downloads=12, runs_on=(endpoint,))
    return Candidate(card=card, endpoint=endpoint, installed=True)


def choice(*names: str) -> ModelChoice:
    chosen, *rest = map(candidate, names or ("rapidocr", "other/ocr"))
    return ModelChoice(
        kind="image-to-text", chosen=chosen, reason="It reads print.", chosen_by="ranking", alternatives=tuple(rest)
    )


def result(task_id: int = 0, *texts: str, model: str = "rapidocr") -> TaskResult:
    return TaskResult(
        task_id=task_id,
        kind=PLAN.task(task_id).task,
        items=tuple(ItemResult(outputs=(artifact(text),)) for text in texts or ("TOTAL 12.50",)),
        is_list=len(texts) > 1,
        model=model,
        revision="3.10",
        endpoint=Endpoint.EMBEDDED,
        seconds=1.25,
    )


def outcome(task_id: int, status: TaskStatus = TaskStatus.COMPLETED, **values: Any) -> TaskOutcome:
    planned = next((task for task in PLAN.tasks if task.id == task_id), PlannedTask(task="image-to-text", id=task_id))
    return TaskOutcome(planned=planned, status=status, **values)


def call(stage: str = "plan", **changes: Any) -> ControllerCall:
    values = {
        "stage": stage,
        "prompt_name": stage,
        "prompt_sha256": "ab" * 32,
        "model": "gpt-4o-mini",
        "attempt": 1,
        "prompt_tokens": 700,
        "completion_tokens": 50,
        "seconds": 0.5,
        "cost_microdollars": 135,
        "started_at": datetime.now(UTC),
    }
    return ControllerCall(**(values | changes))


def begin(trace: Trace, **changes: Any) -> OpenedRequest:
    """Open a request; a new one unless told otherwise."""
    values: dict[str, Any] = {
        "text": "What is the total?",
        "resources": [INVOICE],
        "conversation_id": None,
        "options": {"fresh": False},
        "request_id": None,
        "holder": holder_name(),
        "lease_seconds": 60.0,
    } | changes
    asked = AskedRequest(**{name: values.pop(name) for name in AskedRequest.model_fields if name in values})
    return trace.lifecycle.open(asked, **values)


def planned(trace: Trace, **changes: Any) -> OpenedRequest:
    """Open a request and give it a plan."""
    opened = begin(trace, **changes)
    trace.run(opened.request_id, opened.life).record_plan(PLAN, "controller")
    return opened


def run_of(trace: Trace, request_id: str, life: int | None = None) -> RunTrace:
    """What a life of a request records: the latest one unless told otherwise."""
    if life is None:
        life = max((each.life for each in trace.requests.get(request_id).lives), default=1)
    return trace.run(request_id, life)


def run_of_attempt(trace: Trace, attempt_id: int) -> RunTrace:
    """What the life records that the attempt belongs to."""
    with trace._database.reading() as session:
        attempt = session.get_one(ExpertRunRow, attempt_id)
        return trace.run(attempt.request_id, attempt.life)


def finish(trace: Trace, request_id: str, **changes: Any) -> None:
    """End a request; completed unless told otherwise."""
    values: dict[str, Any] = {
        "status": RequestStatus.COMPLETED,
        "response": "The total is 12.50.",
        "response_source": "controller",
        "error": None,
        "error_type": None,
        "outcomes": (),
        "life": None,
    } | changes
    run_of(trace, request_id, values["life"]).finish(
        values["status"],
        None if values["response"] is None else Answer(values["response"], values["response_source"]),
        None if values["error"] is None else rebuilt(values["error_type"], values["error"]),
        values["outcomes"],
    )
