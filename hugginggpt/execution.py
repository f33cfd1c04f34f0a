"""Runs one planned task: its candidates in order, its elements one by one.

A temporary failure is raised, so that the caller tries again. After any other error, the next candidate is tried.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.binding import BoundTask, MissingInput
from hugginggpt.capabilities import Capability
from hugginggpt.deadline import Deadline
from hugginggpt.errors import (
    DeadlineExceededError,
    DiskFullError,
    ExpertError,
    HuggingGPTError,
    ModelDiskFullError,
    PassingError,
    StorageError,
)
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.pool import ModelPool
from hugginggpt.experts.registry import expert_for
from hugginggpt.models.card import Candidate
from hugginggpt.plan import PlannedTask
from hugginggpt.progress import ListProgress, on_element, report
from hugginggpt.redaction import said
from hugginggpt.results import ItemResult, TaskResult
from hugginggpt.stored_inputs import InputReader, stored_inputs

logger = logging.getLogger(__name__)


class AttemptRecorder(Protocol):
    """Receives every attempt."""

    def started(self, candidate: Candidate) -> None:
        """An attempt on this candidate begins."""

    def finished(self, seconds: float, error: BaseException | None, loading: float | None) -> None:
        """The latest attempt has ended; `loading` is how many of its seconds went into loading the model."""


@dataclass(frozen=True)
class ExecutionContext:
    """What every candidate in one try of a planned task works with.

    Attributes:
        pool: loads the models.
        expert_context: what the experts may use.
        store: where inputs are read from and results are written to.
        deadline: when the task has to be finished.
        attempts: receives every attempt.
        slot: entered around the model's work, to limit how many models work at once.
        last_try: there is no further try, so a temporary failure also moves on to the next candidate.
    """

    pool: ModelPool
    expert_context: ExpertContext
    store: ArtifactStore
    deadline: Deadline
    attempts: AttemptRecorder
    slot: Callable[[Candidate, Deadline], AbstractContextManager[object]]
    last_try: bool


_NOT_RUN = object()

_SHARE = 4
"""A batch of inputs may take a quarter of the memory that one file may, because the model makes more of them."""


def execute(
    task: PlannedTask, bound: BoundTask, candidates: Iterable[Candidate], context: ExecutionContext
) -> TaskResult:
    """Run a task on the first candidate that can do it.

    Args:
        task: the planned task.
        bound: its inputs.
        candidates: in the order to try them.
        context: what this try works with.

    Raises:
        PassingError: the candidate failed, perhaps temporarily, and this is not the last try.
        DeadlineExceededError: time is up, or the task was cancelled.
        DiskFullError: the disk is full, and the result or the only model that could make it does not fit.
        ExpertError: no candidate could do it; the message says why for each.
    """
    deadline = context.deadline
    reasons: dict[str, list[str]] = defaultdict(list)
    full: ModelDiskFullError | None = None
    for candidate in candidates:
        deadline.check()
        context.attempts.started(candidate)
        deadline.loading = None
        worked = _stopwatch(deadline)
        try:
            items = _run_items(task.capability, bound, candidate, context)
        except BaseException as error:
            context.attempts.finished(worked(), error, deadline.loading)
            if not _moves_on(error, last_try=context.last_try):
                raise
            assert isinstance(error, HuggingGPTError)
            full = error if isinstance(error, ModelDiskFullError) else full
            reasons[error.message].append(f"{candidate.card.id} ({candidate.endpoint})")
        else:
            seconds = worked()
            context.attempts.finished(seconds, None, deadline.loading)
            return TaskResult(
                task_id=task.id,
                kind=task.task,
                items=items,
                is_list=bound.is_list,
                first_page=bound.first_page,
                model=candidate.card.id,
                revision=candidate.card.revision,
                endpoint=candidate.endpoint,
                seconds=round(seconds, 3),
                seed=bound.seed,
            )
    if full is not None:
        raise DiskFullError(full.message)
    told = [f"{', '.join(models)}: {message}" for message, models in reasons.items()]
    raise ExpertError(" ".join(told) or "Every candidate failed in an earlier try.")


def _moves_on(error: BaseException, *, last_try: bool) -> bool:
    """Whether the next candidate is tried after this error."""
    if isinstance(error, DeadlineExceededError | StorageError):
        return False
    return isinstance(error, HuggingGPTError) and (last_try or not isinstance(error, PassingError))


def _stopwatch(deadline: Deadline) -> Callable[[], float]:
    """A function that returns the seconds since now, without those spent waiting for a model or the processor."""
    begun, waited = time.monotonic(), deadline.waited
    return lambda: time.monotonic() - begun - (deadline.waited - waited)


def _run_items(
    capability: Capability, bound: BoundTask, candidate: Candidate, context: ExecutionContext
) -> tuple[ItemResult, ...]:
    """Results in the order of the elements. Elements may fail as long as one succeeds."""
    expert = expert_for(candidate.card, candidate.endpoint)
    if expert is None:
        raise ExpertError(f"No installed expert runs {candidate.card.id} ({candidate.endpoint}).")
    deadline = context.deadline
    seeded = {} if bound.seed is None else {"seed": bound.seed}
    elements = [e if isinstance(e, MissingInput) else {**e, **seeded} for e in bound.items]
    at_once = context.expert_context.settings.max_decoded_bytes // _SHARE if expert.supports_batching else 0
    items: list[ItemResult] = []
    failure: HuggingGPTError | None = None
    failed = 0
    with (
        context.pool.use(expert, candidate.card, context.expert_context, deadline) as model,
        context.slot(candidate, deadline),
    ):
        for group in _groups(elements, InputReader(context.store), at_once, deadline):
            done: dict[int, object] = {}
            if len(group) > 1:
                with _working_on(bound, len(items)):
                    done = _run_together(expert, model, group, deadline)
            for position in range(len(group)):
                with _working_on(bound, len(items)):
                    made = _item(capability, expert, model, group[position], done.pop(position, _NOT_RUN), context)
                if isinstance(made, HuggingGPTError):
                    failed += 1
                    items.append(ItemResult(error=made.message))
                    # Only one is kept: its traceback holds what the expert had in memory.
                    failure = failure if isinstance(failure, DeadlineExceededError) else made
                else:
                    items.append(made)
    if failure is not None and failed == len(items):
        raise failure
    deadline.check_cancelled()
    if len(items) > 1:
        report(ListProgress(len(items), len(items), first_page=bound.first_page))
    return tuple(items)


def _working_on(bound: BoundTask, done: int) -> AbstractContextManager[object]:
    """Report that the next element of a list is worked on; a single input is not worth a word."""
    count = len(bound.items)
    return on_element(ListProgress(done, count, first_page=bound.first_page)) if count > 1 else nullcontext()


_Read = Mapping[str, Any] | HuggingGPTError
"""The inputs of an element, read from the store, or why there are none."""


def _groups(
    elements: Sequence[Inputs | MissingInput], reader: InputReader, at_once: int, deadline: Deadline
) -> Iterator[list[_Read]]:
    """The elements with their values read, in batches of about this many bytes in memory.

    A batch is emptied when the next one is requested.
    """
    group: list[_Read] = []
    for position, element in enumerate(elements):
        group.append(_read(element, reader, deadline))
        if reader.bytes_held < at_once and position + 1 < len(elements):
            continue
        yield group
        group.clear()
        following = elements[position + 1] if position + 1 < len(elements) else {}
        reader.release({} if isinstance(following, MissingInput) else following)


def _read(element: Inputs | MissingInput, reader: InputReader, deadline: Deadline) -> _Read:
    """An element's inputs.

    Raises:
        StorageError: a value is missing or damaged, or the store cannot be read.
    """
    if isinstance(element, MissingInput):
        return ExpertError(element.reason)
    if not any(stored_inputs(element)):
        return element
    try:
        deadline.check()
        # A store or a decoder may be slower than the deadline.
        return deadline.wait_for(partial(reader.read, element))
    except StorageError:
        raise
    except HuggingGPTError as error:
        return error


def _item(
    capability: Capability, expert: Expert, model: object, inputs: _Read, raw: object, context: ExecutionContext
) -> ItemResult | HuggingGPTError:
    """The stored result of one element, or why there is none."""
    deadline = context.deadline
    try:
        if isinstance(inputs, HuggingGPTError):
            raise inputs
        if raw is _NOT_RUN:
            deadline.check()
        outputs = _run_one(expert, model, inputs, deadline, raw)
        _check_types(capability, outputs)
    except StorageError:
        raise
    except HuggingGPTError as error:
        if isinstance(error, PassingError) and not context.last_try:
            raise
        return error
    return ItemResult(outputs=tuple(context.store.put(value, deadline.check_cancelled) for value in outputs))


def _run_together(expert: Expert, model: object, elements: Sequence[_Read], deadline: Deadline) -> dict[int, object]:
    """The model's results by position, computed together; empty if that fails, and then each element runs alone."""
    try:
        prepared = {i: expert.prepare(e) for i, e in enumerate(elements) if not isinstance(e, HuggingGPTError)}
        return dict(zip(prepared, expert.run_batch(model, list(prepared.values()), deadline), strict=True))
    except Exception as error:
        logger.info("Running the elements of a list one by one, because running them together failed: %s", said(error))
        return {}


def _run_one(expert: Expert, model: object, inputs: Inputs, deadline: Deadline, raw: object) -> Outputs:
    """Run an expert on one element, or only render it if the model has already been run.

    An unexpected exception of a library fails the candidate, not the whole run.
    """
    try:
        if raw is _NOT_RUN:
            raw = expert.run(model, expert.prepare(inputs), deadline)
        return expert.render(raw, inputs)
    except HuggingGPTError:
        raise
    except Exception as error:
        logger.warning("The expert for %s failed unexpectedly.", expert.kind, exc_info=True)
        raise ExpertError(f"The expert failed with {type(error).__name__}: {said(error)}") from error


def _check_types(capability: Capability, outputs: Outputs) -> None:
    types = tuple(value.type for value in outputs)
    if types != capability.outputs:
        raise ExpertError(f"The expert returned {', '.join(types)} instead of {', '.join(capability.outputs)}.")
