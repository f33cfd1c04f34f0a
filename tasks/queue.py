"""Requests in line: claim them, and have a flow run of the deployment begin each."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
from filelock import FileLock, Timeout
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.futures import wait
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Completed, Crashed, Failed
from prefect.types._datetime import now

from hugginggpt.errors import ConfigurationError, HuggingGPTError, OrchestratorUnavailableError, RequestClosedError
from hugginggpt.holder import holder_name
from hugginggpt.redaction import said
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace
from hugginggpt.settings import data_file, get_settings
from hugginggpt.text import one_line
from hugginggpt.trace.lifecycle import SHOWN_CHARS
from hugginggpt.trace.story import EndedRun, WaitingRequest
from tasks.ui import MESSAGE_CHARS, counted, name_run, run_name
from tasks.unexpected import explained

DEPLOYMENT = "answer-request/on-demand"

CLAIM_SECONDS = 120.0
"""How long a claim holds: a flow run that was begun by then has the request's own lease."""

START_SECONDS = 120.0
"""A flow run that a worker took so long ago, and that has not begun its request, is lost."""

ENDED_SECONDS = 60.0
"""A flow run whose request ended so long ago has ended, whatever Prefect knows of it."""

_MOST_AT_WORK = 200
"""Flow runs that are looked at in one go, those begun first before the others: as many as Prefect gives at once."""


def answer_waiting(limit: int) -> State[Any]:
    """Start what waits and end what was lost, unless another process of this machine is just about it.

    Returns:
        the state in which the flow run ends, with how many requests a run was started for as its data.
    """
    # Released by the system when its process ends, however it ends. Another machine's process does no harm: what it
    # claims is its own.
    lock = FileLock(get_settings().home_dir / "answer-queued.lock", timeout=0, mode=0o600)
    try:
        with lock:
            let_go_of_overdue()
            state = start_waiting(limit)
            end_lost()
            return state
    except Timeout:
        name_run("answer-queued: another run is at work")
        return Completed(message="Another run of it is still at work, and does the same.", data=0)


def let_go_of_overdue() -> int:
    """Delete the other runs of this schedule that are due and that no worker has taken; return how many.

    They would find nothing to do: they wait because no worker looked for a while, or all were busy.
    """
    this, of = flow_run.get_id(), deployment.get_id()
    if of is None:
        return 0
    due = {
        "deployment_id": {"any_": [of]},
        "state": {"type": {"any_": [StateType.SCHEDULED]}},
        "next_scheduled_start_time": {"before_": now("UTC")},
    }
    try:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(due), limit=_MOST_AT_WORK)
            overdue = [run.id for run in found if run.auto_scheduled and str(run.id) != this]
            for run_id in overdue:
                with suppress(ObjectNotFound):
                    client.delete_flow_run(run_id)
    except httpx.HTTPError as error:
        get_run_logger().warning("Runs of this schedule that are overdue cannot be deleted now: %s", said(error))
        return 0
    return len(overdue)


def start_waiting(limit: int) -> State[Any]:
    """Claim requests in line and start a flow run for each; return a state with for how many that worked.

    One that could not be started is claimed again when its claim has run out, and the state says why.
    """
    waiting = get_trace().queue.claim(holder_name(), CLAIM_SECONDS, limit)
    name_run(f"answer-queued: {len(waiting)} waiting")
    runs = [_start_waiting.submit(one) for one in waiting]
    wait(runs)
    failures = [run.state for run in runs if not run.state.is_completed()]
    if not failures:
        started = sum(run.result() for run in runs)
        return Completed(message=f"{counted(started, 'run')} started." if waiting else None, data=started)
    error = failures[0].result(raise_on_failure=False)
    why = error.message if isinstance(error, HuggingGPTError) else failures[0].message
    message = f"{len(failures)} of {len(runs)} requests stay in line, for no run could be started for them: {why}"
    return Failed(message=message, data=error)


def end_lost() -> int:
    """End the flow runs in Prefect that are at work there although their requests have ended; return how many.

    Their processes wrote the end into the trace while Prefect's server was away, or died.
    """
    at_work = FlowRunFilter.model_validate({"state": {"type": {"any_": [StateType.RUNNING, StateType.PENDING]}}})
    flow = FlowFilter.model_validate({"name": {"any_": [DEPLOYMENT.partition("/")[0]]}})
    try:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(
                flow_filter=flow, flow_run_filter=at_work, sort=FlowRunSort.START_TIME_ASC, limit=_MOST_AT_WORK
            )
        over = get_trace().queue.runs_over([str(run.id) for run in found], ENDED_SECONDS)
        for flow_run_id, ended in over.items():
            _set_state(UUID(flow_run_id), _ending(ended))
    except httpx.HTTPError as error:
        get_run_logger().warning("Flow runs whose requests have ended cannot be ended in Prefect now: %s", said(error))
        return 0
    return len(over)


def _ending(ended: EndedRun) -> State[Any]:
    """The state of a flow run that ended so; its report is in the trace alone."""
    if ended.ending == "cancelled":
        return Cancelled(message=ended.error)
    if ended.ending != "finished":
        return Crashed(message="Its process died.")
    if ended.status is RequestStatus.FAILED:
        return Failed(message=ended.error)
    name = "Partial" if ended.status is RequestStatus.PARTIAL else "Completed"
    return Completed(name=name, message=one_line(ended.response or "", MESSAGE_CHARS) or None)


@task(
    name="start-run",
    task_run_name="start {waiting.request_id}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
@explained
def _start_waiting(waiting: WaitingRequest) -> bool:
    """Have a request answered; False when that is no longer wanted."""
    try:
        run = start_run(waiting.request_id, waiting.text, died=waiting.flow_run_id)
    except RequestClosedError as error:
        get_run_logger().info("%s", error.message)
        return False
    get_run_logger().info("Request %s is answered by the flow run %s.", waiting.request_id, run.name)
    return True


def start_run(request_id: str, text: str, *, died: str | None = None) -> FlowRun:
    """Have a flow run of the deployment answer a request that is in the trace. Asking twice starts it once.

    The request's id is the idempotency key. Where the run of that key is over and the request is not,
    the next run has the key `<id>/2`, and so on, as the trace counts them. A request whose run was cancelled
    before it began it is cancelled, too.

    Args:
        request_id: the request.
        text: what it asks, for the run's name; the flow takes it from the trace.
        died: Prefect's id of the flow run that is known to have died with it.

    Returns:
        The flow run that answers it, or will.

    Raises:
        ConfigurationError: there is no such deployment, or no worker would ever see its runs.
        OrchestratorUnavailableError: Prefect's server cannot be reached.
        RequestClosedError: the request has ended: it was cancelled, or is given up after too many runs.
    """
    number = get_trace().queue.starts(request_id)
    with _explained():
        _check_deployment()
    while True:
        with _explained():
            run = _run(request_id, text, request_id if number == 1 else f"{request_id}/{number}")
            if not _is_over(run, died):
                return run
        assert run.state is not None
        if run.state.is_cancelled() and not get_trace().queue.has_begun(str(run.id)):
            get_trace().lifecycle.cancel(request_id, "Its flow run was cancelled before it began.")
        number = get_trace().queue.start_again(request_id, number, run.state.message or f"{run.state.name}.")


def _check_deployment() -> None:
    """Raise unless workers see the runs of the deployment: else one would be late for ever.

    Raises:
        ConfigurationError: its work pool was deleted. A worker makes the pool again, but not what was in it.
    """
    with get_client(sync_client=True) as client:
        if client.read_deployment_by_name(DEPLOYMENT).work_pool_name is None:
            raise ConfigurationError(
                f"The deployment {DEPLOYMENT} has no work pool any more, so nothing would run: apply the deployments "
                f"again, by `hugginggpt down` and `hugginggpt up`, or with {_deploy()}."
            )


def _run(request_id: str, text: str, key: str) -> FlowRun:
    run = run_deployment(
        DEPLOYMENT,
        parameters={"request": text[:SHOWN_CHARS], "request_id": request_id},
        flow_run_name=run_name(text),
        idempotency_key=key,
        timeout=0,
        as_subflow=False,
    )
    assert isinstance(run, FlowRun)
    return run


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what Prefect's server raises into one sentence."""
    try:
        yield
    except ObjectNotFound:
        raise ConfigurationError(
            f"Prefect's server has no deployment {DEPLOYMENT}: start everything with `hugginggpt up`, or apply "
            f"the deployments with {_deploy()}."
        ) from None
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise ConfigurationError(
                f"Prefect's server does not let us in (HTTP {status}): set PREFECT_API_AUTH_STRING, or "
                "PREFECT_API_KEY, to what it accepts."
            ) from error
        if status in (408, 429) or status >= 500:
            raise OrchestratorUnavailableError(
                f"Prefect's server could not start a run (HTTP {status}): try again later, or look into its log."
            ) from error
        raise ConfigurationError(
            f"Prefect's server refused to start a run (HTTP {status}): apply the deployments of this version "
            f"with {_deploy()}."
        ) from error
    except httpx.HTTPError as error:
        raise OrchestratorUnavailableError(
            f"Prefect's server cannot be reached ({type(error).__name__}): start it, then try again."
        ) from error


def _deploy() -> str:
    """The command that applies the deployments."""
    return f"`prefect deploy --all --prefect-file {shlex.quote(str(data_file('deployments.yaml')))}`"


def _is_over(run: FlowRun, died: str | None) -> bool:
    """Whether a flow run will not answer its request any more. One that was lost is ended in Prefect too."""
    state = run.state
    if state is None or (state.is_scheduled() and run.work_queue_id is not None):
        return False
    if state.is_final():
        return True
    if state.is_scheduled():
        _set_state(run.id, Crashed(message="The work pool that it waited in was deleted."))
        return True
    lost = now("UTC") - state.timestamp
    begun = died is None and get_trace().queue.has_begun(str(run.id))
    if str(run.id) != died and (begun or lost.total_seconds() < START_SECONDS):
        return False
    _set_state(run.id, Crashed(message="Its process died."))
    return True


def _set_state(flow_run_id: UUID, state: State[Any]) -> None:
    # One that was deleted meanwhile needs no end.
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        client.set_flow_run_state(flow_run_id, state, force=True)
