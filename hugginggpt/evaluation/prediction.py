"""One prediction: the plan that a controller makes for a sample, and its cost in time and tokens."""

import contextlib
import re
import time
from collections.abc import Collection

from pydantic import BaseModel, ConfigDict

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.call import ControllerCall
from hugginggpt.controller.client import Controller, Slot
from hugginggpt.controller.planning import Checks, plan_request
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, HuggingGPTError, PassingError, error_class
from hugginggpt.evaluation.datasets import Sample
from hugginggpt.plan import Plan

_CHECK_SECONDS = 60.0
"""Seconds for a controller to show that it works after planning has used up its own time."""
_ENOUGH = 8
"""How many failures for the same reason show that it is not one of the request."""


class Prediction(BaseModel):
    """The result of planning a sample.

    Attributes:
        position: the sample's position in the dataset.
        plan: None if there is no valid plan; then `error` says why and `error_type` is the error's class.
        seconds: from the request to the plan, including correction and waiting; those of the second try if the first
            failed temporarily.
        calls: calls to the controller, including failed ones.
    """

    model_config = ConfigDict(frozen=True)

    position: int
    sample_id: str
    request: str
    plan: Plan | None
    error: str | None = None
    error_type: str | None = None
    seconds: float
    calls: int
    prompt_tokens: int
    completion_tokens: int


def common_failure(predictions: Collection[Prediction], samples: int) -> str | None:
    """The reason for which every plan failed because of the controller's server; None if there is not one alone.

    Args:
        predictions: those made so far.
        samples: how many there will be.
    """
    # Waits and tokens differ from one sample to the next.
    reasons = {(made.error_type, re.sub(r"\d+", "#", made.error or "")): made.error for made in predictions}
    if len(predictions) < min(_ENOUGH, samples) or len(reasons) != 1:
        return None
    (((kind, _), reason),) = reasons.items()
    failed = error_class(kind)
    return reason if failed is not None and issubclass(failed, ControllerError) else None


def predict(
    controller: Controller, sample: Sample, *, deadline: Deadline, slot: Slot = contextlib.nullcontext
) -> Prediction:
    """Plan a sample over every kind of task, whatever can run here. Its files need not exist.

    A temporary failure is retried once.

    Raises:
        ControllerError: the controller itself does not work: it cannot answer the shortest question either.
    """
    calls: list[ControllerCall] = []
    plan: Plan | None = None
    for last in (False, True):
        failure: HuggingGPTError | None = None
        begun = time.monotonic()
        try:
            plan = plan_request(
                controller.recording(calls.append, slot),
                text=sample.request,
                resources=sample.resources,
                history=(),
                kinds=tuple(CAPABILITIES),
                deadline=deadline,
                checks=Checks(),
            )
        except HuggingGPTError as error:
            failure = error
        seconds = time.monotonic() - begun
        if isinstance(failure, ControllerError):
            if deadline.cancelled:
                raise failure
            controller.check(Deadline(_CHECK_SECONDS) if deadline.expired() else deadline)
        if last or deadline.expired() or not isinstance(failure, PassingError):
            break
    return Prediction(
        position=sample.position,
        sample_id=sample.id,
        request=sample.request,
        plan=plan,
        error=None if failure is None else failure.message,
        error_type=None if failure is None else type(failure).__name__,
        seconds=seconds,
        calls=len(calls),
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        completion_tokens=sum(call.completion_tokens for call in calls),
    )
