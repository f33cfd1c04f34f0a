"""Before the stages: the request's row in the trace, a lease on it, and its files."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run as current_flow_run

from hugginggpt.acceptance import Accepted, accept, take_accepted
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DatabaseUnavailableError, DeadlineExceededError, DiskFullError, StorageError, UsageError
from hugginggpt.holder import Hold, holder_name
from hugginggpt.origin import Door, Origin
from hugginggpt.polling import polling
from hugginggpt.redaction import redact
from hugginggpt.request import RequestOptions
from hugginggpt.request_run import RequestRun
from hugginggpt.resource import Resource
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_controller, get_store, get_trace
from hugginggpt.settings import get_settings
from hugginggpt.trace.lifecycle import NO_LONGER_HELD
from hugginggpt.trace.queue import DISK_FULL, OPENING_SECONDS
from hugginggpt.trace.story import AskedRequest, Turn
from tasks.cancelling import cancel
from tasks.deployed import is_deployed
from tasks.expert_workers.runner import wait_for_workers
from tasks.recording import retry_while_database_is_down
from tasks.roots import readable
from tasks.ui.posting import all_posted
from tasks.ui.runs import draw_stated_edges_only, tag_run

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_EARLIER = 50
"""How many files and results of earlier turns a plan can name, the latest first, because a prompt has to list them."""


@contextmanager
def open_request(
    text: str, files: Sequence[str], conversation_id: str | None, options: RequestOptions, request_id: str | None
) -> Iterator[RequestRun]:
    """Hold a request, new or known, and renew its lease while the block runs. A known request is resumed.

    A request of a deployment is in line as soon as its files are stored, before its flow run waits for experts; a
    request without an id takes the flow run's id.

    Raises:
        UsageError: the request, or a file of it, cannot be accepted; the trace has nothing of it.
        StorageError: a file cannot be stored, or the disk is full (DiskFullError); the trace has nothing of it.
        DeadlineExceededError: its files or the expert workers were not there in time; the trace has nothing of it.
        ClusterUnavailableError: the expert workers cannot be reached; nothing was begun.
        DatabaseUnavailableError: the trace cannot be reached; nothing was begun.
        RequestInProgressError: another live process works on it.
        TraceError: the conversation is unknown, or another request has the id.
    """
    deployed, flow_run_id = is_deployed(), current_flow_run.get_id()
    began = time.monotonic()
    if not deployed:
        _check_runner(options)
    waited = time.monotonic() - began
    trace, holder = _ask(get_trace), holder_name()
    accepted = _accepted(text, files, options, request_id)
    asked = AskedRequest(
        text=text,
        resources=tuple(accepted.resources),
        conversation_id=conversation_id,
        options=options.model_dump(),
        request_id=request_id or (flow_run_id if deployed else None),
        origin=accepted.origin or Origin(Door.PREFECT if deployed else Door.PYTHON),
    )
    if deployed:
        _ask(lambda: trace.queue.put(asked, holder=holder, seconds=OPENING_SECONDS))
        wait_for_workers()
    opened = _ask(
        lambda: trace.lifecycle.open(
            asked,
            holder=holder,
            lease_seconds=get_settings().lease_seconds,
            flow_run_id=flow_run_id,
            queued=deployed,
            controller=get_controller().name,
            spent=accepted.seconds + waited,
        )
    )
    draw_stated_edges_only()
    turns: list[Turn] = []
    if opened.known or conversation_id is not None:
        turns = retry_while_database_is_down(
            "The conversation", lambda: trace.requests.turns(opened.conversation_id, before=opened.request_id)
        )
    kept = RequestOptions.kept(opened.options)
    run = RequestRun(
        request_id=opened.request_id,
        conversation_id=opened.conversation_id,
        life=opened.life,
        status=opened.status,
        text=opened.text,
        options=kept,
        resources=nameable(opened.resources, turns, is_first_life=opened.life == 1),
        history=(*kept.quoted, *(turn.exchange for turn in turns)),
    )
    with _lease(run, holder) if run.status is RequestStatus.RUNNING else nullcontext(), all_posted():
        tag_run(run.conversation_id)
        yield run


def record_ending(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Flow hook: record in the trace that this flow run failed, crashed or was cancelled."""
    if state.is_cancelled() or state.is_cancelling():
        ending = "cancelled"
    elif state.is_failed() and isinstance(state.result(raise_on_failure=False), DiskFullError):
        ending = DISK_FULL
    else:
        ending = (state.name or state.type.value).lower()
    error = state.message and redact(state.message)
    get_trace().lifecycle.release_flow_run(str(flow_run.id), ending=ending, error=error)


def _ask(ask: Callable[[], T]) -> T:
    """Access the trace before the work begins. If its database is away, a command fails at once, and a worker waits."""
    return retry_while_database_is_down("The request", ask) if is_deployed() else ask()


def _check_runner(options: RequestOptions) -> None:
    """Wait for expert workers, if tasks run on them, but no longer than the request's deadline."""
    try:
        wait_for_workers(Deadline(options.deadline or math.inf))
    except DeadlineExceededError:
        raise DeadlineExceededError(
            f"There were no expert workers within the request's {options.deadline:g} seconds: give it more time, or "
            "start some with `hugginggpt expert-worker`."
        ) from None


def _accepted(text: str, files: Sequence[str], options: RequestOptions, request_id: str | None) -> Accepted:
    """The files of a request. For a known request they come from the trace, whatever is given with its id."""
    if (accepted := take_accepted(request_id)) is not None:
        return accepted
    try:
        return accept(text, files, options, settings=get_settings(), store=get_store(), readable=readable())
    except (UsageError, StorageError, DeadlineExceededError):
        if request_id is None or not _ask(lambda: get_trace().requests.knows(request_id)):
            raise
        return Accepted([])


def nameable(recorded: Sequence[Resource], turns: Sequence[Turn], *, is_first_life: bool) -> tuple[Resource, ...]:
    """What a plan can name, one resource for each name: the request's own files, then those of earlier turns.

    Args:
        recorded: the resources that the trace has of the request. In its first life, they are its own files; from then
            on, they include those of earlier turns that its plan uses.
        turns: the earlier turns, oldest first. The latest files and results are kept.
        is_first_life: no other run has worked on the request before.
    """
    of_turns = [r.model_copy(update={"earlier": True}) for t in reversed(turns) for r in (*t.resources, *t.files)]
    earlier = _distinct(of_turns)
    known = {(r.name, r.artifact.sha256) for r in earlier if not is_first_life}
    own = [r.model_copy(update={"earlier": r.earlier or (r.name, r.artifact.sha256) in known}) for r in recorded]
    return _distinct([*own, *earlier[:MOST_EARLIER]])


def _distinct(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """The first resource of each name."""
    found: dict[str, Resource] = {}
    for resource in resources:
        found.setdefault(resource.name, resource)
    return tuple(found.values())


@contextmanager
def _lease(run: RequestRun, holder: str) -> Iterator[None]:
    seconds = get_settings().lease_seconds

    def renew() -> bool:
        try:
            hold = get_trace().lifecycle.renew_lease(run.request_id, holder, seconds)
        except DatabaseUnavailableError as error:
            logger.warning("The lease on request %s could not be renewed: %s", run.request_id, error.message)
            return True
        if hold in (Hold.CANCELLED, Hold.LOST):
            what = "was cancelled" if hold is Hold.CANCELLED else "now belongs to another process"
            logger.warning("Request %s %s; this process stops working on it.", run.request_id, what)
            cancel(run.key, NO_LONGER_HELD)
        # If it has ended, it has just been answered, and there is nothing to stop.
        return hold is Hold.HELD

    with polling(renew, seconds / 3, f"lease-{run.request_id[:8]}"):
        yield
