"""What the process of a flow run does: the same as `python -m prefect.engine`, but it asks and waits for less."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hugginggpt.polling import polling

if TYPE_CHECKING:
    from prefect._flow_run_suspension import FlowRunSuspensionRequest
    from prefect.client.schemas.objects import FlowRun

LOOK_SECONDS = 10.0
"""How often to look whether the flow run was suspended: as often as Prefect does where it cannot be told."""


def run_flow(flow_run: "FlowRun", entrypoint: str, environment: Mapping[str, str], known: Mapping[str, Any]) -> None:
    """Run a flow in this process, which is a fork.

    Args:
        flow_run: its flow run.
        entrypoint: the flow.
        environment: the variables that Prefect gives the process.
        known: what Prefect's events about the flow run name besides it, each by its kind and its id or name.
    """
    os.environ.update(environment)
    from prefect import flow_engine
    from prefect.events.related import RESOURCE_CACHE
    from prefect.types._datetime import now

    for key, each in known.items():
        RESOURCE_CACHE[key] = {"kind": key.partition(".")[0], "object": each}, now("UTC")  # type: ignore[assignment]
    # The process ends with the flow run, so the thread may be left behind: ending it takes up to a second.
    flow_engine._send_heartbeats = partial(flow_engine._send_heartbeats, join_on_exit=False)
    # Prefect has itself told, over a websocket of its own for each run: it does not begin a flow before that is there,
    # nor end a run before that is closed.
    flow_engine.observe_flow_run_suspension = _look_for_suspension  # type: ignore[assignment, attr-defined]
    flow_engine.load_flow_run = lambda flow_run_id: flow_run
    if _has_its_name(flow_run):
        flow_engine._load_flow_from_runtime_entrypoint(entrypoint).flow_run_name = None
    flow_engine._run_flow_from_runtime_entrypoint(flow_run.id, entrypoint)


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
