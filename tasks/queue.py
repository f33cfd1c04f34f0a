"""Requests in line: claim them, and start a flow run for each."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
from filelock import FileLock, Timeout
from prefect import get_run_logger, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.futures import wait
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Completed, Crashed, Failed
from prefect.types._datetime import now

from hugginggpt.errors import HuggingGPTError, RequestClosedError
from hugginggpt.holder import holder_name
from hugginggpt.redaction import said
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace
from hugginggpt.settings import get_settings
from hugginggpt.text import counted, one_line
from hugginggpt.trace.story import EndedRun, WaitingRequest
from tasks.policies import START_RUN
from tasks.start_run import DEPLOYMENT, set_state, start_run
from tasks.ui.answer import shown_answer
from tasks.ui.runs import MESSAGE_CHARS, name_run
from tasks.unexpected import explained

CLAIM_SECONDS = 120.0
"""How long a claim lasts. By then, a flow run that was started has the lease on its request."""

ENDED_SECONDS = 60.0
"""This long after a request has ended, its flow run counts as ended, too, whatever Prefect says."""

_MOST_RUNS = 200
"""How many flow runs to check, the earliest first: as many as Prefect returns at once."""


def answer_waiting(limit: int) -> State[Any]:
    """Start a flow run for each request in line, and end lost runs, unless another process on this machine is doing so.

    Returns:
        the final state of the flow run, with the number of runs that were started as its data.
    """
    # The system releases the lock however its process ends. A process on another machine does no harm: each
    # claims requests for itself.
    lock = FileLock(get_settings().home_dir / "answer-queued.lock", timeout=0, mode=0o600)
    try:
        with lock:
            delete_overdue_runs()
            state = start_waiting(limit)
            end_runs_of_ended_requests()
            return state
    except Timeout:
        name_run("answer-queued: another run is at work")
        return Completed(message="Another run is still at work on the same requests.", data=0)


def delete_overdue_runs() -> int:
    """Delete the other runs of this schedule that are due and that no worker has taken; return how many.

    They are overdue because no worker was up for a while, or all were busy, and would find nothing to do.
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
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(due), limit=_MOST_RUNS)
            overdue = [run.id for run in found if run.auto_scheduled and str(run.id) != this]
            for run_id in overdue:
                with suppress(ObjectNotFound):
                    client.delete_flow_run(run_id)
    except httpx.HTTPError as error:
        get_run_logger().warning("Cannot delete overdue runs of this schedule now: %s", said(error))
        return 0
    return len(overdue)


def start_waiting(limit: int) -> State[Any]:
    """Claim requests in line and start a flow run for each; return a final state with their number as its data.

    If a run could not be started, the state says why, and the request is claimed again when its claim has run out.
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
    message = f"No run could be started for {len(failures)} of {len(runs)} requests, which stay in line: {why}"
    return Failed(message=message, data=error)


def end_runs_of_ended_requests() -> int:
    """End the flow runs that Prefect shows as running although their requests have ended; return how many.

    Their processes died, or could not reach Prefect's server when they recorded the end in the trace.
    """
    at_work = FlowRunFilter.model_validate({"state": {"type": {"any_": [StateType.RUNNING, StateType.PENDING]}}})
    flow = FlowFilter.model_validate({"name": {"any_": [DEPLOYMENT.partition("/")[0]]}})
    try:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(
                flow_filter=flow, flow_run_filter=at_work, sort=FlowRunSort.START_TIME_ASC, limit=_MOST_RUNS
            )
        over = get_trace().queue.runs_over([str(run.id) for run in found], ENDED_SECONDS)
        for flow_run_id, ended in over.items():
            set_state(UUID(flow_run_id), _ending(ended))
    except httpx.HTTPError as error:
        get_run_logger().warning("Cannot end the flow runs of ended requests in Prefect now: %s", said(error))
        return 0
    return len(over)


def _ending(ended: EndedRun) -> State[Any]:
    """The final state of a flow run that ended like this; only the trace has its report."""
    if ended.ending == "cancelled":
        return Cancelled(message=ended.error)
    if ended.ending != "finished":
        return Crashed(message="Its process died.")
    if ended.status is RequestStatus.FAILED:
        return Failed(message=ended.error)
    name = "Partial" if ended.status is RequestStatus.PARTIAL else "Completed"
    said = shown_answer(get_trace().requests.get(ended.request_id))
    return Completed(name=name, message=one_line(said, MESSAGE_CHARS) or None)


@task(
    name="start-run",
    task_run_name="start {waiting.request_id}",
    **START_RUN.options,
)
@explained
def _start_waiting(waiting: WaitingRequest) -> bool:
    """Start a run for a request; return False if the request has ended meanwhile."""
    try:
        run = start_run(waiting.request_id, waiting.text, died=waiting.flow_run_id)
    except RequestClosedError as error:
        get_run_logger().info("%s", error.message)
        return False
    get_run_logger().info("Request %s is answered by the flow run %s.", waiting.request_id, run.name)
    return True
