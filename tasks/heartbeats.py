"""The heartbeats of a flow run, by which automations on Prefect's server notice that its process has died.

Prefect's own come from a thread that sleeps for a second at a time, and a flow run cannot end before that thread wakes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from prefect.context import FlowRunContext, SettingsContext, get_settings_context
from prefect.events import emit_event

from hugginggpt.polling import polling
from tasks.related import related_to, remember_flow

_seconds: ContextVar[int | None] = ContextVar("heartbeat_seconds", default=None)
"""Seconds between the heartbeats that the flow runs of this context send themselves; None if they send none."""


@contextmanager
def own_heartbeats() -> Iterator[None]:
    """Turn Prefect's heartbeats off inside the block. Flows send them themselves, as often as the settings say."""
    context = get_settings_context()
    flows = context.settings.flows
    if flows.heartbeat_frequency is None:
        yield
        return
    # Not `temporary_settings`, which reads all settings anew and takes as long as several tasks.
    quiet = context.settings.model_copy(update={"flows": flows.model_copy(update={"heartbeat_frequency": None})})
    token = _seconds.set(flows.heartbeat_frequency)
    try:
        with SettingsContext(profile=context.profile, settings=quiet):
            yield
    finally:
        _seconds.reset(token)


@contextmanager
def heartbeats() -> Iterator[None]:
    """Send the heartbeats of this flow run while the block runs, if `own_heartbeats` is around the run."""
    context, seconds = FlowRunContext.get(), _seconds.get()
    if seconds is None or context is None or context.flow_run is None:
        yield
        return
    run = context.flow_run
    remember_flow(run, context)
    resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
    related = related_to(run, context)

    def beat() -> None:
        emit_event("prefect.flow-run.heartbeat", resource=resource, related=related)

    beat()
    with polling(beat, seconds, "heartbeat"):
        yield
