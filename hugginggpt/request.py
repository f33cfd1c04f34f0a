"""A request on its way through the stages."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hugginggpt.artifacts import Resource
from hugginggpt.results import RequestStatus


class RequestOptions(BaseModel):
    """How a request is to be answered.

    Attributes:
        plan: a plan in the paper's format, to be run as it is instead of asking the controller.
        fresh: run everything again and replace what the caches hold.
    """

    model_config = ConfigDict(frozen=True)

    plan: list[dict[str, Any]] | None = Field(None, description="A plan to run instead of asking the controller.")
    fresh: bool = Field(False, description="Run everything again instead of taking cached results.")

    @property
    def plan_text(self) -> str | None:
        """The given plan as text."""
        return None if self.plan is None else json.dumps(self.plan)


class Exchange(BaseModel):
    """An earlier turn of the conversation: what was asked and what was answered."""

    model_config = ConfigDict(frozen=True)

    text: str
    response: str


class RequestRun(BaseModel):
    """One life of a request: a process that works on it.

    Attributes:
        life: 1 for the first process, 2 for the one that resumed it, and so on.
        status: RUNNING, or how it had ended before this run came.
        refusal: why the request or its files cannot be accepted, and `refused_by` the class of the error.
        resources: the request's files and the results of earlier turns.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    conversation_id: str
    life: int
    status: RequestStatus
    refusal: str | None = None
    refused_by: str | None = None
    text: str
    options: RequestOptions
    resources: tuple[Resource, ...]
    history: tuple[Exchange, ...]
