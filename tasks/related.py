"""What the events of a flow run are about besides the run: its flow, its deployment and its tags."""

from prefect.client.schemas.objects import Flow, FlowRun
from prefect.context import FlowRunContext
from prefect.events import RelatedResource
from prefect.events.related import RESOURCE_CACHE, object_as_related_resource, tags_as_related_resources
from prefect.types._datetime import now


def remember_flow(run: FlowRun, context: FlowRunContext) -> None:
    """Tell Prefect what its events name of the flow of a run; for its first event it would ask the server."""
    key = f"flow.{run.flow_id}"
    if context.flow is not None and key not in RESOURCE_CACHE:
        flow = Flow(id=run.flow_id, name=context.flow.name, labels={})
        RESOURCE_CACHE[key] = {"kind": "flow", "object": flow}, now("UTC")  # type: ignore[assignment]


def related_to(run: FlowRun, context: FlowRunContext) -> list[RelatedResource]:
    """The related resources of an event of a flow run, as Prefect's own events name them."""
    of_flow = {
        "prefect.resource.id": f"prefect.flow.{run.flow_id}",
        "prefect.resource.role": "flow",
        "prefect.resource.name": "" if context.flow is None else context.flow.name,
    }
    of_deployment = {
        "prefect.resource.id": f"prefect.deployment.{run.deployment_id}",
        "prefect.resource.role": "deployment",
    }
    about = [of_flow, *([of_deployment] if run.deployment_id else [])]
    return [*map(RelatedResource.model_validate, about), *tags_as_related_resources(set(run.tags))]


def related_to_artifacts() -> list[RelatedResource]:
    """The related resources of events of the artifacts of the current flow run; none outside a run."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return []
    run = context.flow_run
    return [object_as_related_resource(kind="flow-run", role="flow-run", object=run), *related_to(run, context)]
