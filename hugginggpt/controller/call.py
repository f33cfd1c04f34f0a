"""One call to the controller: how the answer is sampled, and what the trace keeps of each attempt."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Sampling:
    """How the answer is drawn.

    Attributes:
        temperature: 0 for the most likely answer.
        seed: ignored by servers that take none.
    """

    temperature: float = 0.0
    seed: int | None = None


LIKELIEST = Sampling()

PLAN, REPLAN, SELECT, RESPOND = "plan", "replan", "select", "respond"
"""The purposes of calls, besides the kinds of text tasks."""


BROKEN_OFF = "broken off"
"""How the error begins of a call that this process stopped, so that no other attempt follows."""


NO_FURTHER_PLAN = "no further plan"
"""How the error begins of a call that was to plan the rest anew, after which it is not planned anew."""


class ControllerCall(BaseModel):
    """One attempt at one call, as the trace keeps it.

    Attributes:
        stage: the purpose: "plan", "replan", "select", "respond", or the kind of a text task.
        attempt: 1 for the first attempt at a call.
        cost_microdollars: millionths of a US dollar; None if nobody knows.
        estimated: tokens and cost are estimated from the length of the texts, because the server did not say.
        error: why there was no usable reply.
        thoughts: what the model thought aloud, from the beginning; None if it did not.
        started_at: in UTC.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    prompt_name: str
    prompt_sha256: str
    model: str
    attempt: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float
    cost_microdollars: int | None = None
    estimated: bool = False
    error: str | None = None
    thoughts: str | None = None
    started_at: datetime


Recorder = Callable[[ControllerCall], None]
