"""What the process of a flow run does: the same as `python -m prefect.engine`, but it asks and waits for less."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hugginggpt.polling import polling

if TYPE_CHECKING:
    from prefect._flow_run_suspension import FlowRunSuspensionRequest
    from prefect.client.schemas.objects import FlowRun

LOOK_SECONDS = 10.0
"""How often to look whether the flow run was suspended: as often as Prefect does where it cannot be told."""


@dataclass(frozen=True)
class Known:
    """What the worker knows, so that the process of a flow run need not ask Prefect's server.

    Attributes:
        related: what Prefect's events about the flow run name besides it, each by its kind and its id or name.
        result_storage: the block where the server says that results are kept; None if it does not say.
    """

    related: Mapping[str, Any]
    result_storage: UUID | None


def run_flow(flow_run: "FlowRun", entrypoint: str, environment: Mapping[str, str], known: Known) -> None:
    """Run a flow in this process, which is a fork.

    Args:
        flow_run: its flow run.
        entrypoint: the flow.
        environment: the variables that Prefect gives the process.
        known: what it need not ask for.
    """
    os.environ.update(environment)
    from prefect import flow_engine, results
    from prefect.events.related import RESOURCE_CACHE
    from prefect.types._datetime import now

    for key, each in known.related.items():
        RESOURCE_CACHE[key] = {"kind": key.partition(".")[0], "object": each}, now("UTC")  # type: ignore[assignment]
    results._read_server_default_result_storage_block_id = lambda: known.result_storage
    # The process ends with the flow run, so the thread may be left behind: ending it takes up to a second.
    flow_engine._send_heartbeats = partial(flow_engine._send_heartbeats, join_on_exit=False)
    # Prefect has itself told, over a websocket of its own for each run: it does not begin a flow before that is there,
    # nor end a run before that is closed.
    flow_engine.observe_flow_run_suspension = _look_for_suspension  # type: ignore[assignment, attr-defined]
    flow_engine.load_flow_run = lambda flow_run_id: flow_run
    _begin_with(flow_run)
    if _has_its_name(flow_run):
        flow_engine._load_flow_from_runtime_entrypoint(entrypoint).flow_run_name = None
    flow_engine._run_flow_from_runtime_entrypoint(flow_run.id, entrypoint)


def _begin_with(flow_run: "FlowRun") -> None:
    """Save two calls of Prefect's server as the flow run begins.

    The first that changes the flow run also tells the id of its process, and when the server has said that it runs, it
    is not read again.
    """
    from prefect.client.orchestration import SyncPrefectClient

    update, read = SyncPrefectClient.update_flow_run, SyncPrefectClient.read_flow_run

    def update_first(client: SyncPrefectClient, flow_run_id: UUID, **changes: Any) -> Any:
        SyncPrefectClient.update_flow_run = update  # type: ignore[method-assign]
        return client.update_flow_run(flow_run_id, infrastructure_pid=str(os.getpid()), **changes)

    def read_first(client: SyncPrefectClient, flow_run_id: UUID) -> "FlowRun":
        SyncPrefectClient.read_flow_run = read  # type: ignore[method-assign]
        state = flow_run.state
        if flow_run_id != flow_run.id or state is None or not state.is_running():
            return client.read_flow_run(flow_run_id)
        flow_run.run_count += 1  # as the server has counted
        flow_run.start_time = flow_run.start_time or state.timestamp  # type: ignore[assignment]
        return flow_run

    SyncPrefectClient.update_flow_run = update_first  # type: ignore[method-assign, assignment]
    SyncPrefectClient.read_flow_run = read_first  # type: ignore[method-assign, assignment]


def _has_its_name(flow_run: "FlowRun") -> bool:
    """Whether it was created by `start_run`, which gives the name that the flow would give, and whose key this is."""
    key = flow_run.idempotency_key or ""
    return key.partition("/")[0] == flow_run.parameters.get("request_id")


@contextmanager
def _look_for_suspension(flow_run_id: UUID, request: "FlowRunSuspensionRequest") -> Iterator[None]:
    """Look now and then whether the flow run was suspended, on Prefect's pages or elsewhere, while the block runs."""
    import httpx
    from prefect._flow_run_suspension import is_suspended_flow_run_state
    from prefect.client.orchestration import get_client

    def look() -> bool:
        try:
            with get_client(sync_client=True) as client:
                state = client.read_flow_run(flow_run_id).state
        except httpx.HTTPError:
            return True  # the next look may show it
        if state is None or not is_suspended_flow_run_state(state):
            return True
        request.mark_requested(state)
        return False

    with polling(look, LOOK_SECONDS, "suspension"):
        yield
