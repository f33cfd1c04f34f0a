"""What the trace returns: everything about a request, as data that converts to JSON and back."""

from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from hugginggpt.artifacts import Artifact
from hugginggpt.controller_name import ControllerName
from hugginggpt.models.card import Endpoint, ModelChoice
from hugginggpt.origin import Origin
from hugginggpt.plan import Argument, Plan
from hugginggpt.request import Exchange
from hugginggpt.resource import Resource
from hugginggpt.results import RequestStatus, TaskResult, TaskStatus


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class AskedRequest(_Frozen):
    """A request as the user asked it.

    Attributes:
        resources: its files, already in the store.
        conversation_id: the conversation it continues; None begins a new one.
        options: how it is to be answered, as JSON data.
        request_id: its id, new or known; None to generate one.
        origin: where it came from; requests of the same id are compared without it.
        webhook: the address that is told when it has ended.
    """

    text: str
    resources: tuple[Resource, ...]
    conversation_id: str | None
    options: dict[str, Any]
    request_id: str | None = None
    origin: Origin = Origin()
    webhook: str | None = None


class OpenedRequest(_Frozen):
    """A request that this process may now work on, or that has already ended.

    Attributes:
        life: 1 for the first process that works on it.
        status: RUNNING, or how the request had already ended.
        known: it was already in the trace, and its data comes from there.
    """

    request_id: str
    conversation_id: str
    life: int
    text: str
    resources: tuple[Resource, ...]
    options: dict[str, Any]
    status: RequestStatus
    known: bool


class WaitingRequest(_Frozen):
    """A request that waits for a process to work on it.

    Attributes:
        life: how many processes have worked on it; 0 if none has begun it.
        flow_run_id: Prefect's id of the flow run that died; None if no flow run has begun it.
    """

    request_id: str
    text: str
    life: int
    flow_run_id: str | None


class EndedRun(_Frozen):
    """How the flow run of an ended request ended.

    Attributes:
        ending: of its life: `finished`, `died`, or what a hook reported, such as `cancelled`.
        status: of the request.
        error: of the request, one sentence.
    """

    request_id: str
    ending: str
    status: RequestStatus
    error: str | None


class Life(_Frozen):
    """One process that worked on a request.

    Attributes:
        seen_at: when it last renewed its lease.
        ended_at: when it ended or, if it died, when it was last seen; None while it works.
        ending: `finished`, `died`, or what a hook reported; None while it works.
        controller: the controller that it used; None in rows of older versions.
    """

    life: int
    flow_run_id: str | None
    holder: str
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    ending: str | None
    error: str | None
    controller: ControllerName | None = None

    @property
    def seconds(self) -> float:
        """How long it worked, as far as its lease tells."""
        return ((self.ended_at or self.seen_at) - self.started_at).total_seconds()


class Selection(_Frozen):
    """The model chosen for a task."""

    choice: ModelChoice
    cached: bool
    created_at: datetime


class Attempt(_Frozen):
    """One attempt to run a model for a task.

    Attributes:
        run_count: the orchestrator's count of the task run's tries, from 1.
        status: `running`, `completed`, `failed` or `interrupted`.
        progress: its latest report; None if it reported nothing.
        passing: the failure may be temporary.
        load_seconds: of its seconds, the time until its model was loaded; None if it was loaded already.
        cost_microdollars: millionths of a US dollar that its provider reported; None if it reported nothing.
    """

    life: int
    run_count: int
    model: str
    revision: str | None
    endpoint: Endpoint
    status: str
    progress: str | None
    error: str | None
    error_type: str | None
    passing: bool
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    load_seconds: float | None
    cost_microdollars: int | None


class Answer(NamedTuple):
    """The answer to a request.

    Attributes:
        source: "controller", "results" if the results are the answer, "form" for JSON that keeps to a schema, "fixed"
            for a fixed text, or "plain" for the plain rendering of the facts.
    """

    text: str
    source: str


class AttemptEnd(NamedTuple):
    """An attempt that completed.

    Attributes:
        attempt_id: as `RunTrace.start_attempt` returns it.
        load_seconds: of its seconds, the time until its model was loaded; None if it was loaded already.
    """

    attempt_id: int
    seconds: float
    load_seconds: float | None


class TaskTrace(_Frozen):
    """One planned task as the trace has it: the model that did it, why that one, when, and the result.

    Attributes:
        replaced: a later version of the plan goes another way.
    """

    id: int
    task: str
    args: dict[str, Argument]
    dep: tuple[int, ...]
    status: TaskStatus
    error: str | None
    cached: bool
    seconds: float | None
    started_at: datetime | None
    ended_at: datetime | None
    prefect_task_run_id: str | None
    selection: Selection | None
    attempts: tuple[Attempt, ...]
    result: TaskResult | None
    replaced: bool

    @property
    def outputs(self) -> tuple[Artifact, ...]:
        """Every output, in order."""
        return self.result.outputs if self.result else ()


class CallTrace(_Frozen):
    """One call to the controller, whether it succeeded or not.

    Attributes:
        estimated: tokens and cost are estimated, because the server does not count.
        thoughts: what the model thought aloud, from the beginning; None if it did not.
    """

    life: int
    task_id: int | None
    stage: str
    prompt_name: str
    prompt_sha256: str
    model: str
    attempt: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cost_microdollars: int | None
    estimated: bool
    error: str | None
    thoughts: str | None
    started_at: datetime


class OutputFile(_Frozen):
    """One output of one task, with its position in the task's result."""

    task_id: int
    item: int
    position: int
    artifact: Artifact


class Totals(_Frozen):
    """Sums over a request.

    Attributes:
        seconds: how long processes worked on it, without the time between a death and a resume.
        cost_microdollars: millionths of a US dollar, as far as they are known; None if nothing is.
        estimated: tokens and cost are partly estimated, because the controller's server does not count.
        unpriced: the models that were called elsewhere, and whose costs nobody knows.
    """

    seconds: float
    controller_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_microdollars: int | None
    estimated: bool
    unpriced: tuple[str, ...] = ()


class RequestTrace(_Frozen):
    """Everything that happened for one request.

    Attributes:
        door: the way in that it took; None in rows of older versions.
        key_name: name of its client's key; None for the owner of the home folder.
        in_line: whether another process continues it if the one at work dies.
        plan: its latest version.
        earlier_plans: the versions that were given up because tasks failed for good, oldest first.
        tasks: those of every version.
    """

    request_id: str
    conversation_id: str
    text: str
    options: dict[str, Any]
    resources: tuple[Resource, ...]
    status: RequestStatus
    response: str | None
    response_source: str | None
    error: str | None
    error_type: str | None
    door: str | None
    key_name: str | None
    in_line: bool
    created_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    lives: tuple[Life, ...]
    plan: Plan | None
    earlier_plans: tuple[Plan, ...]
    plan_source: str | None
    tasks: tuple[TaskTrace, ...]
    controller_calls: tuple[CallTrace, ...]
    files: tuple[OutputFile, ...]
    totals: Totals

    @property
    def flow_run_id(self) -> str | None:
        """Prefect's id of the last flow run that worked on it."""
        return self.lives[-1].flow_run_id if self.lives else None

    @property
    def controller(self) -> ControllerName | None:
        """The controller that answered it, or will answer it; None before it has begun."""
        return self.lives[-1].controller if self.lives else None


class RequestSummary(_Frozen):
    """A short summary of a request.

    Attributes:
        door: the way in that it took; None in rows of older versions.
        tasks: how many tasks its plan has; `tasks_done` of them have a result.
    """

    request_id: str
    conversation_id: str
    text: str
    status: RequestStatus
    response: str | None
    error: str | None
    door: str | None
    created_at: datetime
    finished_at: datetime | None
    lives: int
    tasks: int
    tasks_done: int


class Turn(_Frozen):
    """An earlier, finished request of a conversation, as history for the next one.

    Attributes:
        exchange: its text and answer, its plan, and the names of its results.
        resources: its tasks' outputs, under these names, which are unique in the conversation.
        files: the files that the request itself came with.
    """

    request_id: str
    exchange: Exchange
    resources: tuple[Resource, ...]
    files: tuple[Resource, ...]
