"""The results and statuses of planned tasks and requests."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import Input
from hugginggpt.models.card import Endpoint
from hugginggpt.plan import PlannedTask

LONG_TEXT = 2000
"""Characters of a text that an answer shows; a longer one is shown as a file, too."""

SPOKEN_TEXT = 500
"""Characters that an answer shows of a text that is also spoken, unless the request asks for the text itself."""


class TaskStatus(StrEnum):
    """The status of a planned task: PLANNED until it has ended."""

    PLANNED = "planned"
    COMPLETED = "completed"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"


class RequestStatus(StrEnum):
    """The status of a request: QUEUED until a process begins it, RUNNING until it has ended.

    DIED is never stored: the trace shows it for a request that is RUNNING although its process is gone.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DIED = "died"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ItemResult(BaseModel):
    """The outputs for one element of a task's input, or why there are none.

    Attributes:
        part: what a user calls the sheet, table or page of a document that the element is; "" for anything else.
    """

    model_config = ConfigDict(frozen=True)

    outputs: tuple[Artifact, ...] = ()
    error: str | None = None
    part: str = ""

    def output_for(self, wanted: Input) -> Artifact | None:
        """The output that fits an input best: one of the input's type, or else one that it accepts."""
        exact = next((a for a in self.outputs if a.type is wanted.type), None)
        return exact or next((a for a in self.outputs if wanted.accepts(a.type)), None)


class TaskResult(BaseModel):
    """The result of one planned task: the same whether it was computed, cached or recovered.

    Attributes:
        items: one element per element of its input; exactly one unless `is_list`.
        first_page: the elements are pages of one document, from this one on, so that their texts are one text; 0 for
            anything else.
        model: id of the model that made it.
        seconds: how long the successful attempt took.
    """

    model_config = ConfigDict(frozen=True)

    task_id: int
    kind: str
    items: tuple[ItemResult, ...]
    is_list: bool = False
    first_page: int = 0
    model: str
    revision: str | None
    endpoint: Endpoint
    seconds: float = 0.0
    seed: int | None = None

    @property
    def outputs(self) -> tuple[Artifact, ...]:
        """Every output of every element, in order."""
        return tuple(a for item in self.items for a in item.outputs)

    @property
    def undone(self) -> str:
        """How many elements of a list have no result, in a few words; empty if all have one."""
        failed = sum(item.error is not None for item in self.items)
        return f"{failed} of {len(self.items)} not done" if failed else ""


class TaskOutcome(BaseModel):
    """How a planned task ended, as the flow passes it on to the answer and to the trace.

    Attributes:
        result: None if the task failed or was skipped; `error` then says why.
        obstacle: why a skipped task could not have run either.
        recovered: an earlier life of the request made the result, and its records stay in the trace.
        files: address of each output to show as a file, by its SHA-256: media and long texts.
    """

    model_config = ConfigDict(frozen=True)

    planned: PlannedTask
    status: TaskStatus
    result: TaskResult | None = None
    error: str | None = None
    obstacle: str | None = None
    recovered: bool = False
    files: Mapping[str, str] = {}
    ended_at: datetime | None = None
    prefect_task_run_id: str | None = None
