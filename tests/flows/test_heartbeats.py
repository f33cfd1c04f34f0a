"""Heartbeats of flow runs, as automations on Prefect's server see them."""

from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings

from flows.server import flow
from tests.servers import wait_until


@flow()
def quiet() -> int | None:
    """Return how often Prefect itself would send heartbeats."""
    return get_current_settings().flows.heartbeat_frequency


def heartbeats_of(flow_run_id: Any) -> list[dict[str, Any]]:
    resource = {"id": [f"prefect.flow-run.{flow_run_id}"]}
    wanted = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": resource}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/events/filter", json={"filter": wanted})
    events: list[dict[str, Any]] = found.json()["events"]
    return events


@pytest.mark.parametrize("seconds", [30, 45])
def test_a_flow_sends_its_own(seconds: int) -> None:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: seconds}):
        state: Any = quiet(return_state=True)
        assert get_current_settings().flows.heartbeat_frequency == seconds
    assert state.result() is None
    run = state.state_details.flow_run_id
    # Prefect's server takes events in a little later.
    wait_until(lambda: heartbeats_of(run))
    (beat,) = heartbeats_of(run)
    assert {one["prefect.resource.role"] for one in beat["related"]} >= {"flow"}
