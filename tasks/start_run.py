"""Starting a flow run of the deployment that answers requests."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed
from prefect.types._datetime import now

from hugginggpt.deployments import deployment_of
from hugginggpt.errors import ConfigurationError, OrchestratorUnavailableError
from hugginggpt.services import get_trace
from hugginggpt.settings import data_file, get_settings
from hugginggpt.trace.sameness import SHOWN_CHARS
from hugginggpt.up_state import wake_flow_workers
from tasks.ui.runs import run_name

DEPLOYMENT = deployment_of("flows.answer.answer_request")

START_SECONDS = 120.0
"""A flow run is lost if it has not begun its request this long after a worker took it."""


def start_run(request_id: str, text: str, *, died: str | None = None) -> FlowRun:
    """Have a flow run of the deployment answer a request that is in the trace. Calling this twice starts one run.

    The request's id is the idempotency key. If the run with that key has ended and the request has not, the next run
    has the key `<id>/2`, and so on; the trace counts them. If a run was cancelled before it began its request, the
    request is cancelled, too. Flow workers of this home folder look for the run at once.

    Args:
        request_id: the request.
        text: the request's text, for the run's name; the flow itself reads it from the trace.
        died: Prefect's id of a flow run that died while it worked on the request.

    Returns:
        The flow run that answers the request.

    Raises:
        ConfigurationError: the deployment does not exist, or no worker would ever get its runs.
        OrchestratorUnavailableError: Prefect's server cannot be reached.
        RequestClosedError: the request has ended: it was cancelled, or given up after too many runs.
    """
    number = get_trace().queue.starts(request_id)
    while True:
        with _explaining():
            run = _run(request_id, text, request_id if number == 1 else f"{request_id}/{number}")
            if not _is_over(run, died):
                break
        assert run.state is not None
        if run.state.is_cancelled() and not get_trace().queue.has_begun(str(run.id)):
            get_trace().lifecycle.cancel(request_id, "Its flow run was cancelled before it began.")
        number = get_trace().queue.start_again(request_id, number, run.state.message or f"{run.state.name}.")
    wake_flow_workers(get_settings().home_dir)
    return run


def _run(request_id: str, text: str, key: str) -> FlowRun:
    """Create the flow run with a key, unless it exists.

    Raises:
        ConfigurationError: the deployment's work pool was deleted, so the run would be late for ever. A worker creates
            the pool again, but not the deployments in it.
    """
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        if deployment.work_pool_name is None:
            raise ConfigurationError(
                f"The deployment {DEPLOYMENT} has no work pool any more, so nothing would run: apply the deployments "
                f"again, by `hugginggpt down` and `hugginggpt up`, or with {_deploy()}."
            )
        return client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"request": text[:SHOWN_CHARS], "request_id": request_id},
            name=run_name(text),
            idempotency_key=key,
        )


@contextmanager
def _explaining() -> Iterator[None]:
    """Turn the errors of Prefect's server into ours."""
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
                f"Prefect's server refused the login (HTTP {status}): set PREFECT_API_AUTH_STRING or "
                "PREFECT_API_KEY to one that it accepts."
            ) from error
        if status in (408, 429) or status >= 500:
            raise OrchestratorUnavailableError(
                f"Prefect's server could not start a run (HTTP {status}): try again later, or see its log."
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
    """Whether a flow run will no longer answer its request. A lost one is also ended in Prefect."""
    state = run.state
    if state is None or state.is_paused() or (state.is_scheduled() and run.work_queue_id is not None):
        return False  # one that is paused goes on when it is resumed in Prefect, or fails when its pause has expired
    if state.is_final():
        return True
    if state.is_scheduled():
        set_state(run.id, Crashed(message="The work pool that it waited in was deleted."))
        return True
    lost = now("UTC") - state.timestamp
    begun = died is None and get_trace().queue.has_begun(str(run.id))
    if str(run.id) != died and (begun or lost.total_seconds() < START_SECONDS):
        return False
    set_state(run.id, Crashed(message="Its process died."))
    return True


def set_state(flow_run_id: UUID, state: State[Any]) -> None:
    """Set the state of a flow run in Prefect, whatever state it is in; do nothing if it was deleted meanwhile."""
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        client.set_flow_run_state(flow_run_id, state, force=True)
